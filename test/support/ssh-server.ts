/**
 * A real sshd on the loopback interface, with keys and settings of its own in a temporary folder, that lets one key in
 * as whoever runs the test. Run by root it lives in a mount namespace with a /run of its own, where the system's libvirt
 * sockets lead to a private daemon; run by another user, that daemon is the session of who logs in.
 */
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port.ts'
import type { PrivateLibvirt } from './private-libvirt.ts'

const SSHD = '/usr/sbin/sshd'
const START_LIMIT_MS = 10_000

/** A reason to skip, or false. */
export const withoutSshd: string | false =
  existsSync(SSHD) && existsSync('/usr/bin/virt-ssh-helper') && existsSync('/bin/nc')
    ? false
    : 'openssh-server, netcat-openbsd or virt-ssh-helper is not installed'

export interface SshServer extends AsyncDisposable {
  readonly folder: string
  /** Holds the server's key. */
  readonly knownHosts: string
  /** The private key that is let in. */
  readonly key: string
  /**
   * A URI that leads through this server.
   * @param target As `test|/default`: driver and path.
   * @param params Added to those that name the keys; `undefined` takes one away.
   */
  uri(target: string, params?: Readonly<Record<string, string | undefined>>): string
  /** What virt-ssh-helper finds the daemon by. */
  readonly helperTarget: string
  /** Ends the processes that serve connections; new ones are still accepted. */
  dropConnections(): void
}

export async function startSshServer(daemon: PrivateLibvirt): Promise<SshServer> {
  const folder = await mkdtemp(join(tmpdir(), 'sshd-'))
  const port = await freePort()
  const [hostKey, key, knownHosts] = [join(folder, 'host'), join(folder, 'user'), join(folder, 'known_hosts')]
  for (const file of [hostKey, key]) makeKey(file)
  await writeFile(knownHosts, `[127.0.0.1]:${port} ${readFileSync(`${hostKey}.pub`, 'utf8')}`)
  const environment = Object.entries(daemon.env).filter(([name]) => name.startsWith('XDG_'))
  const settings = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile ${key}.pub`,
    'PidFile none',
    'UsePAM no',
    'StrictModes no',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    `SetEnv ${environment.map(([name, value]) => `${name}=${value}`).join(' ')}`,
  ]
  await writeFile(join(folder, 'config'), `${settings.join('\n')}\n`)
  const server = start(folder, daemon.socket)
  const stop = async () => {
    endTree(server.pid ?? 0)
    server.kill('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  }
  for (const deadline = Date.now() + START_LIMIT_MS; !(await answers(port)); await sleep(20)) {
    if (Date.now() < deadline && server.exitCode === null) continue
    const log = readFileSync(join(folder, 'log'), 'utf8')
    await stop()
    throw new Error(`sshd did not start: ${log}`)
  }
  return {
    folder,
    knownHosts,
    key,
    helperTarget: isRoot() ? 'test|/default' : 'qemu|/session',
    uri(target, params = {}) {
      const [driver, path] = target.split('|')
      const all = Object.entries({ keyfile: key, known_hosts: knownHosts, no_tty: '1', ...params })
      const query = all.flatMap(([name, value]) =>
        value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
      )
      return `${driver}+ssh://127.0.0.1:${port}${path}?${query.join('&')}`
    },
    dropConnections: () => endTree(server.pid ?? 0),
    [Symbol.asyncDispose]: stop,
  }
}

export function makeKey(file: string): void {
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file])
}

function start(folder: string, socket: string) {
  const sshd = [SSHD, '-D', '-E', join(folder, 'log'), '-f', join(folder, 'config')]
  if (!isRoot()) return spawn(SSHD, sshd.slice(1), { stdio: 'ignore' })
  const script = `
    mount -t tmpfs tmpfs /run && mkdir -p /run/sshd /run/libvirt || exit 1
    ln -s "$1" /run/libvirt/libvirt-sock; ln -s "$1-ro" /run/libvirt/libvirt-sock-ro
    ln -s "$1" "$1-ro" 2>/dev/null
    shift; exec "$@"`
  return spawn('unshare', ['--mount', '--propagation=private', 'sh', '-c', script, 'sh', socket, ...sshd], {
    stdio: 'ignore',
  })
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.on('error', () => resolve(false))
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}

/** Kills everything below a process: sshd before what it runs, so that ssh sees the connection go. */
function endTree(pid: number): void {
  endAll(childrenOf(pid))
}

function endAll(pids: readonly number[]): void {
  for (const pid of pids) {
    const below = childrenOf(pid)
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended by itself meanwhile.
    }
    endAll(below)
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

function isRoot(): boolean {
  return process.geteuid?.() === 0
}
