/** Where the bridges of a connection's libvirt are, and whether this process may set rules there. */
import { readFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { VmpkgError } from '../errors.ts'
import { findPrivateHost, type PrivateHost } from '../host/private-host-record.ts'
import { privateHostPrefix } from '../host/private-host-run.ts'
import type { BridgeHost } from '../host/silence.ts'
import { privateFolders } from './connection.ts'
import { isLocal, privateHostName } from './connection-name.ts'
import type { Workspace } from './workspace.ts'

/** A bridge that an active network of vmpkg has, with the MAC that its network gave it. */
export interface KnownBridge {
  readonly name: string
  readonly mac: string | undefined
}

/** @throws {VmpkgError} `HOST_RULES_FAILED` with the reason where no rules can be set */
export async function findBridgeHost(workspace: Workspace, bridges: readonly KnownBridge[]): Promise<BridgeHost> {
  const { connectionName, isRoot } = workspace
  const { processes } = workspace.outside
  const inside = await findPrivate(workspace)
  if (inside !== undefined) return { processes, prefix: privateHostPrefix(inside) }
  if (privateHostName(connectionName) !== undefined) throw refused('its private host does not run')
  if (!isLocal(connectionName)) {
    throw refused(`${connectionName} is another machine, where vmpkg can set no rules`, 'Run vmpkg on that machine.')
  }
  if (!isRoot) throw refused('only root may set rules beside the system’s libvirt')
  for (const { name, mac } of bridges) {
    const own = await readFile(`/sys/class/net/${name}/address`, 'utf8').catch(() => undefined)
    if (own === undefined || (mac !== undefined && own.trim() !== mac)) {
      throw refused(
        `the bridge ${name} of ${connectionName} is not in the network of this process`,
        'Run vmpkg where libvirt’s daemon runs, not in a container beside it.',
      )
    }
  }
  return { processes, prefix: [] }
}

/** By its name, or by the folder of its socket, which any libvirt client may be given. */
async function findPrivate(workspace: Workspace): Promise<PrivateHost | undefined> {
  const { connectionName } = workspace
  const name = privateHostName(connectionName)
  if (name !== undefined) return findPrivateHost(name, privateFolders(workspace))
  const socket = /^qemu\+unix:\/\/\/system\?(?:.*&)?socket=([^&]+)/.exec(connectionName)?.[1]
  if (socket === undefined) return undefined
  const folder = dirname(decodeURIComponent(socket))
  if (!/^[a-z0-9][a-z0-9-]{0,31}$/.test(basename(folder))) return undefined
  return findPrivateHost(basename(folder), { runtimeDir: dirname(folder) })
}

function refused(reason: string, hint?: string): VmpkgError {
  return new VmpkgError('HOST_RULES_FAILED', `This host cannot be kept off the LANs of routers: ${reason}`, {
    hint: hint ?? 'Run it as root on that host, or with --connect private.',
  })
}
