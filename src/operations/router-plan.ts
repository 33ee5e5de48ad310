/** What a new router is to be: its cards, its LAN, where needed an uplink network, its identity; nothing is changed. */
import { newIdentity, newMac, newUuid } from '../domain/identity.ts'
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { planLan } from '../router/plan.ts'
import { isSession } from './connection-name.ts'
import type { NetworkPlan, RouterPlan, RouterRequest } from './router-definition.ts'
import { planPort } from './session-mode.ts'
import { readTaken } from './taken.ts'
import { planWanOf } from './uplink.ts'
import type { Workspace } from './workspace.ts'

export interface NewRouter {
  readonly uuid: string
  readonly plan: RouterPlan
  /** Those that are to be defined, the uplink first. */
  readonly networks: readonly NetworkPlan[]
}

/** @throws {VmpkgError} `MANIFEST_INVALID` `ADDRESS_UNAVAILABLE` `NETWORK_UNAVAILABLE` `NETWORK_EXISTS` `HOST_UNSUPPORTED` */
export async function planRouter(
  workspace: Workspace,
  connect: Connect,
  { pkg: { line, manifest }, parameters }: Pick<RouterRequest, 'pkg' | 'parameters'>,
): Promise<NewRouter> {
  const { randomness } = workspace.outside
  const { layer } = manifest
  if (layer === undefined) throw new VmpkgError('MANIFEST_INVALID', `${line.name} is a router without a layer`)
  const taken = await readTaken(workspace, connect)
  const lan = planLan(layer, taken)
  const wan = await planWanOf(
    workspace,
    connect,
    { line, manifest, parameters },
    {
      ...taken,
      subnets: [...taken.subnets, lan.cidr],
    },
  )
  const { instance, bridge, cidr } = lan
  const networks: readonly NetworkPlan[] = [
    ...(wan.define === undefined ? [] : [{ role: 'uplink', ...wan.define } as const]),
    { role: 'lan', cidr, network: { name: instance, uuid: newUuid(randomness), bridge, mac: newMac(randomness) } },
  ]
  const { uuid, machineId } = newIdentity(line.name, randomness)
  const isJoined = isSession(workspace.connectionName)
  const plan: RouterPlan = {
    hostname: line.name,
    machineId,
    layer,
    lan,
    wanNic: {
      role: 'wan',
      ...wan.nic,
      link: 'up',
      isolated: wan.place !== undefined,
      ...(isJoined && wan.place !== undefined ? { port: await planPort(connect, wan.place.net) } : {}),
    },
    lanNic: {
      role: 'lan',
      mac: newMac(randomness),
      network: instance,
      link: 'down',
      isolated: false,
      ...(isJoined ? { port: 0 } : {}),
    },
    ...(wan.place === undefined ? {} : { wan: wan.place }),
  }
  return { uuid, plan, networks }
}
