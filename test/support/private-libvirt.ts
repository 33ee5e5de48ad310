/**
 * A session libvirtd of its own in a temporary folder, for tests: `qemu:///session` and `test:///default`.
 * As root it runs as `nobody` in a mount namespace where /dev/kvm is open to it (libvirt probes QEMU again for every
 * domain when the device is there and closed); as any other user it runs directly. `stop()` ends the daemon and every
 * process that has its folder in its environment or command line, then removes the folder.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const DAEMON = '/usr/sbin/libvirtd'
const NOBODY = 65_534
const START_LIMIT_MS = 10_000

/** A reason to skip, or false: what the tests against a real daemon need. */
export const withoutLibvirt: string | false =
  existsSync(DAEMON) && existsSync('/usr/bin/qemu-system-x86_64') ? false : 'libvirtd and QEMU are not installed'

export interface PrivateLibvirt extends AsyncDisposable {
  readonly folder: string
  readonly socket: string
  /** The environment that makes a client find this daemon by itself. */
  readonly env: Readonly<Record<string, string>>
  /** The URI with the socket in it. */
  uri(name?: string): string
  /** A folder of the daemon's user. */
  makeFolder(name: string): Promise<string>
  /** Writes a file of the daemon's user; returns its path. */
  makeFile(path: string, content: Uint8Array): Promise<string>
  /** Ends the daemon at once; its guests live on until `stop`. */
  kill(): Promise<void>
  /** Starts a daemon again in the same folders, after `kill`. */
  restart(): Promise<void>
  stop(): Promise<void>
}

export interface DaemonOptions {
  /** The daemon to start; `virtqemud` is one too. */
  readonly program?: string
  /** Folders made by `makePlace` and filled by the test; `stop` removes them. */
  readonly place?: Place
  /** The text of its configuration file, libvirtd.conf. */
  readonly config?: string
  readonly args?: readonly string[]
}

export async function startPrivateLibvirt(options: DaemonOptions = {}): Promise<PrivateLibvirt> {
  const place = options.place ?? (await makePlace())
  const program = options.program ?? DAEMON
  const daemonName = basename(program)
  const socketName = daemonName === 'libvirtd' ? 'libvirt-sock' : `${daemonName}-sock`
  const socket = join(place.env['XDG_RUNTIME_DIR'] ?? '', 'libvirt', socketName)
  const config = join(place.env['XDG_CONFIG_HOME'] ?? '', 'libvirt', `${daemonName}.conf`)
  if (options.config !== undefined) await writeFile(config, options.config)
  let daemon: ChildProcess
  const stop = async () => {
    daemon.kill('SIGKILL')
    await removePlace(place.folder)
  }
  const start = async () => {
    daemon = startDaemon(place, program, options.args ?? [])
    for (const deadline = Date.now() + START_LIMIT_MS; !(await answers(socket)); await sleep(20))
      if (Date.now() > deadline || daemon.exitCode !== null) throw new Error(`the private ${daemonName} did not start`)
  }
  try {
    await start()
  } catch (error) {
    await stop()
    throw error
  }
  return {
    ...place,
    socket,
    uri: (name = 'qemu:///session') => `${name}?socket=${socket}`,
    makeFolder: (name) => makeFolder(place.folder, name),
    makeFile: async (path, content) => {
      await writeFile(path, content)
      await own(path, 0o600)
      return path
    },
    kill: async () => {
      const ended = new Promise((resolve) => daemon.once('exit', resolve))
      daemon.kill('SIGKILL')
      await ended
    },
    restart: start,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** A daemon that was killed leaves its socket behind: only a connection tells. */
function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const client = connect({ path: socket })
    client.once('error', () => resolve(false))
    client.once('connect', () => {
      client.destroy()
      resolve(true)
    })
  })
}

export interface Place {
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
}

/** The folders of a session that nothing else uses, without a daemon. */
export async function makePlace(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'vl-'))
  await own(folder, 0o755)
  const [runtime, config, cache, data] = await Promise.all(['r', 'c', 'k', 'd'].map((name) => makeFolder(folder, name)))
  await makeFolder(folder, 'c/libvirt')
  await writeFile(join(folder, 'c/libvirt/qemu.conf'), 'stdio_handler = "file"\n')
  if (isRoot()) {
    execFileSync('mknod', ['-m', '666', join(folder, 'kvm'), 'c', '10', '232'])
  }
  const env = {
    PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: folder,
    XDG_RUNTIME_DIR: runtime ?? '',
    XDG_CONFIG_HOME: config ?? '',
    XDG_CACHE_HOME: cache ?? '',
    XDG_DATA_HOME: data ?? '',
  }
  return { folder, env }
}

/** Ends what runs in a place and removes it. */
export async function removePlace(folder: string): Promise<void> {
  for (let round = 0; round < 50 && endProcessesOf(folder) > 0; round++) await sleep(50)
  await rm(folder, { recursive: true, force: true })
}

function startDaemon(place: Place, program: string, args: readonly string[]): ChildProcess {
  const options = { cwd: '/', env: place.env, stdio: 'ignore' as const }
  if (!isRoot()) return spawn(program, args, options)
  const script = 'if [ -e /dev/kvm ]; then mount --bind "$1" /dev/kvm; fi; shift; exec "$@"'
  const unprivileged = [
    'setpriv',
    `--reuid=${NOBODY}`,
    `--regid=${NOBODY}`,
    '--clear-groups',
    '--pdeathsig=KILL',
    program,
    ...args,
  ]
  const inside = ['sh', '-c', script, 'sh', join(place.folder, 'kvm'), ...unprivileged]
  return spawn('/usr/bin/unshare', ['--mount', '--propagation=private', ...inside], options)
}

async function makeFolder(folder: string, name: string): Promise<string> {
  const path = join(folder, name)
  await mkdir(path)
  await own(path, 0o700)
  return path
}

async function own(path: string, mode: number): Promise<void> {
  await chmod(path, mode)
  if (isRoot()) await chown(path, NOBODY, NOBODY)
}

/** Kills every process that names the folder; returns how many there were. */
function endProcessesOf(folder: string): number {
  let found = 0
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    if (!names(`/proc/${pid}/environ`, folder) && !names(`/proc/${pid}/cmdline`, folder)) continue
    found++
    try {
      process.kill(Number(pid), 'SIGKILL')
    } catch {
      // It ended by itself meanwhile.
    }
  }
  return found
}

function names(file: string, folder: string): boolean {
  try {
    return readFileSync(file, 'utf8').includes(`${folder}/`)
  } catch {
    return false
  }
}

function isRoot(): boolean {
  return process.geteuid?.() === 0
}
