/** The machines of a connection: domains that carry our metadata. All others are foreign, and never touched (formats 5.2). */
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import type { Domain } from '../libvirt/domain.ts'
import { LibvirtError } from '../libvirt/error.ts'
import type { Network } from '../libvirt/network.ts'
import type { DomainFacts, NetworkFacts } from '../model/libvirt-facts.ts'
import { readDomainFacts, readNetworkFacts } from '../render/facts-xml.ts'

export interface Machine {
  readonly domain: Domain
  readonly name: string
  readonly facts: DomainFacts
  /** The definition for the next start; the running one for transient domains. */
  readonly xml: string
}

export interface OwnNetwork {
  readonly network: Network
  readonly name: string
  readonly facts: NetworkFacts
  readonly xml: string
}

/** By name. */
export async function listMachines(connect: Connect): Promise<readonly Machine[]> {
  const domains = await connect.listAllDomains()
  const machines = await Promise.all(domains.map(readMachine))
  return machines.filter((machine) => machine !== undefined).toSorted((a, b) => a.name.localeCompare(b.name))
}

/**
 * Names are listed, not looked up: libvirt writes into its log which one it did not find, an ephemeral one too (leak case J3).
 * @throws {VmpkgError} `DOMAIN_FOREIGN` when a domain of that name is not ours.
 */
async function findMachine(connect: Connect, name: string): Promise<Machine | undefined> {
  const domain = (await connect.listAllDomains()).find((one) => one.name === name)
  if (domain === undefined) return undefined
  const machine = await readMachine(domain)
  if (machine === undefined) {
    throw new VmpkgError('DOMAIN_FOREIGN', `${name} was not made by vmpkg`, {
      hint: 'Manage it with virsh or virt-manager, or choose another name.',
    })
  }
  return machine
}

/** @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` */
export async function getMachine(connect: Connect, name: string): Promise<Machine> {
  const machine = await findMachine(connect, name)
  if (machine === undefined) {
    throw new VmpkgError('DOMAIN_UNKNOWN', `There is no machine ${JSON.stringify(name.slice(0, 80))}`, {
      hint: 'vmpkg ps --all lists them.',
    })
  }
  return machine
}

/** `undefined` for foreign domains, and for one that vanished between listing and reading. */
export async function readMachine(domain: Domain): Promise<Machine | undefined> {
  const xml = await domain.getXMLDesc({ flags: ['inactive'] }).catch(absent('noDomain'))
  const facts = xml === undefined ? undefined : readDomainFacts(xml)
  return xml === undefined || facts === undefined ? undefined : { domain, name: domain.name, facts, xml }
}

/** What a running machine was started with: its definition may be of a later version by now. */
export async function runningFacts({ domain, facts }: Machine): Promise<DomainFacts> {
  const xml = await domain.getXMLDesc().catch(absent('noDomain'))
  return (xml === undefined ? undefined : readDomainFacts(xml)) ?? facts
}

export async function listOwnNetworks(connect: Connect): Promise<readonly OwnNetwork[]> {
  const networks = await connect.listAllNetworks()
  const own = await Promise.all(
    networks.map(async (network): Promise<OwnNetwork | undefined> => {
      const xml = await network.getXMLDesc().catch(absent('noNetwork'))
      const facts = xml === undefined ? undefined : readNetworkFacts(xml)
      return xml === undefined || facts === undefined ? undefined : { network, name: network.name, facts, xml }
    }),
  )
  return own.filter((network) => network !== undefined)
}

/** For `catch`: turns libvirt's "there is no such thing" into `undefined`. */
export function absent(name: 'noDomain' | 'noNetwork' | 'noSecret' | 'noStoragePool'): (error: unknown) => undefined {
  return (error) => {
    if (error instanceof LibvirtError && error.is(name)) return undefined
    throw error
  }
}
