/**
 * How `sftp` and `rsync` reach a server: the system's OpenSSH with what ~/.ssh/config, the agent and known_hosts say. Host
 * keys are always checked and nothing is ever asked. The first call opens a connection that the others share
 * (ControlMaster). Source: ssh(1), ssh_config(5), sftp(1). Test oracle: a real sshd.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VmpkgError } from '../errors.ts'
import type { Processes } from '../ports.ts'
import type { SshPlace } from './target-location.ts'

export interface SshConnection extends AsyncDisposable {
  /** For `ssh`, `sftp` and what runs them. */
  readonly options: readonly string[]
  /** `[user@]host`. */
  readonly destination: string
}

/** Seconds that a connection outlives a vmpkg that was killed. */
const PERSIST_S = 60

export async function openSshConnection(place: SshPlace, processes: Processes): Promise<SshConnection> {
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-ssh-'))
  const host = place.host.replaceAll(/[[\]]/g, '')
  const destination = place.user === undefined ? host : `${place.user}@${host}`
  const control = join(folder, 'c')
  const settings = [
    'BatchMode=yes',
    'LogLevel=ERROR',
    'StrictHostKeyChecking=yes',
    'ConnectTimeout=20',
    'ServerAliveInterval=15',
    'ControlMaster=auto',
    `ControlPath=${control}`,
    `ControlPersist=${PERSIST_S}`,
    'ForwardAgent=no',
    'ForwardX11=no',
    'ClearAllForwardings=yes',
    ...(place.port === undefined ? [] : [`Port=${place.port}`]),
    ...(place.keyfile === undefined ? [] : [`IdentityFile=${quote(place.keyfile)}`, 'IdentitiesOnly=yes']),
    ...(place.knownHosts === undefined ? [] : [`UserKnownHostsFile=${quote(place.knownHosts)}`]),
  ]
  return {
    options: settings.map((setting) => `-o${setting}`),
    destination,
    async [Symbol.asyncDispose]() {
      // There is none where nothing was done yet.
      await processes.run('ssh', ['-q', `-oControlPath=${control}`, '-O', 'exit', '--', destination], {
        timeoutMs: 5000,
      })
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** As a value in ssh_config(5). */
function quote(path: string): string {
  // biome-ignore lint: control characters are what is looked for
  if (!/["'\\%\u0000-\u001f]/.test(path)) return `"${path}"`
  throw new VmpkgError('USAGE', `${JSON.stringify(path)} cannot be given to ssh`, {
    hint: 'Name a file without quotes, backslashes and percent signs.',
  })
}
