/**
 * What a definition needs is looked for before libvirt is asked, so that all that is missing is told at once, with the
 * fix of each (docs/preflight.md). What the definition does not use is not read.
 */
import { type DomainDemand, parseDomainDemand } from '../host/preflight-demand.ts'
import { judgeDefinition, judgeDomain } from '../host/preflight-domain.ts'
import type {
  DomainCapabilities,
  HostFacts,
  HypervisorFacts,
  OtherDomain,
  OtherNetwork,
} from '../host/preflight-facts.ts'
import { refuseFindings } from '../host/preflight-finding.ts'
import { judgeNetworkDefinition, parseNetwork } from '../host/preflight-network.ts'
import { type ReadHostOptions, readHostFacts, readHostNetworks } from '../host/preflight-read.ts'
import type { Connect } from '../libvirt/connect.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { readDomainFacts } from '../render/facts-xml.ts'
import { together } from '../together.ts'
import { findElement, findElements, getAttribute, getText } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { isKvmUsable } from './kvm.ts'
import { hostReading } from './preflight-place.ts'
import { readVolumes } from './preflight-volumes.ts'
import type { Workspace } from './workspace.ts'

export interface PreflightOptions {
  /** `define` leaves out what may change until the start. */
  readonly until: 'define' | 'start'
  /** The operation starts the networks that the domain names. */
  readonly startsNetworks?: boolean
  /** Files that the operation makes itself. */
  readonly fresh?: readonly string[]
}

/** @throws {VmpkgError} `PREFLIGHT_FAILED`, or the code that all findings share (docs/preflight.md) */
export async function preflightDomain(
  workspace: Workspace,
  connect: Connect,
  xml: string,
  options: PreflightOptions,
): Promise<void> {
  return beginPreflight(workspace, connect, xml, options)()
}

/** The rest of a preflight. @throws {VmpkgError} as `preflightDomain` */
export type FinishPreflight = () => Promise<void>

/**
 * Asks libvirt at once, which takes most of the time; the host's files are looked at by what this returns, when they are
 * there. Whoever begins one need not finish it.
 */
export function beginPreflight(
  workspace: Workspace,
  connect: Connect,
  xml: string,
  { until, startsNetworks = false, fresh = [] }: PreflightOptions,
): FinishPreflight {
  const demand = parseDomainDemand(xml)
  if (demand === undefined) return async () => {}
  const asked = readHypervisor(connect, demand, { startsNetworks, isKvmUsable: () => isKvmUsable(workspace, connect) })
  const reading = hostReading(workspace).then((options) => options && { ...options, fresh })
  for (const one of [asked, reading]) one.catch(() => {}) // told by who finishes
  return async () => {
    const [hypervisor, host] = await together([asked, readHost(demand, reading)])
    const judge = until === 'start' ? judgeDomain : judgeDefinition
    refuseFindings(demand.name, judge(demand, host, hypervisor))
  }
}

/** @throws {VmpkgError} as `preflightDomain` */
export async function preflightNetwork(
  workspace: Workspace,
  connect: Connect,
  xml: string,
  { until }: Pick<PreflightOptions, 'until'>,
): Promise<void> {
  const reading = until === 'start' ? await hostReading(workspace) : undefined
  const networks = await readNetworks(connect)
  const host = reading === undefined ? UNKNOWN_HOST : { ...UNKNOWN_HOST, ...(await readHostNetworks(reading.procNet)) }
  refuseFindings(parseNetwork(xml)?.name ?? 'it', judgeNetworkDefinition(xml, host, networks))
}

const UNKNOWN_HOST: HostFacts = { files: new Map(), changesOwners: true }

/** Of a libvirt on another machine nothing is known but what it says itself. */
async function readHost(demand: DomainDemand, reading: Promise<ReadHostOptions | undefined>): Promise<HostFacts> {
  const options = await reading
  return options === undefined ? UNKNOWN_HOST : readHostFacts(demand, options)
}

export async function readHypervisor(
  connect: Connect,
  demand: DomainDemand,
  options: { readonly startsNetworks: boolean; readonly isKvmUsable: () => Promise<boolean> },
): Promise<HypervisorFacts> {
  const { arch = 'x86_64', machine, emulator, virtType } = demand
  const question = {
    arch,
    virtType,
    ...(machine === undefined ? {} : { machine }),
    ...(emulator === undefined ? {} : { emulator }),
  }
  const [version, others, networks, described, capabilities, isKvm, volumes] = await Promise.all([
    connect.getLibVersion(),
    readOthers(connect, demand),
    demand.nics.some(({ network }) => network !== undefined) ? readNetworks(connect) : [],
    connect.getDomainCapabilities(question).catch(refusal),
    machine === undefined ? undefined : connect.getCapabilities().catch(refusal),
    virtType === 'kvm' ? options.isKvmUsable() : undefined,
    readVolumes(connect, demand.disks),
  ])
  return {
    libvirtVersion: version,
    domains: others,
    networks,
    capabilities: typeof described === 'string' ? parseDomainCapabilities(described) : undefined,
    capabilitiesRefusal: described instanceof LibvirtError ? described.message : undefined,
    machines: typeof capabilities === 'string' ? parseMachines(capabilities, arch) : undefined,
    isKvmUsable: isKvm,
    volumes,
    startsNetworks: options.startsNetworks,
  }
}

function refusal(error: unknown): LibvirtError {
  if (error instanceof LibvirtError) return error
  throw error
}

/** Machine types of one architecture in a capabilities document, which is too long to parse for them alone. */
function parseMachines(capabilities: string, arch: string): readonly string[] | undefined {
  const begin = capabilities.indexOf(`<arch name='${arch}'>`)
  const end = capabilities.indexOf('</arch>', begin)
  if (begin === -1 || end === -1) return undefined
  return [...capabilities.slice(begin, end).matchAll(/<machine[^>]*>([^<]+)<\/machine>/g)].map(([, name = '']) => name)
}

function parseDomainCapabilities(xml: string): DomainCapabilities {
  const { root } = parseXml(xml)
  const modes = findElements(root, 'cpu/mode').filter((mode) => getAttribute(mode, 'supported') === 'yes')
  const models = findElements(root, "cpu/mode[@name='custom']/model")
  const maximum = findElement(root, 'vcpu')
  const values = (path: string): readonly string[] => findElements(root, path).map(getText)
  return {
    maxVcpus: maximum === undefined ? undefined : Number(getAttribute(maximum, 'max')),
    cpuModes: modes.map((mode) => getAttribute(mode, 'name') ?? ''),
    usableModels: models.filter((model) => getAttribute(model, 'usable') !== 'no').map(getText),
    knownModels: models.map(getText),
    firmwareValues: values("os/enum[@name='firmware']/value"),
    hasSecureBoot: values("os/loader/enum[@name='secure']/value").includes('yes'),
  }
}

async function readOthers(connect: Connect, own: DomainDemand): Promise<readonly OtherDomain[]> {
  const [all, running] = await Promise.all([connect.listAllDomains(), connect.listAllDomains({ flags: ['active'] })])
  const active = new Set(running.map(({ uuid }) => uuid))
  const domains = all.filter(({ uuid, name }) => uuid !== own.uuid || name !== own.name)
  const signs = signsOf(own)
  const read = domains.map(async (domain): Promise<OtherDomain | undefined> => {
    const { name, uuid } = domain
    const xml = await domain.getXMLDesc().catch(refusal)
    // Gone between listing and reading.
    if (typeof xml !== 'string') return undefined
    const isTaken = name === own.name || uuid === own.uuid
    // Parsing is the dear part, so only what may share something with ours is parsed.
    const demand = signs.some((sign) => xml.includes(sign)) ? parseDomainDemand(xml) : undefined
    return {
      name,
      uuid,
      isActive: active.has(uuid),
      isOurs: isTaken && readDomainFacts(xml) !== undefined,
      macs: demand?.nics.flatMap(({ mac }) => mac ?? []) ?? [],
      disks: demand?.disks ?? [],
      nvram: demand?.nvram,
      pci: demand?.hostdevs.flatMap(({ pci }) => pci ?? []) ?? [],
      cid: demand?.vsock?.cid ?? (demand === undefined ? undefined : autoCid(xml)),
    }
  })
  return (await Promise.all(read)).filter((other) => other !== undefined)
}

/** Texts of which another domain's XML has one when the two share a disk, a MAC, variables, a device or a vsock number. */
function signsOf({ disks, nics, nvram, hostdevs, vsock }: DomainDemand): readonly string[] {
  const files = [...disks.map(({ file }) => file), nvram].filter((file) => file !== undefined)
  return [
    ...files.map(escapeAttribute),
    ...nics.flatMap(({ mac }) => mac ?? []),
    ...(hostdevs.length > 0 ? ['<hostdev', "type='hostdev'"] : []),
    ...(vsock?.cid === undefined ? [] : ['<vsock']),
  ]
}

/** As libvirt writes it, in attributes and in text alike (virBufferEscapeString). */
function escapeAttribute(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&apos;')
}

/** A running domain's own number, where libvirt chose it. */
function autoCid(xml: string): number | undefined {
  const address = /<cid [^>]*address='(\d+)'/.exec(xml)?.[1]
  return address === undefined ? undefined : Number(address)
}

export async function readNetworks(connect: Connect): Promise<readonly OtherNetwork[]> {
  const networks = await connect.listAllNetworks()
  const read = networks.map(async (network): Promise<OtherNetwork | undefined> => {
    const [xml, isActive] = await Promise.all([
      network.getXMLDesc().catch(refusal),
      network.isActive().catch(() => false),
    ])
    const parsed = typeof xml === 'string' ? parseNetwork(xml) : undefined
    return parsed === undefined ? undefined : { ...parsed, isActive }
  })
  return (await Promise.all(read)).filter((network) => network !== undefined)
}
