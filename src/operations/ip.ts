/** `ip`: the addresses of a machine's cards, and who says so. */
import { isIP } from 'node:net'
import { readCards } from '../domain/cards.ts'
import { findGuestAgent, readGuestCards } from '../domain/guest-agent.ts'
import { getMachine, listOwnNetworks, type Machine, runningFacts } from '../domain/inventory.ts'
import { askStatus } from '../domain/readiness.ts'
import { isVmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { clientAddress } from '../model/lan-address.ts'
import type { Workspace } from './workspace.ts'

/**
 * `agent` and `guest` are the guest's own word, by vmpkg's agent and by QEMU's. `lease` is what DHCP of a libvirt network
 * gave, `arp` the host's table of neighbours. `planned`: nobody has said anything yet, and the router gives this to it.
 */
type AddressSource = 'agent' | 'guest' | 'lease' | 'arp' | 'planned'

export interface MachineAddress {
  readonly mac: string | undefined
  /** Network, bridge or device that the card is on. */
  readonly network: string
  readonly address: string
  /** Bits, where the source tells. */
  readonly prefix: number | undefined
  readonly source: AddressSource
}

/** Seconds for the guest to answer. */
const ANSWER_SECONDS = 8

/** @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` */
export async function machineAddresses(workspace: Workspace, name: string): Promise<readonly MachineAddress[]> {
  const connect = await workspace.connect()
  return readAddresses(workspace, connect, await getMachine(connect, name))
}

/** In the order of its cards, IPv4 first; none that is good on one link only. */
export async function readAddresses(
  workspace: Workspace,
  connect: Connect,
  machine: Machine,
): Promise<readonly MachineAddress[]> {
  const running = (await machine.domain.isActive()) ? await machine.domain.getXMLDesc() : undefined
  const cards = readCards(machine.xml, running).filter(({ isNext }) => !isNext)
  const said = running === undefined ? [] : await readSaid(workspace, machine, running)
  const lans = (await listOwnNetworks(connect)).filter(({ facts }) => facts.role === 'lan')
  return cards.flatMap(({ mac, place }) => {
    const known = new Map<string, MachineAddress>()
    const of = { mac, network: place.name }
    for (const one of said) {
      if (one.mac === mac && !known.has(one.address)) known.set(one.address, { ...one, ...of })
    }
    const found = [...known.values()].toSorted((a, b) => isIP(a.address) - isIP(b.address))
    if (found.some(({ address }) => isIP(address) === 4) || mac === undefined) return found
    const cidr = lans.find(({ name }) => place.kind === 'network' && name === place.name)?.facts.cidr
    const address = cidr === undefined || machine.facts.kind === 'router' ? undefined : clientAddress(cidr, mac)
    if (cidr === undefined || address === undefined) return found
    return [{ ...of, address, prefix: Number(cidr.split('/')[1]), source: 'planned' as const }, ...found]
  })
}

type Said = Omit<MachineAddress, 'network'>

/** The guest's word first. */
async function readSaid(workspace: Workspace, machine: Machine, running: string): Promise<readonly Said[]> {
  const all = await Promise.all([
    fromAgent(workspace, machine, running),
    fromGuest(machine, running),
    fromLibvirt(machine, 'lease'),
    fromLibvirt(machine, 'arp'),
  ])
  return all.flat().filter(({ address }) => !/^(127\.|169\.254\.|::1$|fe80:)/i.test(address))
}

async function fromAgent(workspace: Workspace, machine: Machine, running: string): Promise<readonly Said[]> {
  const reply = await askStatus(machine.domain, { ...workspace.outside, timeoutMs: ANSWER_SECONDS * 1000 })
  const facts = await runningFacts(machine)
  const isRouter = facts.kind === 'router'
  const cards = readCards(running, undefined)
  const lanMac = isRouter ? facts.lanMac : (cards.find(({ place }) => place.name === facts.net) ?? cards[0])?.mac
  const wanMac = isRouter ? cards.find(({ mac }) => mac !== facts.lanMac)?.mac : undefined
  return [
    { mac: wanMac, address: reply?.wan?.address },
    { mac: lanMac, address: reply?.lan?.address },
  ].flatMap(({ mac, address }) =>
    mac === undefined || address == null || isIP(address) === 0
      ? []
      : [{ mac, address, prefix: undefined, source: 'agent' as const }],
  )
}

async function fromGuest({ domain }: Machine, running: string): Promise<readonly Said[]> {
  if (findGuestAgent(running) !== 'open') return []
  try {
    const cards = await readGuestCards(domain, ANSWER_SECONDS)
    return cards.flatMap(({ mac, addresses }) => addresses.map((one) => ({ mac, ...one, source: 'guest' as const })))
  } catch (error) {
    if (isVmpkgError(error)) return [] // others may know
    throw error
  }
}

async function fromLibvirt({ domain }: Machine, source: 'lease' | 'arp'): Promise<readonly Said[]> {
  try {
    const interfaces = await domain.interfaceAddresses({ source })
    return interfaces.flatMap(({ hwaddr, addresses }) =>
      addresses.map(({ address, prefix }) => ({
        mac: hwaddr?.toLowerCase(),
        address,
        prefix: prefix === 0 ? undefined : prefix,
        source,
      })),
    )
  } catch (error) {
    if (error instanceof LibvirtError) return [] // another driver, or it has just stopped
    throw error
  }
}
