/**
 * Who a machine is that was made of another one, by a restore under a new name or by a copy: cards with addresses that nobody
 * has, and a configuration medium with a host name, a machine id and a seed of its own.
 */
import { readCards } from '../domain/cards.ts'
import { newIdentity, newMac } from '../domain/identity.ts'
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { clientAddress } from '../model/lan-address.ts'
import type { DomainFacts } from '../model/libvirt-facts.ts'
import type { NicContext } from '../model/template-context.ts'
import type { RestoredIdentity } from '../render/restored.ts'
import { listSocketCards } from '../render/socket-cards.ts'
import { planClone } from './clone-plan.ts'
import { machineFiles } from './machine-files.ts'
import { loadPackage } from './package-store.ts'
import { planClientMac } from './plan-card.ts'
import { readLans } from './read-lans.ts'
import { renderGuestFiles } from './render-machine.ts'
import { planPort } from './session-mode.ts'
import type { Workspace } from './workspace.ts'

export interface OtherMachine {
  readonly identity: RestoredIdentity
  /** Of a machine that has one. */
  readonly medium?: ReadonlyMap<string, Uint8Array>
}

/**
 * @param xml of the machine that it is made of
 * @throws {VmpkgError} `PACKAGE_NOT_INSTALLED` where nobody can write its medium; `ADDRESS_UNAVAILABLE` and as `planClone`
 */
export async function planOtherMachine(
  workspace: Workspace,
  connect: Connect,
  { xml, name, uuid }: { readonly xml: string; readonly name: string; readonly uuid: string },
  facts: DomainFacts,
): Promise<OtherMachine> {
  const { randomness } = workspace.outside
  const cards = readCards(xml, undefined)
  const lans = await readLans(connect)
  const macs = new Map<string, string>()
  for (const { mac, place } of cards) {
    if (mac === undefined) continue
    const isOnLan = lans.some(({ network }) => network === place.name)
    macs.set(
      mac,
      isOnLan && place.name !== undefined ? await planClientMac(connect, place.name, randomness) : newMac(randomness),
    )
  }
  const guarded = cards.flatMap(({ mac, place }) => {
    const lan = lans.find(({ network }) => network === place.name)
    const now = mac === undefined ? undefined : macs.get(mac)
    const address = lan === undefined || now === undefined ? undefined : clientAddress(lan.cidr, now)
    return now === undefined || address === undefined ? [] : [{ mac: now, filter: 'vmpkg-client' as const, address }]
  })
  const joined = listSocketCards(xml).filter(({ port }) => port !== undefined)
  const ports = new Map<string, number>()
  for (const { network } of joined) ports.set(network, await planPort(connect, network))
  const guards = joined.length > 0 ? { lans: [], cards: [] } : { lans, cards: guarded }
  const identity = { name, uuid, macs, guards, ports }
  if (facts.medium === undefined) return { identity }
  const installed = workspace.installed.find(facts.package)
  if (installed === undefined) {
    throw new VmpkgError(
      'PACKAGE_NOT_INSTALLED',
      `${facts.package} is not installed, and writes the configuration of ${name}`,
      {
        hint: `vmpkg install ${facts.package} first: only the same machine again can do without.`,
      },
    )
  }
  const nics = cards.flatMap(({ mac, place }): readonly NicContext[] => {
    const now = mac === undefined ? undefined : macs.get(mac)
    if (now === undefined || place.name === undefined || place.name !== facts.net) return []
    return [{ role: 'wan', mac: now, network: place.name, link: 'up', isolated: true }]
  })
  const medium = machineFiles(workspace.connectionPaths, uuid).medium
  const input = await planClone(workspace, connect, await loadPackage(workspace, installed.line), {
    name,
    net: facts.net,
    ephemeral: false,
    set: [],
    profiles: [],
    before: facts.parameters,
    grants: [],
    existing: { identity: { ...newIdentity(name, randomness), uuid }, nics, medium },
  })
  return { identity, medium: renderGuestFiles(input).files }
}
