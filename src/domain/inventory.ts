/** The machines of a connection: domains that carry our metadata. All others are foreign, and never touched (formats 5.2). */
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import type { Domain } from '../libvirt/domain.ts'
import { LibvirtError } from '../libvirt/error.ts'
import type { Network } from '../libvirt/network.ts'
import type { DomainFacts, NetworkFacts } from '../model/libvirt-facts.ts'
import type { Randomness } from '../ports.ts'
import { readDomainFacts, readNetworkFacts } from '../render/facts-xml.ts'

export interface Machine {
  readonly domain: Domain
  /** The user's; libvirt's is another one where it came out of a pool. */
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

/** By name. Members of pools are nobody's machines yet. */
export async function listMachines(connect: Connect): Promise<readonly Machine[]> {
  const machines = await listOwn(connect)
  return machines.filter(({ facts }) => facts.pool === undefined).toSorted((a, b) => a.name.localeCompare(b.name))
}

/** What waits in pools, the oldest first. */
export async function listPoolMembers(connect: Connect): Promise<readonly Machine[]> {
  const members = (await listPooled(connect)).filter(({ facts }) => facts.pool !== undefined)
  return members.toSorted((a, b) => a.facts.createdAt.localeCompare(b.facts.createdAt) || a.name.localeCompare(b.name))
}

/** What was made for pools, taken out of them or not. */
export async function listPooled(connect: Connect): Promise<readonly Machine[]> {
  const domains = (await connect.listAllDomains()).filter(({ name }) => isPoolName(name))
  return (await Promise.all(domains.map(readMachine))).filter((one) => one !== undefined)
}

async function listOwn(connect: Connect): Promise<readonly Machine[]> {
  const machines = await Promise.all((await connect.listAllDomains()).map(readMachine))
  return machines.filter((machine) => machine !== undefined)
}

/** libvirt's name for a domain that was made for a pool; it stays when somebody takes it (decisions 22). */
export function newPoolName(randomness: Randomness): string {
  return `pool-${Buffer.from(randomness.bytes(6)).toString('hex')}`
}

function isPoolName(name: string): boolean {
  return /^pool-[0-9a-f]{12}$/.test(name)
}

/** Names that no other machine may get: those of all domains, and those of machines that came out of pools. */
export async function listTakenNames(connect: Connect): Promise<ReadonlySet<string>> {
  const [domains, pooled] = await Promise.all([connect.listAllDomains(), listPooled(connect)])
  return new Set([...domains, ...pooled].map(({ name }) => name))
}

/**
 * Names are listed, not looked up: libvirt writes into its log which one it did not find, an ephemeral one too (leak case J3).
 * @throws {VmpkgError} `DOMAIN_FOREIGN` when a domain of that name is not ours.
 */
async function findMachine(connect: Connect, name: string): Promise<Machine | undefined> {
  const domain = await findDomain(connect, name)
  if (domain === undefined) return undefined
  const machine = await readMachine(domain)
  if (machine?.facts.pool !== undefined) {
    throw new VmpkgError(
      'DOMAIN_UNKNOWN',
      `${name} waits in the pool of ${machine.facts.package}, and is no machine yet`,
      {
        hint: `vmpkg clone --ephemeral ${machine.facts.package} takes one out; vmpkg pool drop ends them.`,
      },
    )
  }
  if (machine === undefined) {
    throw new VmpkgError('DOMAIN_FOREIGN', `${name} was not made by vmpkg`, {
      hint: 'Manage it with virsh or virt-manager, or choose another name.',
    })
  }
  return machine
}

/** Of that name, whoever made it; for a machine that came out of a pool the name that the user gave it. */
export async function findDomain(connect: Connect, name: string): Promise<Domain | undefined> {
  const domains = await connect.listAllDomains()
  const domain = domains.find((one) => one.name === name)
  if (domain !== undefined) return domain
  return (await listPooled(connect)).find(({ facts }) => facts.alias === name)?.domain
}

/** The user's name for a domain. */
export function nameOf(domain: Pick<Domain, 'name'>, facts: DomainFacts | undefined): string {
  return facts?.alias ?? domain.name
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
  return xml === undefined || facts === undefined ? undefined : { domain, name: nameOf(domain, facts), facts, xml }
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
