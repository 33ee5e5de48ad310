/**
 * `render`: what install or clone would define on this host, and where each value and each line of it comes from. Asks
 * libvirt, and changes nothing. A machine that is there already is rendered with its own identity, cards and subnet.
 */
import { readCards } from '../domain/cards.ts'
import { listMachines, listOwnNetworks, type Machine } from '../domain/inventory.ts'
import { isVmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { type Capability, grantName } from '../model/capability.ts'
import type { DomainFacts } from '../model/libvirt-facts.ts'
import type { NicContext } from '../model/template-context.ts'
import { type BaseDefinition, compareDefinition, type DefinitionComparison } from '../render/definition-changes.ts'
import { traceDomain } from '../render/domain.ts'
import type { SourcePlace } from '../render/evaluate.ts'
import { traceNetwork } from '../render/network.ts'
import { listSocketCards } from '../render/socket-cards.ts'
import { formatPlace, shiftPlaces } from '../render/trace.ts'
import { choosePciDevices } from './choose-devices.ts'
import { type ClonePlanRequest, chooseName, chooseNet, cloneFacts, planClone } from './clone-plan.ts'
import {
  draftNetwork,
  findNetworkGrants,
  finishNetwork,
  type NetworkDraft,
  type NetworkInput,
} from './define-network.ts'
import { type ExplainedValue, explainValues } from './explain-values.ts'
import { type CapabilityNote, noteOf } from './install-plan.ts'
import { machineFiles } from './machine-files.ts'
import { findMissing } from './needed-grants.ts'
import { isGranted } from './package-choice.ts'
import { assignParameters, type ValueRequest } from './parameters.ts'
import { placeInput } from './place-input.ts'
import { draftMachine, finishMachine, type MachineInput, renderGuestFiles } from './render-machine.ts'
import { findRenderedPackage, type RenderedPackage } from './rendered-package.ts'
import { networkPlanOf, type RouterPlace, routerFacts, routerInput, routerPlanOf } from './router-definition.ts'
import { planRouter } from './router-plan.ts'
import { volumeOf } from './storage-volumes.ts'
import { findDefinitionViolations, type Violation } from './validate-definition.ts'
import type { Workspace } from './workspace.ts'

export interface RenderRequest extends ValueRequest {
  /** A package's name, or a folder. */
  readonly target: string
  /** Of an app's machine: a new one's, or one that is there. */
  readonly name: string | undefined
  readonly net: string | undefined
  readonly networks: boolean
  readonly guestFiles: boolean
}

interface RenderedDocument {
  readonly kind: 'domain' | 'network' | 'guest'
  readonly name: string
  readonly text: string
  /** What is defined in libvirt under that identity; absent where nothing is, and for guest files. */
  readonly defined?: string
  /** What defining it would change there, by meaning. */
  readonly comparison?: DefinitionComparison
  /** One entry a line of `text`: where it was written, `vmpkg` for what is put in after rendering. */
  readonly places: readonly string[]
}

/** What the libvirt of this host would refuse in one of the documents. */
interface DocumentViolation extends Violation {
  /** Its name. */
  readonly document: string
}

export interface RenderReport {
  readonly package: string
  readonly version: string
  readonly documents: readonly RenderedDocument[]
  readonly values: readonly ExplainedValue[]
  /** Capabilities that this needs and that are not granted yet: rendered as if they were. */
  readonly missingGrants: readonly CapabilityNote[]
  /** Of the documents: what install or clone would be refused for. Empty where this libvirt takes them. */
  readonly violations: readonly DocumentViolation[]
  readonly notes: readonly string[]
}

/** @throws {VmpkgError} what `install` or `clone` would refuse for the same values */
export async function render(workspace: Workspace, request: RenderRequest): Promise<RenderReport> {
  const found = await findRenderedPackage(workspace, request.target)
  const { line, manifest } = found.pkg
  const granted = workspace.installed.find(line.name)?.grants ?? []
  const grants = manifest.capabilities.filter((one) => isGranted(one, granted)).map((one) => grantName(one))
  const connect = await workspace.connect()
  const context = { workspace, connect, found, request, grants, notes: [] }
  const result = manifest.kind === 'router' ? await renderRouter(context) : await renderClone(context)
  const missingGrants = result.missing.map((one) => noteOf(line.name, one))
  const { documents, values } = result
  const violations: DocumentViolation[] = []
  for (const { kind, name: document, text } of documents) {
    if (kind === 'guest') continue
    const wrong = await findDefinitionViolations(workspace, connect, kind, text)
    violations.push(...wrong.map((one) => ({ document, ...one })))
  }
  const { notes } = context
  return { package: line.name, version: line.version, documents, values, missingGrants, violations, notes }
}

interface RenderTask {
  readonly workspace: Workspace
  readonly connect: Connect
  readonly found: RenderedPackage
  readonly request: RenderRequest
  readonly grants: MachineInput['grants']
  readonly notes: string[]
}

interface Rendered extends Pick<RenderReport, 'documents' | 'values'> {
  readonly missing: readonly Capability[]
}

async function renderRouter(task: RenderTask): Promise<Rendered> {
  const { workspace, connect, found, request, grants } = task
  const { pkg, source, before } = found
  const { manifest } = pkg
  const asked = [{ manifest, isAsked: true, before }]
  const parameters = assignParameters(workspace.paths, asked, request).get(manifest.name) ?? {}
  const asIs = { pkg, source, parameters, grants }
  const machine = (await listMachines(connect)).find(
    ({ facts }) => facts.package === manifest.name && facts.kind === 'router',
  )
  const { place, networks, base } = await placeRouter(task, asIs, machine)
  const input = await placeInput(workspace, await routerInput(workspace, connect, asIs, place))
  const guest = renderGuestFiles(input)
  const draft = await draftMachine(input)
  const missing = new Set(findMissing(input, draft))
  const drafts: (NetworkInput & PlacedNetwork & { readonly draft: NetworkDraft })[] = []
  for (const one of networks) {
    const network = { ...one, request: asIs }
    const known = await draftNetwork(connect, network)
    for (const more of findNetworkGrants(allowing(network, missing), known)) missing.add(more)
    drafts.push({ ...network, draft: known })
  }
  const router = { ...asIs, grants: [...grants, ...[...missing].map(grantName)] }
  const text = finishMachine({ ...input, grants: router.grants }, draft, routerFacts(router, place, input, guest))
  const places = namePlaces(manifest.templates.domain, draft.rendered, text, traceDomain(draft))
  const documents: RenderedDocument[] = [
    { kind: 'domain', name: place.name, text, places, ...compare(machine?.xml, text, base) },
  ]
  for (const one of request.networks ? drafts : []) {
    const finished = finishNetwork({ ...one, request: router }, one.draft)
    documents.push({
      kind: 'network',
      name: one.plan.network.name,
      text: finished,
      places: namePlaces(one.draft.path, one.draft.rendered, finished, traceNetwork(one.draft)),
      ...compare(one.xml, finished, one.base),
    })
  }
  if (request.guestFiles) documents.push(...guestDocuments(guest.files))
  const values = explainValues(input, draft.context, machine !== undefined)
  return { documents, values, missing: [...missing] }
}

function allowing({ request, ...rest }: NetworkInput, missing: ReadonlySet<Capability>): NetworkInput {
  return { ...rest, request: { ...request, grants: [...request.grants, ...[...missing].map(grantName)] } }
}

interface PlacedNetwork extends Pick<NetworkInput, 'plan' | 'createdAt'> {
  /** As libvirt has it. */
  readonly xml?: string
  readonly base?: BaseDefinition
}

/** Where the router is, or would be. */
async function placeRouter(
  { workspace, connect, notes }: RenderTask,
  router: NetworkInput['request'],
  machine: Machine | undefined,
): Promise<{
  readonly place: RouterPlace
  readonly networks: readonly PlacedNetwork[]
  readonly base?: BaseDefinition
}> {
  const saved = machine === undefined ? undefined : workspace.definitions.find(machine.domain.uuid)
  if (machine !== undefined && saved !== undefined) {
    const { uuid } = machine.domain
    const { createdAt, medium = machineFiles(workspace.connectionPaths, uuid).medium } = machine.facts
    const own = (await listOwnNetworks(connect)).filter(({ facts }) => facts.package === router.pkg.line.name)
    const networks: PlacedNetwork[] = []
    for (const { network, facts } of own) {
      const base = workspace.definitions.find(network.uuid)
      if (base === undefined) continue
      const xml = await network.getXMLDesc({ flags: ['inactive'] })
      networks.push({ plan: networkPlanOf(base), createdAt: facts.createdAt, xml, base })
    }
    return { place: { plan: routerPlanOf(saved), name: machine.name, uuid, medium, createdAt }, networks, base: saved }
  }
  notes.push(
    `${router.pkg.line.name} is not defined here: UUIDs, MACs and the subnet are new ones, made for this output.`,
  )
  const { uuid, plan, networks } = await planRouter(workspace, connect, router)
  const createdAt = workspace.outside.clock.now().toISOString()
  const { medium } = machineFiles(workspace.connectionPaths, uuid)
  return {
    place: { plan, name: router.pkg.line.name, uuid, medium, createdAt },
    networks: networks.map((one) => ({ plan: one, createdAt })),
  }
}

async function renderClone(task: RenderTask): Promise<Rendered> {
  const { workspace, connect, found, request, grants, notes } = task
  const { pkg, source, before } = found
  const { line, manifest } = pkg
  const machine =
    request.name === undefined
      ? undefined
      : (await listMachines(connect)).find(({ name, facts }) => name === request.name && facts.package === line.name)
  if (machine === undefined) notes.push('UUID and MACs are new ones, made for this output.')
  const name = machine?.name ?? (await chooseName(connect, line, request.name))
  const net = machine === undefined ? await chooseOrImagineNet(task) : machine.facts.net
  const ephemeral = machine?.facts.ephemeral ?? false
  const storage = machine?.facts.storage
  const input = await planClone(workspace, connect, pkg, {
    ...request,
    name,
    net,
    ephemeral,
    storage,
    before: { ...before, ...machine?.facts.parameters },
    grants,
    ...(machine === undefined ? {} : { existing: existing(workspace, machine) }),
  })
  const facts = cloneFacts(workspace, input, { source, net, ephemeral, storage })
  const draft = await draftMachine(input)
  const kept = machine === undefined ? facts : { ...facts, createdAt: machine.facts.createdAt }
  const missing = findMissing(input, draft)
  const text = finishMachine({ ...input, grants: [...grants, ...missing.map(grantName)] }, draft, kept)
  const places = namePlaces(manifest.templates.domain, draft.rendered, text, traceDomain(draft))
  const base = machine === undefined ? undefined : await renderAgain(task, input, kept, machine)
  const documents: RenderedDocument[] = [{ kind: 'domain', name, text, places, ...compare(machine?.xml, text, base) }]
  if (request.guestFiles) documents.push(...guestDocuments(renderGuestFiles(input).files))
  return { documents, values: explainValues(input, draft.context, machine !== undefined), missing }
}

/**
 * What a clone was rendered as when it was made: no copy is kept, but its metadata says of which package and with which
 * values. Undefined where it is of another version, or where a device is gone that it was given.
 */
async function renderAgain(
  { workspace, found: { pkg } }: RenderTask,
  input: MachineInput,
  facts: DomainFacts,
  { name, facts: known, xml }: Machine,
): Promise<BaseDefinition | undefined> {
  if (known.digest !== pkg.line.package.sha256) return undefined
  // Secret values are not in the metadata, nor in the definition.
  const parameters = { ...input.parameters, ...known.parameters }
  try {
    const pci = await choosePciDevices(workspace, pkg.manifest, parameters, name)
    const grants = pkg.manifest.capabilities.map((one) => grantName(one))
    const before = await placeInput(workspace, { ...input, parameters, pci, grants })
    const rendered = finishMachine(before, await draftMachine(before), { ...facts, parameters })
    return { rendered, defined: xml }
  } catch (error) {
    if (isVmpkgError(error) && error.code !== 'ABORTED') return undefined
    throw error
  }
}

/** For a folder that is being written there need be no router yet. */
async function chooseOrImagineNet({ connect, found, request, notes }: RenderTask): Promise<string | undefined> {
  try {
    return await chooseNet(connect, found.pkg.manifest, request.net)
  } catch (error) {
    if (found.folder === undefined || request.net !== undefined || !isVmpkgError(error, 'NETWORK_UNAVAILABLE'))
      throw error
    const layer = found.pkg.manifest.capabilities.find((one) => one.name === 'network')?.wan
    notes.push(`${error.message}: the output has ${layer}0 in its place.`)
    return `${layer}0`
  }
}

function existing(
  workspace: Workspace,
  { domain: { uuid }, name, facts, xml }: Machine,
): NonNullable<ClonePlanRequest['existing']> {
  const ports = new Map(listSocketCards(xml).map(({ network, port }) => [network, port]))
  const nics = readCards(xml, undefined).flatMap(({ mac, place }): readonly NicContext[] => {
    if (place.kind !== 'network' || place.name !== facts.net || mac === undefined) return []
    const port = ports.get(facts.net)
    const joined = port === undefined ? {} : { port }
    return [{ role: 'wan', mac, network: place.name, link: 'up', isolated: true, ...joined }]
  })
  // The medium holds machine id and seed, and libvirt does not: guest files show zeros for them.
  const identity = { uuid, hostname: name, machineId: '0'.repeat(32), seed: '0'.repeat(64) }
  const { medium } = machineFiles(workspace.connectionPaths, uuid)
  const overlay =
    facts.overlay !== undefined && volumeOf(workspace.connectionPaths, facts.overlay) ? facts.overlay : undefined
  return { identity, nics, medium: facts.medium ?? medium, overlay }
}

function compare(
  defined: string | undefined,
  text: string,
  base: BaseDefinition | undefined,
): Pick<RenderedDocument, 'defined' | 'comparison'> {
  return defined === undefined ? {} : { defined, comparison: compareDefinition(defined, text, base) }
}

function guestDocuments(files: ReadonlyMap<string, Uint8Array>): readonly RenderedDocument[] {
  return [...files]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, bytes]) => ({ kind: 'guest', name, text: Buffer.from(bytes).toString(), places: [] }))
}

/** The package's own template by its path; `vmpkg` for lines that are put in after rendering. */
function namePlaces(
  path: string,
  rendered: string,
  text: string,
  places: readonly (SourcePlace | undefined)[],
): readonly string[] {
  const named = (place: SourcePlace): SourcePlace =>
    place.from === undefined ? { ...place, template: path } : { ...place, from: named(place.from) }
  const words = places.map((place) => (place === undefined ? '' : formatPlace(named(place))))
  return shiftPlaces(rendered, text, words).map((word) => word ?? 'vmpkg')
}
