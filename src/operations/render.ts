/**
 * `render`: what install or clone would define on this host, and where each value and each line of it comes from. Asks
 * libvirt, and changes nothing. A machine that is there already is rendered with its own identity, cards and subnet.
 */
import { listMachines, listOwnNetworks, type Machine } from '../domain/inventory.ts'
import { isVmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { type GrantName, grantName, isOptional, needsGrant } from '../model/capability.ts'
import type { NicContext } from '../model/template-context.ts'
import { traceDomain } from '../render/domain.ts'
import type { SourcePlace } from '../render/evaluate.ts'
import { traceNetwork } from '../render/network.ts'
import { formatPlace, shiftPlaces } from '../render/trace.ts'
import { findElements, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { chooseName, chooseNet, cloneFacts, planClone } from './clone-plan.ts'
import { draftNetwork, finishNetwork, type NetworkInput } from './define-network.ts'
import { type ExplainedValue, explainValues } from './explain-values.ts'
import { machineFiles } from './machine-files.ts'
import { assignParameters, type ValueRequest } from './parameters.ts'
import { placeInput } from './place-input.ts'
import { draftMachine, finishMachine, type MachineInput, renderGuestFiles } from './render-machine.ts'
import { findRenderedPackage, type RenderedPackage } from './rendered-package.ts'
import { networkPlanOf, type RouterPlace, routerFacts, routerInput, routerPlanOf } from './router-definition.ts'
import { planRouter } from './router-plan.ts'
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
  /** Unified difference from what is defined; empty where they say the same. */
  readonly diff?: string
  /** One entry a line of `text`: where it was written, `vmpkg` for what is put in after rendering. */
  readonly places: readonly string[]
}

export interface RenderReport {
  readonly package: string
  readonly version: string
  readonly documents: readonly RenderedDocument[]
  readonly values: readonly ExplainedValue[]
  /** Capabilities that the package asks for and that are not granted yet: rendered as if they were. */
  readonly missingGrants: readonly GrantName[]
  readonly notes: readonly string[]
}

/** @throws {VmpkgError} what `install` or `clone` would refuse for the same values */
export async function render(workspace: Workspace, request: RenderRequest): Promise<RenderReport> {
  const found = await findRenderedPackage(workspace, request.target)
  const { line, manifest } = found.pkg
  const granted = workspace.installed.find(line.name)?.grants ?? []
  const missingGrants = manifest.capabilities
    .filter((one) => needsGrant(one) && !isOptional(one) && !granted.some((held) => grantName(held) === grantName(one)))
    .map((one) => grantName(one))
  const grants = manifest.capabilities.map((one) => grantName(one))
  const connect = await workspace.connect()
  const context = { workspace, connect, found, request, grants, notes: [] }
  const result = manifest.kind === 'router' ? await renderRouter(context) : await renderClone(context)
  return { package: line.name, version: line.version, ...result, missingGrants, notes: context.notes }
}

interface RenderTask {
  readonly workspace: Workspace
  readonly connect: Connect
  readonly found: RenderedPackage
  readonly request: RenderRequest
  readonly grants: MachineInput['grants']
  readonly notes: string[]
}

type Rendered = Pick<RenderReport, 'documents' | 'values'>

async function renderRouter(task: RenderTask): Promise<Rendered> {
  const { workspace, connect, found, request, grants } = task
  const { pkg, source, before } = found
  const { manifest } = pkg
  const asked = [{ manifest, isAsked: true, before }]
  const parameters = assignParameters(workspace.paths, asked, request).get(manifest.name) ?? {}
  const router = { pkg, source, parameters, grants }
  const machine = (await listMachines(connect)).find(
    ({ facts }) => facts.package === manifest.name && facts.kind === 'router',
  )
  const { place, networks } = await placeRouter(task, router, machine)
  const input = await placeInput(workspace, await routerInput(workspace, connect, router, place))
  const guest = renderGuestFiles(input)
  const draft = await draftMachine(input)
  const text = finishMachine(input, draft, routerFacts(router, place, input, guest))
  const places = namePlaces(manifest.templates.domain, draft.rendered, text, traceDomain(draft))
  const documents: RenderedDocument[] = [
    { kind: 'domain', name: place.name, text, places, ...(await compare(place.name, machine?.xml, text)) },
  ]
  for (const { plan, createdAt, xml } of request.networks ? networks : []) {
    const network = await draftNetwork({ request: router, plan, createdAt })
    const finished = finishNetwork({ request: router, plan, createdAt }, network)
    documents.push({
      kind: 'network',
      name: plan.network.name,
      text: finished,
      places: namePlaces(network.path, network.rendered, finished, traceNetwork(network)),
      ...(await compare(plan.network.name, xml, finished)),
    })
  }
  if (request.guestFiles) documents.push(...guestDocuments(guest.files))
  return { documents, values: explainValues(input, draft.context, machine !== undefined) }
}

interface PlacedNetwork extends Pick<NetworkInput, 'plan' | 'createdAt'> {
  /** As libvirt has it. */
  readonly xml?: string
}

/** Where the router is, or would be. */
async function placeRouter(
  { workspace, connect, notes }: RenderTask,
  router: NetworkInput['request'],
  machine: Machine | undefined,
): Promise<{ readonly place: RouterPlace; readonly networks: readonly PlacedNetwork[] }> {
  const saved = machine === undefined ? undefined : workspace.definitions.find(machine.domain.uuid)
  if (machine !== undefined && saved !== undefined) {
    const { uuid } = machine.domain
    const { createdAt, medium = machineFiles(workspace.connectionPaths, uuid).medium } = machine.facts
    const own = (await listOwnNetworks(connect)).filter(({ facts }) => facts.package === router.pkg.line.name)
    const networks = own.flatMap(({ network, facts, xml }) => {
      const definition = workspace.definitions.find(network.uuid)
      return definition === undefined ? [] : [{ plan: networkPlanOf(definition), createdAt: facts.createdAt, xml }]
    })
    return { place: { plan: routerPlanOf(saved), name: machine.name, uuid, medium, createdAt }, networks }
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
  const input = await planClone(workspace, connect, pkg, {
    ...request,
    name,
    net,
    ephemeral,
    before: { ...before, ...machine?.facts.parameters },
    grants,
    ...(machine === undefined ? {} : { existing: existing(workspace, machine) }),
  })
  const facts = cloneFacts(workspace, input, { source, net, ephemeral })
  const draft = await draftMachine(input)
  const kept = machine === undefined ? facts : { ...facts, createdAt: machine.facts.createdAt }
  const text = finishMachine(input, draft, kept)
  const places = namePlaces(manifest.templates.domain, draft.rendered, text, traceDomain(draft))
  const documents: RenderedDocument[] = [
    { kind: 'domain', name, text, places, ...(await compare(name, machine?.xml, text)) },
  ]
  if (request.guestFiles) documents.push(...guestDocuments(renderGuestFiles(input).files))
  return { documents, values: explainValues(input, draft.context, machine !== undefined) }
}

/** For a folder that is being written there need be no router yet. */
async function chooseOrImagineNet({ connect, found, request, notes }: RenderTask): Promise<string | undefined> {
  try {
    return await chooseNet(connect, found.pkg, request.net)
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
): { identity: MachineInput['identity']; nics: readonly NicContext[]; medium: string } {
  const cards = findElements(parseXml(xml).root, 'devices/interface')
  const nics = cards.flatMap((card): readonly NicContext[] => {
    const [source, address] = [findElements(card, 'source')[0], findElements(card, 'mac')[0]]
    const network = source && getAttribute(source, 'network')
    const mac = address && getAttribute(address, 'address')
    if (network === undefined || network !== facts.net || mac === undefined) return []
    return [{ role: 'wan', mac, network, link: 'up', isolated: true }]
  })
  // The medium holds machine id and seed, and libvirt does not: guest files show zeros for them.
  const identity = { uuid, hostname: name, machineId: '0'.repeat(32), seed: '0'.repeat(64) }
  const { medium } = machineFiles(workspace.connectionPaths, uuid)
  return { identity, nics, medium: facts.medium ?? medium }
}

async function compare(
  name: string,
  defined: string | undefined,
  text: string,
): Promise<Pick<RenderedDocument, 'defined' | 'diff'>> {
  if (defined === undefined) return {}
  const { diffDefinitions } = await import('../render/definition-diff.ts') // its library is 20 files
  return { defined, diff: diffDefinitions(`${name}.xml`, defined, text) }
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
