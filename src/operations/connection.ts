/** Opens the chosen libvirt: a URI as libvirt has them, or a private host that is started on demand. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { VmpkgError } from '../errors.ts'
import { getSystemSocket } from '../host/preflight.ts'
import { findPrivateHost, type PrivateHostFolders } from '../host/private-host-record.ts'
import { type Supervisor, startPrivateHost, waitForPrivateHost } from '../host/private-host-start.ts'
import { Connect } from '../libvirt/connect.ts'
import type { Keepalive } from '../libvirt/rpc.ts'
import { prepareConnectionFolders, prepareFolder } from '../state/folders.ts'
import { isSession, privateHostName } from './connection-name.ts'
import { probeHere } from './kvm.ts'
import type { Workspace } from './workspace.ts'

export interface Opened {
  /** What virsh takes. */
  readonly uri: string
  readonly connect: Connect
}

interface ConnectionOptions {
  readonly start: boolean
  /** How a daemon is found out that says nothing any more; without it the client's own way. */
  readonly keepalive?: Keepalive
}

/**
 * @param options.start without it a private host that does not run gives `undefined`.
 * @throws {VmpkgError} `LIBVIRT_UNREACHABLE` `PRIVATE_HOST_FAILED` `TOOL_MISSING`
 */
export async function openConnection(workspace: Workspace, options: { readonly start: true }): Promise<Opened>
export async function openConnection(workspace: Workspace, options: ConnectionOptions): Promise<Opened | undefined>
export async function openConnection(
  workspace: Workspace,
  { start, keepalive }: ConnectionOptions,
): Promise<Opened | undefined> {
  const name = privateHostName(workspace.connectionName)
  const uri = name === undefined ? workspace.connectionName : await privateUri(workspace, name, start)
  if (uri === undefined) return undefined
  if (uri === 'qemu:///system') await getSystemSocket()
  if (isSession(uri)) prepareSession(workspace, uri)
  try {
    return {
      uri,
      connect: await Connect.open(uri, { signal: workspace.outside.signal, ...(keepalive && { keepalive }) }),
    }
  } catch (cause) {
    throw new VmpkgError('LIBVIRT_UNREACHABLE', `No libvirt answers at ${uri}`, {
      hint: hintFor(uri),
      cause,
      details: { uri },
    })
  }
}

/** @throws {VmpkgError} `LIBVIRT_UNREACHABLE` for root, which has no session libvirt but one whose socket is named */
function prepareSession(workspace: Workspace, uri: string): void {
  if (workspace.isRoot && !/[?&]socket=/.test(uri)) {
    throw new VmpkgError('LIBVIRT_UNREACHABLE', `Root has no libvirt at ${uri}`, {
      hint: 'Use --connect qemu:///system, or run it as an ordinary user.',
      details: { uri },
    })
  }
  if (workspace.connectionReason !== 'namespaces-closed' || existsSync(workspace.connectionPaths.folder)) return
  const message =
    'You may not use the system’s libvirt, and this kernel makes no namespaces for you, so this runs on your session’s libvirt, which promises less: vmpkg status says what (--connect chooses)'
  workspace.outside.emit({ type: 'noted', message })
  prepareConnectionFolders(workspace.connectionPaths, { isRoot: false }) // by them it is known that this was said
}

export function privateFolders(workspace: Workspace): PrivateHostFolders {
  return { durableDir: join(workspace.paths.state, 'private'), runtimeDir: join(workspace.paths.runtime, 'private') }
}

async function privateUri(workspace: Workspace, name: string, start: boolean): Promise<string | undefined> {
  const folders = privateFolders(workspace)
  const found = await findPrivateHost(name, folders)
  if (found === undefined && !start) return undefined
  await preparePrivateFolders(workspace)
  const { processes, emit, signal } = workspace.outside
  // It may just be ending: whoever only looks must not start it anew.
  if (found !== undefined && !start) return (await waitForPrivateHost(found, { ...folders, signal })).uri
  if (found === undefined && workspace.connectionReason === 'system-closed') {
    const message =
      'You may not use the system’s libvirt, so this runs on a private host of your own (--connect chooses)'
    emit({ type: 'noted', message })
  }
  const kvm = found === undefined && (await probeHere(workspace)).usable
  // A host that was found may still be starting: startPrivateHost waits for it.
  const uplink = found?.uplink ?? 'none'
  const supervisor = supervisorOf(workspace, name)
  return (await startPrivateHost({ ...folders, name, kvm, uplink, supervisor, processes, emit, signal })).uri
}

/** What tells a vmpkg where the state of its user is. */
const PLACES = ['XDG_CONFIG_HOME', 'XDG_STATE_HOME', 'XDG_DATA_HOME', 'XDG_CACHE_HOME', 'XDG_RUNTIME_DIR']

/** None with `VMPKG_SUPERVISOR=off`, and none for a library that is no program. */
export function supervisorOf(
  { env, home, program, root }: Pick<Workspace, 'env' | 'home' | 'program' | 'root'>,
  name: string,
): Supervisor | undefined {
  if (program === undefined || env['VMPKG_SUPERVISOR'] === 'off') return undefined
  const own: Record<string, string> = { HOME: home, ...(root === undefined ? {} : { VMPKG_ROOT: root }) }
  for (const place of PLACES) {
    const value = env[place]
    if (value !== undefined) own[place] = value
  }
  return { program, connection: `private:${name}`, env: own }
}

export async function preparePrivateFolders(workspace: Workspace): Promise<void> {
  const { durableDir, runtimeDir } = privateFolders(workspace)
  prepareFolder(durableDir, 0o700)
  prepareFolder(runtimeDir, 0o700)
}

function hintFor(uri: string): string {
  if (uri.startsWith('qemu:///system')) {
    return 'Start it (systemctl start libvirtd) or join its group (usermod -aG libvirt USER, then log in again); --connect private needs neither.'
  }
  if (/\+ssh:/.test(uri)) return 'Check that ssh reaches that host without a question, and that libvirt runs there.'
  return 'Check the address; --connect private starts a libvirt of your own.'
}
