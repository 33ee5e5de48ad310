/** The private hosts of this root: start, stop, list, look inside. */
import { VmpkgError } from '../errors.ts'
import {
  findPrivateHost,
  listPrivateHosts,
  type PrivateHost,
  UPLINKS,
  type Uplink,
} from '../host/private-host-record.ts'
import { privateHostPrefix } from '../host/private-host-run.ts'
import { startPrivateHost } from '../host/private-host-start.ts'
import { stopPrivateHost } from '../host/private-host-stop.ts'
import { preparePrivateFolders, privateFolders, supervisorOf } from './connection.ts'
import { privateHostName } from './connection-name.ts'
import { probeHere } from './kvm.ts'
import type { Workspace } from './workspace.ts'

const DEFAULT_NAME = 'default'

export interface HostRow {
  readonly name: string
  readonly state: string
  readonly pid: string
  readonly uri: string
}

/** @throws {VmpkgError} `PRIVATE_HOST_FAILED` `TOOL_MISSING` `NAME_INVALID` `USAGE` */
export async function startHost(
  workspace: Workspace,
  { name, uplink }: { readonly name: string | undefined; readonly uplink: string | undefined },
): Promise<{ readonly name: string; readonly uri: string; readonly pid: number; readonly hints: readonly string[] }> {
  await preparePrivateFolders(workspace)
  const { processes, emit, signal } = workspace.outside
  const own = nameOf(workspace, name)
  const host = await startPrivateHost({
    ...privateFolders(workspace),
    name: own,
    supervisor: supervisorOf(workspace, own),
    uplink: parseUplink(uplink),
    kvm: (await probeHere(workspace)).usable,
    processes,
    emit,
    signal,
  })
  return { name: host.name, uri: host.uri, pid: host.pid, hints: hintsFor(host) }
}

/** @throws {VmpkgError} `PRIVATE_HOST_FAILED` `NAME_INVALID` */
export async function stopHost(
  workspace: Workspace,
  { name, purge }: { readonly name: string | undefined; readonly purge: boolean },
): Promise<{ readonly name: string; readonly changed: boolean }> {
  const own = nameOf(workspace, name)
  const { processes } = workspace.outside
  const changed = await stopPrivateHost({ ...privateFolders(workspace), name: own, removeDurable: purge, processes })
  return { name: own, changed }
}

export async function listHosts(workspace: Workspace): Promise<readonly HostRow[]> {
  const hosts = await listPrivateHosts(privateFolders(workspace))
  return hosts.map(({ name, pid, uri }) => ({ name, state: 'running', pid: String(pid), uri }))
}

/** Runs a program, by default a shell, inside a running private host. @throws {VmpkgError} `PRIVATE_HOST_FAILED` */
export async function runInHost(
  workspace: Workspace,
  { name, program }: { readonly name: string | undefined; readonly program: readonly string[] },
): Promise<number> {
  const own = nameOf(workspace, name)
  const host = await findPrivateHost(own, privateFolders(workspace))
  if (host === undefined) {
    throw new VmpkgError('PRIVATE_HOST_FAILED', `Private host ${own} is not running`, {
      hint: `vmpkg host private start ${own}`,
    })
  }
  const [command, ...prefix] = privateHostPrefix(host)
  const words = program.length > 0 ? program : [workspace.env['SHELL'] ?? '/bin/sh']
  return workspace.outside.terminal.attach(command, [...prefix, ...words], {})
}

/** The name given, else that of `--connect private:NAME`, else the default one. */
function nameOf(workspace: Workspace, name: string | undefined): string {
  return name ?? privateHostName(workspace.connectionName) ?? DEFAULT_NAME
}

function parseUplink(text: string | undefined): Uplink {
  const found = UPLINKS.find((uplink) => uplink === (text ?? 'none'))
  if (found !== undefined) return found
  throw new VmpkgError('USAGE', `No such uplink: ${JSON.stringify(text?.slice(0, 40))}`, {
    hint: `Choose one of ${UPLINKS.join(', ')}.`,
  })
}

function hintsFor({ name, uri }: PrivateHost): readonly string[] {
  return [
    `Private host ${name} is running.`,
    `  virsh -c '${uri}' list --all`,
    `  virt-manager -c '${uri}'`,
    `  vmpkg host private shell ${name}`,
  ]
}
