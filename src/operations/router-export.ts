/** The policy of a router that is defined here as files of Shorewall, for a machine that keeps Shorewall instead of our guest. */
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { getMachine, listOwnNetworks } from '../domain/inventory.ts'
import { makeFolder, replaceFile } from '../durable-file.ts'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { formatSubnet, overlaps, parseSubnet } from '../model/subnet.ts'
import { planPlace } from '../router/plan.ts'
import { renderShorewall, type ShorewallPolicy } from '../router/shorewall.ts'
import { readLowers } from './upper.ts'
import type { Workspace } from './workspace.ts'

export interface ShorewallRequest {
  readonly router: string
  readonly folder: string
  /** Names of the network devices there. */
  readonly devices: { readonly wan: string; readonly lan: string; readonly tunnel: string }
  /** A subnet on the WAN's side that gets a zone of its own. */
  readonly house: string | undefined
  /** Write into a folder that has something in it; what has another name stays. */
  readonly force: boolean
  readonly dryRun: boolean
}

export interface ShorewallExport {
  readonly router: string
  readonly folder: string
  readonly files: readonly { readonly name: string; readonly text: string }[]
}

/**
 * Each file is whole or not there; nothing is written where something is wrong.
 * @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `NETWORK_UNAVAILABLE` `PARAMETER_INVALID`; `USAGE` for what is no
 * router, a layer that Shorewall has no words for, and a folder that is not empty
 */
export async function exportShorewall(workspace: Workspace, request: ShorewallRequest): Promise<ShorewallExport> {
  const policy = await readPolicy(workspace, request)
  const files = [...renderShorewall(policy)].map(([name, text]) => ({ name, text }))
  const folder = resolve(workspace.folder, request.folder)
  if (!request.force && !(await isEmpty(folder))) {
    throw new VmpkgError('USAGE', `${JSON.stringify(folder)} is not an empty folder`, {
      hint: 'Choose another folder, or write into this one with --force: files of the same names are replaced.',
    })
  }
  if (!request.dryRun) {
    await makeFolder(folder)
    for (const { name, text } of files) await replaceFile(join(folder, name), text)
  }
  return { router: request.router, folder, files }
}

async function readPolicy(
  workspace: Workspace,
  { router, devices, house }: ShorewallRequest,
): Promise<ShorewallPolicy> {
  const connect = await workspace.connect()
  const machine = await getMachine(connect, router)
  const { kind, layer, instance, endpoints = [] } = machine.facts
  if (kind !== 'router' || instance === undefined) throw new VmpkgError('USAGE', `${router} is not a router`)
  if (layer !== 'uni' && layer !== 'gal') {
    throw new VmpkgError('USAGE', `${router} is of layer ${layer ?? 'none'}: its policy has no words in Shorewall`, {
      hint: 'Routers of the layers uni and gal can be exported.',
    })
  }
  const network = (await listOwnNetworks(connect)).find(({ name, facts }) => name === instance && facts.role === 'lan')
  if (network === undefined) {
    throw new VmpkgError('NETWORK_UNAVAILABLE', `The LAN ${instance} of ${router} is gone`, {
      hint: 'vmpkg verify --fix brings back what is missing.',
    })
  }
  const { cidr } = network.facts
  const lowers = await readLowers(connect, machine)
  return {
    wan: { device: devices.wan },
    lan: { device: devices.lan, cidr, address: planPlace(instance, cidr, []).gateway },
    lowers: lowers.map(({ wanAddress, endpoints: own, reach }) => ({
      address: wanAddress,
      endpoints: own,
      ...(reach === undefined ? {} : { reach }),
    })),
    ...(layer === 'gal' ? { tunnel: { device: devices.tunnel, endpoints } } : {}),
    ...(house === undefined ? {} : { house: verifyHouse(house, { layer, cidr }) }),
  }
}

/** Behind a tunnel the house would be a way around it. */
function verifyHouse(house: string, { layer, cidr }: { readonly layer: string; readonly cidr: string }): string {
  const refuse = (why: string): VmpkgError =>
    new VmpkgError('USAGE', `--house ${house}: ${why}`, {
      hint: 'Leave it out, or name the network on the WAN’s side.',
    })
  if (layer !== 'uni') throw refuse('a router behind another has no house on its WAN’s side')
  const subnet = parseSubnet(house)
  if (overlaps(subnet, parseSubnet(cidr))) throw refuse(`this is the router’s own LAN, ${cidr}`)
  return formatSubnet(subnet)
}

/** One that is not there is, too. */
async function isEmpty(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).length === 0
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return true
    if (systemErrorCode(error) === 'ENOTDIR') return false
    throw error
  }
}
