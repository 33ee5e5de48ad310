/** Real servers that a publisher uploads to, on the loopback interface: OpenSSH's sshd with sftp, and an rsync daemon. */
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startDaemon } from './daemon.ts'
import { freePort } from './free-port.ts'
import { makeKey } from './ssh-server.ts'

const SSHD = '/usr/sbin/sshd'

export const withoutTransfer: string | false =
  existsSync(SSHD) && existsSync('/usr/bin/sftp') && existsSync('/usr/bin/rsync')
    ? false
    : 'openssh-server, openssh-client or rsync is not installed'

export interface TransferServer extends AsyncDisposable {
  /** Address of a folder of this host on the server, as a publisher writes it. */
  address(scheme: 'sftp' | 'rsync+ssh', folder: string, changes?: Readonly<Record<string, string>>): string
}

/** @param work an empty folder for keys, settings and log */
export async function startSftpServer(work: string): Promise<TransferServer> {
  const port = await freePort()
  await mkdir(work, { recursive: true })
  const [hostKey, key, knownHosts, log] = ['host', 'user', 'known_hosts', 'log'].map((name) => join(work, name))
  for (const file of [hostKey, key]) makeKey(file ?? '')
  await writeFile(knownHosts ?? '', `[127.0.0.1]:${port} ${readFileSync(`${hostKey}.pub`, 'utf8')}`)
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
    'MaxStartups 200',
    'MaxSessions 200',
    'Subsystem sftp internal-sftp',
  ]
  await writeFile(join(work, 'config'), `${settings.join('\n')}\n`)
  const sshd = [SSHD, '-D', '-E', log ?? '', '-f', join(work, 'config')]
  // As root sshd wants a folder below /run, which is then one of its own.
  const script = 'mount -t tmpfs tmpfs /run && mkdir -p /run/sshd && exec "$@"'
  const words = ['unshare', '--mount', '--propagation=private', 'sh', '-c', script, 'sh', ...sshd]
  const daemon = await startDaemon(process.geteuid?.() === 0 ? words : sshd, port, () =>
    readFileSync(log ?? '', 'utf8'),
  )
  return {
    address(scheme, folder, changes = {}) {
      const query = new URLSearchParams({ keyfile: key ?? '', known_hosts: knownHosts ?? '', ...changes })
      return `${scheme}://127.0.0.1:${port}${folder}?${query.toString()}`
    },
    [Symbol.asyncDispose]: async () => daemon[Symbol.asyncDispose](),
  }
}

export interface RsyncDaemon extends AsyncDisposable {
  /** Of the module; the daemon asks for `password`. */
  readonly address: string
  readonly password: string
}

/** A daemon whose one module is `folder`. */
export async function startRsyncDaemon(work: string, folder: string): Promise<RsyncDaemon> {
  const port = await freePort()
  await mkdir(work, { recursive: true })
  const log = join(work, 'log')
  const ids = process.geteuid?.() === 0 ? ['uid = root', 'gid = root'] : []
  const settings = [
    ...ids,
    'use chroot = no',
    `log file = ${log}`,
    '[registry]',
    `path = ${folder}`,
    'read only = no',
    'auth users = publisher',
    `secrets file = ${join(work, 'secrets')}`,
  ]
  await writeFile(join(work, 'config'), `${settings.join('\n')}\n`)
  await writeFile(join(work, 'secrets'), 'publisher:only for tests\n', { mode: 0o600 })
  const words = ['rsync', '--daemon', '--no-detach', '--address=127.0.0.1', `--port=${port}`]
  const daemon = await startDaemon([...words, `--config=${join(work, 'config')}`], port, () =>
    existsSync(log) ? readFileSync(log, 'utf8') : '',
  )
  return {
    address: `rsync://publisher@127.0.0.1:${port}/registry`,
    password: 'only for tests',
    [Symbol.asyncDispose]: async () => daemon[Symbol.asyncDispose](),
  }
}
