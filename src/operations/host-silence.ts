/**
 * Keeps the host off the bridges of vmpkg's networks: no LAN of a router without the rules that make the host silent there
 * (decisions 16). What is to be follows from the networks that are up, so one step serves whoever brings one up, takes one
 * down, or finds rules gone, and a command that was killed leaves nothing that the next one does not put right.
 */
import { listOwnNetworks, type OwnNetwork } from '../domain/inventory.ts'
import { reloadPortFilters, removePortFilters, setPortFilters } from '../domain/port-filters.ts'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import { type BridgeHost, findSilenceFaults, listPortChains, setSilence } from '../host/silence.ts'
import type { OwnBridges } from '../host/silence-rules.ts'
import { checkTools } from '../host/tools.ts'
import type { Connect } from '../libvirt/connect.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { findElement, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { findBridgeHost, type KnownBridge } from './bridge-host.ts'
import { isSession } from './connection-name.ts'
import { type LanPort, readLanPorts } from './lan-ports.ts'
import { tidySockets } from './session-mode.ts'
import type { Workspace } from './workspace.ts'

/** Before anything is made that needs it. @throws {VmpkgError} `HOST_RULES_FAILED` `TOOL_MISSING` */
export async function requireSilence(workspace: Workspace, connect: Connect): Promise<void> {
  if (isSession(workspace.connectionName)) return // there is no bridge to be silent on
  await findBridgeHost(workspace, [])
  await checkTools(['nft'])
  await ensureFilters(connect)
}

async function ensureFilters(connect: Connect): Promise<boolean> {
  try {
    return await setPortFilters(connect)
  } catch (cause) {
    if (!(cause instanceof LibvirtError)) throw cause
    throw new VmpkgError('HOST_RULES_FAILED', `libvirt takes no network filters: ${cause.message}`, {
      hint: 'Install its network filter driver: apt-get install libvirt-daemon-driver-nwfilter (Debian 13), iptables.',
      cause,
    })
  }
}

/**
 * To be called whenever a network of vmpkg may have come up, before a port on it does. Cheap where all holds.
 * @returns true where something had to be set
 * @throws {VmpkgError} `HOST_RULES_FAILED` `TOOL_MISSING` where the rules cannot be set or do not hold
 */
export async function ensureSilence(workspace: Workspace, connect: Connect): Promise<boolean> {
  const { bridges, known } = await readBridges(connect)
  if (known.length === 0) return false
  const filters = await ensureFilters(connect)
  const host = await findBridgeHost(workspace, known)
  const rules = await setSilence(host, bridges)
  const reloaded = await reloadFilters(connect, host)
  return filters || rules || reloaded
}

/** Before running machines, where somebody flushed what libvirt had loaded. */
async function reloadFilters(connect: Connect, host: BridgeHost): Promise<boolean> {
  const findMissing = async (): Promise<readonly LanPort[]> =>
    (await readLanPorts(connect, await listPortChains(host))).filter((one) => one.isFiltered && !one.isLoaded)
  if ((await findMissing()).length === 0) return false
  await reloadPortFilters(connect)
  const [still] = await findMissing()
  if (still === undefined) return true
  throw new VmpkgError('HOST_RULES_FAILED', `The filter before ${still.machine} on ${still.network} is not loaded`, {
    hint: 'Somebody flushed the rules of ebtables: restart libvirt’s daemon, which loads them again.',
  })
}

/** What does not hold, in words, without changing anything. @throws {VmpkgError} as `ensureSilence` */
export async function checkSilence(workspace: Workspace, connect: Connect): Promise<readonly string[]> {
  const { bridges, known } = await readBridges(connect)
  if (known.length === 0) return []
  return findSilenceFaults(await findBridgeHost(workspace, known), bridges)
}

/** After networks went: their rules go, and with the last of them everything of ours. */
export async function tidySilence(workspace: Workspace, connect: Connect): Promise<void> {
  if (isSession(workspace.connectionName)) return tidySockets(workspace, connect)
  const { bridges, known, all } = await readBridges(connect)
  if (all === 0) await removePortFilters(connect)
  try {
    await setSilence(await findBridgeHost(workspace, known), bridges)
  } catch (error) {
    // What is left names bridges that are gone, and is in nobody's way; those that are up have what they had.
    if (!isVmpkgError(error, 'HOST_RULES_FAILED') && !isVmpkgError(error, 'TOOL_MISSING')) throw error
  }
}

async function readBridges(
  connect: Connect,
): Promise<{ readonly bridges: OwnBridges; readonly known: readonly KnownBridge[]; readonly all: number }> {
  const own = await listOwnNetworks(connect)
  const active: OwnNetwork[] = []
  for (const one of own) if (await one.network.isActive()) active.push(one)
  const read = active.flatMap(({ xml, facts }) => {
    const { root } = parseXml(xml)
    const at = (path: string, name: string): string | undefined => {
      const element = findElement(root, path)
      return element && getAttribute(element, name)
    }
    const bridge = at('bridge', 'name')
    if (bridge === undefined) return [] // an uplink on the host's own network makes none
    return [{ bridge, mac: at('mac', 'address')?.toLowerCase(), address: at('ip', 'address'), role: facts.role }]
  })
  const uplinks = read.flatMap(({ bridge, address, role }) =>
    role === 'lan' || address === undefined ? [] : [{ bridge, address }],
  )
  const lans = read.filter(({ role }) => role === 'lan').map(({ bridge }) => bridge)
  const known = read.filter(({ bridge }) => lans.includes(bridge) || uplinks.some((one) => one.bridge === bridge))
  return {
    bridges: { lans: lans.toSorted(), uplinks: uplinks.toSorted((a, b) => (a.bridge < b.bridge ? -1 : 1)) },
    known: known.map(({ bridge, mac }) => ({ name: bridge, mac })),
    all: own.length,
  }
}
