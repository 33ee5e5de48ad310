/**
 * `ssh` and `ssh-config`: OpenSSH's client on this host, whose connection is a channel of the machine. The server's key comes
 * by the guest's agent, and the client's key is let in by it: whoever may use the connection may do so anyway. Each machine
 * has a key of its own, so that two of them cannot tell that they are on one host; it lies in the runtime folder.
 */
import { existsSync } from 'node:fs'
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { type ClientKey, openGuestSsh, prepareGuestSsh } from '../domain/guest-ssh.ts'
import { getMachine, type Machine } from '../domain/inventory.ts'
import { renameDurably, syncFolder } from '../durable-file.ts'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { sha256 } from '../model/digest.ts'
import type { RunResult } from '../ports.ts'
import { prepareFolder } from '../state/folders.ts'
import { readOwnIdentity } from '../state/process-identity.ts'
import { openGuest, requireUser } from './exec.ts'
import { writeOutput } from './output-file.ts'
import type { Workspace } from './workspace.ts'

const KEY_BYTES = 4096

export interface SshTarget {
  readonly machine: string
  /** Of the guest; its root without. */
  readonly user: string | undefined
}

export interface SshRequest extends SshTarget {
  /** For a shell in the guest, as ssh passes it on; none: the user's own shell. */
  readonly command: readonly string[]
  readonly terminal: boolean
  /** As `-L` of ssh takes them. */
  readonly forwards: readonly string[]
}

interface SshFiles {
  readonly key: string
  readonly knownHosts: string
}

/** Hands the terminal to ssh. @returns its exit status. @throws {VmpkgError} as `prepareSsh` */
export async function openSsh(workspace: Workspace, request: SshRequest): Promise<number> {
  const args = await sshArguments(workspace, request)
  return workspace.outside.terminal.attach('ssh', args, {})
}

/** With its output, and no input. @throws {VmpkgError} as `prepareSsh` */
export async function captureSsh(workspace: Workspace, request: SshRequest): Promise<RunResult> {
  const { processes, signal } = workspace.outside
  return processes.run('ssh', await sshArguments(workspace, request), { signal })
}

/**
 * The other end of one SSH connection, for `ProxyCommand`.
 * @throws {VmpkgError} as `openGuest`; `AGENT_UNAVAILABLE` `AGENT_REFUSED` `TOOL_MISSING`
 */
export async function connectSsh(workspace: Workspace, name: string): Promise<Duplex> {
  const { domain } = await openGuest(workspace, name)
  const files = filesOf(workspace, domain.uuid)
  const key = await ensureKey(workspace, domain.uuid, files)
  const hostKey = await prepareGuestSsh(domain, key, workspace.outside.signal)
  // Before the server says a word, and ssh reads it only after.
  await writeOutput({ target: files.knownHosts, replace: true, mode: 0o600 }, async (temporary) =>
    writeFile(temporary, `${aliasOf(domain.uuid)} ${hostKey}\n`, { mode: 0o600 }),
  )
  return openGuestSsh(domain, key, workspace.outside)
}

/**
 * An entry for `~/.ssh/config`: scp, sftp, rsync and editors take it.
 * @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `AGENT_UNAVAILABLE` for a router, `USAGE`
 */
export async function sshConfig(
  workspace: Workspace,
  { machine: name, user, alias = name }: SshTarget & { readonly alias?: string | undefined },
): Promise<string> {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(alias)) {
    throw new VmpkgError('USAGE', `${JSON.stringify(alias.slice(0, 80))} is no name for a host`, {
      hint: 'Letters, digits, dots, hyphens and underscores.',
    })
  }
  const machine = await getSshMachine(workspace, { machine: name, user })
  const settings = settingsOf(workspace, machine, user)
  return [`Host ${alias}`, ...settings.map(([key, value]) => `  ${key} ${value}`), ''].join('\n')
}

async function getSshMachine(workspace: Workspace, { machine: name, user }: SshTarget): Promise<Machine> {
  requireUser(user)
  const machine = await getMachine(await workspace.connect(), name)
  if (machine.facts.kind !== 'router') return machine
  throw new VmpkgError('AGENT_UNAVAILABLE', `${name} is a router: nobody logs in there`, {
    hint: `vmpkg status ${name} and vmpkg logs ${name} tell how it is.`,
  })
}

/** What has to be in order is asked before ssh is there, whose own words for it would be worse. */
async function sshArguments(workspace: Workspace, request: SshRequest): Promise<readonly string[]> {
  const { machine: name, user, command, terminal, forwards } = request
  await getSshMachine(workspace, request)
  const machine = await openGuest(workspace, name)
  const settings = settingsOf(workspace, machine, user)
  return [
    '-F',
    'none',
    ...settings.flatMap(([key, value]) => ['-o', `${key}=${value}`]),
    ...(terminal ? ['-t'] : []),
    ...forwards.flatMap((one) => ['-L', one]),
    '--',
    name,
    ...command,
  ]
}

/** Source: ssh_config(5). A guest gets nothing of the client: no agent, no display. */
function settingsOf(
  workspace: Workspace,
  { domain, name }: Pick<Machine, 'domain' | 'name'>,
  user: string | undefined,
): readonly (readonly [string, string])[] {
  const files = filesOf(workspace, domain.uuid)
  return [
    ['HostName', name],
    ['User', user ?? 'root'],
    ['ProxyCommand', proxyCommand(workspace, name)],
    ['HostKeyAlias', aliasOf(domain.uuid)],
    ['HostKeyAlgorithms', 'ssh-ed25519'],
    ['StrictHostKeyChecking', 'yes'],
    ['UserKnownHostsFile', quote(files.knownHosts)],
    ['GlobalKnownHostsFile', '/dev/null'],
    ['UpdateHostKeys', 'no'],
    ['IdentityFile', quote(files.key)],
    ['IdentitiesOnly', 'yes'],
    ['PreferredAuthentications', 'publickey'],
    ['ForwardAgent', 'no'],
    ['ForwardX11', 'no'],
    ['LogLevel', 'ERROR'],
  ]
}

/** The same vmpkg, connection and root as this run's, whatever the environment says later. ssh gives it to a shell. */
function proxyCommand({ program, connectionName, root }: Workspace, name: string): string {
  const words = [
    ...(program ?? ['vmpkg']),
    'ssh',
    '--stdio',
    '--quiet',
    '--connect',
    connectionName,
    ...(root === undefined ? [] : ['--root', root]),
    name,
  ]
  return words.map((word) => shellWord(word).replaceAll('%', '%%')).join(' ')
}

/** Source: POSIX, Shell Command Language, 2.2. */
function shellWord(text: string): string {
  return /^[\w@+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}

/** Source: ssh_config(5): quotes keep spaces together, percent signs are tokens. */
function quote(path: string): string {
  return `"${path.replaceAll('%', '%%')}"`
}

function aliasOf(uuid: string): string {
  return `vmpkg-${uuid}`
}

function filesOf({ connectionPaths }: Workspace, uuid: string): SshFiles {
  const folder = join(connectionPaths.ssh, `${uuid}.keys`)
  return { key: join(folder, 'key'), knownHosts: join(folder, 'known_hosts') }
}

/** Made beside and given its name in one step, durably: two that come at once have the same key, and none has half of one. */
async function ensureKey(workspace: Workspace, uuid: string, { key }: SshFiles): Promise<ClientKey> {
  const { connectionPaths, outside } = workspace
  if (!existsSync(key)) {
    prepareFolder(connectionPaths.ssh, 0o700)
    const { pid, startTicks } = readOwnIdentity()
    const made = await mkdtemp(join(connectionPaths.ssh, `${uuid}.new-${pid}-${startTicks}-`))
    try {
      const args = ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', join(made, 'key')]
      const { exitCode, stderr } = await outside.processes.run('ssh-keygen', args, { signal: outside.signal })
      if (exitCode !== 0) {
        throw new VmpkgError('STATE_INVALID', `ssh-keygen made no key: ${stderr.trim().slice(0, 200)}`, {
          hint: `Look at the free space of ${connectionPaths.ssh}.`,
        })
      }
      for (const name of ['key', 'key.pub']) {
        await using file = await open(join(made, name), 'r')
        await file.sync()
      }
      await syncFolder(made)
      await renameDurably(made, join(connectionPaths.ssh, `${uuid}.keys`)).catch((error: unknown) => {
        if (!['ENOTEMPTY', 'EEXIST'].includes(systemErrorCode(error) ?? '')) throw error
      })
    } finally {
      await rm(made, { recursive: true, force: true })
    }
  }
  const line = (await readFile(`${key}.pub`, 'utf8')).slice(0, KEY_BYTES).trim()
  return { line, name: sha256(Buffer.from(line)).slice(0, 32) }
}
