/**
 * From a package and a plan to what libvirt and the guest get: the files of the configuration medium and the domain's XML,
 * rendered, stamped with our metadata and passed through the policy gate.
 */
import type { Identity } from '../domain/identity.ts'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import type { Capability, GrantName } from '../model/capability.ts'
import { type Sha256, sha256 } from '../model/digest.ts'
import { clientAddress } from '../model/lan-address.ts'
import type { DomainFacts } from '../model/libvirt-facts.ts'
import type { ParameterValue, ParameterValues } from '../model/manifest.ts'
import type { Placement } from '../model/placement.ts'
import type { DomainTemplateContext, NicContext, PciContext, RouterContext } from '../model/template-context.ts'
import { choicesOf } from '../render/choices.ts'
import { chooseForDomain } from '../render/chosen.ts'
import { renderDomain } from '../render/domain.ts'
import { type DomainPolicyInput, findMissingDomainGrants, verifyDomainPolicy } from '../render/domain-policy.ts'
import type { Partials } from '../render/environment.ts'
import type { GuardedCard, GuardedLan, PortGuards } from '../render/guard-ports.ts'
import { renderGuestFile } from '../render/guest.ts'
import type { SocketCard } from '../render/socket-cards.ts'
import { type StampedVolume, stampDomain } from '../render/stamp.ts'
import type { DataDisk } from './data-disks.ts'
import { LOCKED_TRANSLATIONS, type MemoryLock } from './ephemeral.ts'
import { templateValues } from './file-parameters.ts'
import { rootVerity } from './images.ts'
import type { LoadedPackage } from './package-store.ts'
import { readPartials } from './templates.ts'

/** Name of the rule file on the medium, whose digest the guest attests. */
const RULE_FILE = 'nftables.nft'

export interface MachineInput {
  readonly pkg: LoadedPackage
  readonly parameters: ParameterValues
  readonly grants: readonly GrantName[]
  readonly name: string
  readonly identity: Identity
  readonly nics: readonly NicContext[]
  readonly router?: RouterContext
  /** LANs that a card of it may stand on. */
  readonly lans: readonly GuardedLan[]
  /** Where its LANs are folders of sockets, and not bridges: in which folder. */
  readonly sockets?: string
  readonly host: DomainTemplateContext['host']
  readonly images: DomainTemplateContext['images']
  readonly overlay?: DomainTemplateContext['overlay']
  /** UEFI variables; for templates that boot by firmware. */
  readonly nvram?: string
  readonly medium: string
  readonly serialLog?: string
  /** What PCI parameters chose, by parameter (`choose-devices.ts`). */
  readonly pci?: Readonly<Record<string, readonly PciContext[]>>
  readonly placement?: Placement
  /** Disks that outlive the machine (`data-disks.ts`). */
  readonly data?: readonly DataDisk[]
  /** Those of its disks that are not plain files, by path (`storage-volumes.ts`). */
  readonly volumes?: ReadonlyMap<string, StampedVolume>
  /** Of an ephemeral machine: whether its memory is kept out of swap (`ephemeral.ts`). */
  readonly lock?: MemoryLock
  /** Files of the medium that no template makes. */
  readonly more?: ReadonlyMap<string, Uint8Array>
}

export interface MachineDraft {
  readonly template: string
  readonly partials: Partials
  readonly context: DomainTemplateContext
  readonly parameterNames: readonly string[]
  /** Before the gate and without our metadata. */
  readonly rendered: string
}

export interface GuestFiles {
  /** Flat names on the medium. */
  readonly files: ReadonlyMap<string, Uint8Array>
  /** Routers: digest of the rule file. */
  readonly rules: Sha256 | undefined
}

/** @throws {VmpkgError} `TEMPLATE_INVALID` `RENDER_REFUSED` */
export function renderGuestFiles({ pkg, identity, nics, router, parameters, more }: MachineInput): GuestFiles {
  const context = {
    identity,
    nics,
    ...byRole(nics),
    ...(router === undefined ? {} : { router }),
    params: templateValues(pkg.manifest.parameters, parameters),
  }
  const names = Object.keys(pkg.manifest.parameters)
  const files = new Map(more)
  for (const [path, bytes] of pkg.guestFiles) {
    const name = path.replace(/\.hbs$/, '')
    const isTemplate = name !== path
    files.set(
      name,
      isTemplate ? Buffer.from(renderGuestFile(path, Buffer.from(bytes).toString(), context, names)) : bytes,
    )
  }
  const rules = files.get(RULE_FILE)
  return { files, rules: rules === undefined ? undefined : sha256(rules) }
}

/** @throws {VmpkgError} `TEMPLATE_INVALID` `RENDER_REFUSED` `XML_INVALID` `POLICY_REFUSED` `HOST_UNSUPPORTED` */
export async function renderMachine(input: MachineInput, facts: DomainFacts): Promise<string> {
  return finishMachine(input, await draftMachine(input), facts)
}

/** @throws {VmpkgError} `PARAMETER_INVALID` `TEMPLATE_INVALID` `RENDER_REFUSED` `XML_INVALID` `HOST_UNSUPPORTED` */
export async function draftMachine(input: MachineInput): Promise<MachineDraft> {
  const { manifest, templates } = input.pkg
  const template = templates.get(manifest.templates.domain)
  if (template === undefined) throw new VmpkgError('TEMPLATE_INVALID', `${manifest.name} has no domain template`)
  const draft = {
    template,
    partials: await readPartials(),
    context: machineContext(input),
    parameterNames: Object.keys(manifest.parameters),
  }
  try {
    return { ...draft, rendered: renderDomain(draft) }
  } catch (error) {
    const name: unknown = isVmpkgError(error, 'RENDER_REFUSED') ? error.details?.['name'] : undefined
    const firmware = typeof name === 'string' ? /^host\.(f|secureF)irmware\b/.exec(name) : null
    if (firmware === null) throw error
    const what = firmware[1] === 'f' ? 'UEFI' : 'UEFI with secure boot'
    throw new VmpkgError(
      'HOST_UNSUPPORTED',
      `${manifest.name} boots by ${what}, and this host has no firmware for it`,
      {
        hint: 'Install it: apt-get install ovmf',
        cause: error,
      },
    )
  }
}

/** The gate, then what vmpkg itself knows. @throws {VmpkgError} `POLICY_REFUSED` `XML_INVALID` */
export function finishMachine(input: MachineInput, draft: MachineDraft, facts: DomainFacts): string {
  const { manifest } = input.pkg
  const { name } = input
  const verified = verifyDomainPolicy(gateInput(input, draft))
  return stampDomain(verified, {
    title: `${name} (vmpkg ${manifest.name} ${manifest.version})`,
    description: manifest.description.trim(),
    facts,
    definitions: manifest.parameters,
    ...(input.sockets === undefined
      ? { guards: guardsOf(input) }
      : { sockets: { folder: input.sockets, cards: socketCardsOf(input.nics) } }),
    ...(input.data === undefined ? {} : { data: input.data }),
    ...(input.volumes === undefined ? {} : { volumes: input.volumes }),
    ...(input.lock?.isLocked === true ? { lockMemory: { translationBytes: LOCKED_TRANSLATIONS } } : {}),
    ...(manifest.os === undefined ? {} : { osId: manifest.os.id }),
  })
}

function guardsOf({ lans, router, nics }: MachineInput): PortGuards {
  const cards = nics.flatMap(({ role, mac, network }): readonly GuardedCard[] => {
    if (network === undefined) return []
    if (router !== undefined && role === 'lan') return [{ mac, filter: 'vmpkg-gateway', address: router.lan.address }]
    if (router !== undefined) {
      const { address } = router.wan
      return address === undefined ? [] : [{ mac, filter: 'vmpkg-lower', address }]
    }
    const lan = lans.find((one) => one.network === network)
    const address = lan && clientAddress(lan.cidr, mac)
    return address === undefined ? [] : [{ mac, filter: 'vmpkg-client', address }]
  })
  return { lans, cards }
}

function socketCardsOf(nics: readonly NicContext[]): readonly SocketCard[] {
  return nics.flatMap(({ mac, network, port }) =>
    network === undefined ? [] : [{ mac, network, ...(port === undefined ? {} : { port }) }],
  )
}

/** Declared capabilities that the machine needs and that are not granted yet. @throws {VmpkgError} `POLICY_REFUSED` */
export function findMachineGrants(input: MachineInput, draft: MachineDraft): readonly Capability[] {
  return findMissingDomainGrants(gateInput(input, draft))
}

function gateInput(
  { pkg: { manifest }, grants, parameters }: MachineInput,
  { rendered, context }: MachineDraft,
): DomainPolicyInput {
  const { capabilities } = manifest
  const choices = choicesOf({ parameters, definitions: manifest.parameters, context })
  return { xml: rendered, context, capabilities, granted: grants, choices }
}

function machineContext(input: MachineInput): DomainTemplateContext {
  const { pkg, name, identity, nics, host, images, overlay, nvram, medium, serialLog, placement, pci } = input
  const { uuid } = identity
  const definitions = pkg.manifest.parameters
  const verity = rootVerity(pkg.line)
  const params = templateValues(definitions, input.parameters)
  return {
    domain: { name, uuid, memoryKib: memoryKib(params), vcpus: Number(params['vcpus'] ?? 1) },
    host,
    params,
    images,
    ...(verity === undefined ? {} : { verity }),
    nics,
    ...byRole(nics),
    medium,
    ...(overlay === undefined ? {} : { overlay }),
    ...(nvram === undefined ? {} : { nvram }),
    ...(serialLog === undefined ? {} : { serialLog }),
    ...(placement === undefined ? {} : { placement }),
    ...chooseForDomain({ definitions, values: params, uuid, ...(pci === undefined ? {} : { pci }) }),
  }
}

function byRole(nics: readonly NicContext[]): { wan?: NicContext; lan?: NicContext } {
  const wan = nics.find(({ role }) => role === 'wan')
  const lan = nics.find(({ role }) => role === 'lan')
  return { ...(wan === undefined ? {} : { wan }), ...(lan === undefined ? {} : { lan }) }
}

const DEFAULT_MEMORY_BYTES = 256 * 1024 * 1024

function memoryKib(values: Readonly<Record<string, ParameterValue>>): number {
  const bytes = values['memory']
  return Math.ceil((typeof bytes === 'number' ? bytes : DEFAULT_MEMORY_BYTES) / 1024)
}
