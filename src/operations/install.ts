/**
 * `install`: resolve, show the plan, then fetch, verify, define and start. Everything that is created is in the journal
 * first; a failure or Ctrl-C undoes it, and what was fetched stays in the store for the next try.
 */

import type { CatalogueEntry as Candidate } from '../catalogue/catalogue.ts'
import { absent, findMachine, readMachine } from '../domain/inventory.ts'
import { throwIfAborted } from '../domain/readiness.ts'
import { VmpkgError } from '../errors.ts'
import { checkSpace } from '../host/preflight.ts'
import type { Connect } from '../libvirt/connect.ts'
import { type Capability, type CapabilityName, needsGrant } from '../model/capability.ts'
import type { PackageLine } from '../model/line.ts'
import type { ParameterValues } from '../model/manifest.ts'
import type { Transaction } from '../state/journal.ts'
import { resolveRequests } from './candidates.ts'
import { fetchPackage } from './download.ts'
import { requireFreshSources } from './freshness.ts'
import { missingBytes } from './images.ts'
import { explainCapability, type PlanSummary } from './install-plan.ts'
import type { LoadedPackage } from './package-store.ts'
import { assignParameters, parseAssignments } from './parameters.ts'
import { provisionRouter } from './provision-router.ts'
import { intend, transact } from './recover.ts'
import { startMachine } from './start.ts'
import type { Workspace } from './workspace.ts'

export interface InstallRequest {
  /** `name` or `name=version`. */
  readonly requests: readonly string[]
  /** `parameter=value`, or `package:parameter=value` where several packages are named. */
  readonly set: readonly string[]
  readonly grants: readonly string[]
  readonly start: boolean
  readonly reinstall: boolean
}

interface InstallStep {
  readonly candidate: Candidate
  readonly isAuto: boolean
}

export interface InstallPlan {
  readonly steps: readonly InstallStep[]
  readonly request: InstallRequest
  readonly summary: PlanSummary
}

export interface InstallResult {
  readonly installed: readonly { readonly name: string; readonly version: string }[]
  readonly started: readonly string[]
  readonly messages: readonly string[]
}

/** @throws {VmpkgError} `ENVELOPE_EXPIRED` `PACKAGE_UNKNOWN` `RELATION_CONFLICT` `DOMAIN_EXISTS` `LIBVIRT_UNREACHABLE` `NO_SPACE` `USAGE` */
export async function planInstall(workspace: Workspace, request: InstallRequest): Promise<InstallPlan> {
  parseAssignments(request.set)
  const steps = resolveRequests(workspace, request.requests, request.reinstall)
  await requireFreshSources(
    workspace,
    steps.map(({ candidate }) => candidate.source),
  )
  if (steps.length === 0) return { steps, request, summary: await summarise(workspace, steps, request) }
  const connect = await workspace.connect()
  for (const { candidate } of steps) await requireFreeName(workspace, connect, candidate.line)
  const summary = await summarise(workspace, steps, request)
  await checkSpace(workspace.paths.images, summary.diskBytes)
  return { steps, request, summary }
}

/** @param grants capabilities that the user has granted on being asked. */
export async function applyInstall(
  workspace: Workspace,
  plan: InstallPlan,
  grants: readonly string[],
): Promise<InstallResult> {
  const connect = await workspace.connect()
  const { emit, signal } = workspace.outside
  const packages: LoadedPackage[] = []
  for (const { candidate } of plan.steps) {
    throwIfAborted(signal)
    emit({ type: 'stage-started', stage: 'fetch', subject: candidate.line.name })
    packages.push(await fetchPackage(workspace, candidate))
  }
  const granted = [...plan.request.grants, ...grants]
  const choices = chooseFor(workspace, plan, packages, granted)
  const subject = plan.steps.map(({ candidate }) => candidate.line.name).join(' ')
  return transact(workspace, { operation: 'install', subject }, async (transaction) => {
    const started: string[] = []
    for (const choice of choices) {
      throwIfAborted(signal)
      if (await provision(workspace, connect, transaction, choice, plan.request.start))
        started.push(choice.pkg.line.name)
    }
    throwIfAborted(signal)
    transaction.commit(() => {
      const installedAt = workspace.outside.clock.now()
      for (const { pkg, ...rest } of choices) workspace.installed.put({ ...rest, line: pkg.line, installedAt })
    })
    const installed = packages.map(({ line }) => ({ name: line.name, version: line.version }))
    return { installed, started, messages: messagesFor(packages, started) }
  })
}

/** A package, and what the user lets it do here. */
interface Choice {
  readonly pkg: LoadedPackage
  readonly source: string
  readonly isAuto: boolean
  readonly grants: readonly Capability[]
  readonly parameters: ParameterValues
}

/** What was granted and set at an earlier installation still holds. */
function chooseFor(
  { installed }: Workspace,
  { steps, request }: InstallPlan,
  packages: readonly LoadedPackage[],
  granted: readonly string[],
): readonly Choice[] {
  const parameters = assignParameters(
    packages.map(({ manifest }, i) => {
      const before = installed.find(manifest.name)?.parameters
      return { manifest, isAsked: steps[i]?.isAuto === false, ...(before === undefined ? {} : { before }) }
    }),
    request.set,
  )
  return steps.map(({ candidate: { line, source }, isAuto }, i) => {
    const pkg = packages[i]
    if (pkg === undefined) throw new TypeError('a step without its package')
    const held = installed.find(line.name)?.grants.map(({ name }) => name) ?? []
    return {
      pkg,
      source,
      isAuto,
      grants: grantsFor(line, [...granted, ...held]),
      parameters: parameters.get(line.name) ?? {},
    }
  })
}

/** Routers are defined, and started unless told otherwise. True when the package's machine was started. */
async function provision(
  workspace: Workspace,
  connect: Connect,
  transaction: Transaction,
  { pkg, source, grants, parameters }: Choice,
  start: boolean,
): Promise<boolean> {
  const { line } = pkg
  const { emit } = workspace.outside
  emit({
    type: 'stage-finished',
    stage: 'verify',
    subject: `${line.name} ${line.version}: signatures, archive and images`,
  })
  // One that is installed again keeps its images, whatever becomes of this.
  if (workspace.installed.find(line.name) === undefined)
    intend(transaction, { kind: 'release-images', holder: packageHolder(line.name) })
  workspace.imageReferences.hold(packageHolder(line.name), line.images)
  if (line.kind !== 'router' || (await findMachine(connect, line.name)) !== undefined) return false
  const machine = await provisionRouter(workspace, connect, transaction, {
    pkg,
    source,
    parameters,
    grants: grants.map(({ name }) => name),
  })
  if (!start) return false
  await startMachine(workspace, connect, machine)
  return true
}

function grantsFor({ capabilities }: PackageLine, granted: readonly string[]): readonly Capability[] {
  return capabilities.filter((one) => !needsGrant(one) || granted.includes(one.name))
}

/** A router's machine has its package's name. @throws {VmpkgError} `DOMAIN_EXISTS` for any other domain of that name. */
async function requireFreeName({ installed }: Workspace, connect: Connect, line: PackageLine): Promise<void> {
  const { name, kind } = line
  if (kind !== 'router') return
  const domain = await connect.domainLookupByName({ name }).catch(absent('noDomain'))
  if (domain === undefined) return
  const facts = (await readMachine(domain))?.facts
  if (facts !== undefined && facts.package === name && facts.kind === kind && installed.find(name) !== undefined) return
  const whose = facts === undefined ? 'that vmpkg did not make' : `of package ${facts.package} that is not this one`
  throw new VmpkgError('DOMAIN_EXISTS', `A machine ${name} is there ${whose}`, {
    hint: `Rename or remove it first: virsh domrename ${name} NEW-NAME`,
  })
}

async function summarise(
  workspace: Workspace,
  steps: readonly InstallStep[],
  request: InstallRequest,
): Promise<PlanSummary> {
  const lines = steps.map(({ candidate }) => candidate.line)
  const sizes = await Promise.all(
    steps.map(({ candidate }) => missingBytes(workspace, candidate.line, candidate.transport)),
  )
  const capabilities = lines.flatMap((line) =>
    line.capabilities.map((capability) => ({ line, capability, note: noteOf(line, capability) })),
  )
  const held = (line: PackageLine, name: CapabilityName): boolean =>
    request.grants.includes(name) ||
    (workspace.installed.find(line.name)?.grants.some((grant) => grant.name === name) ?? false)
  const sum = (pick: (size: { download: number; disk: number }) => number): number =>
    sizes.reduce((total, size) => total + pick(size), 0)
  const names = (auto: boolean): string[] =>
    steps.filter(({ isAuto }) => isAuto === auto).map(({ candidate: { line } }) => `${line.name} (${line.version})`)
  return {
    changes: [
      { verb: 'Installing', items: names(false) },
      { verb: 'Installing dependencies', items: names(true) },
      { verb: 'Defining machines', items: lines.filter(({ kind }) => kind === 'router').map(({ name }) => name) },
    ],
    capabilities: capabilities
      .filter(({ capability }) => needsGrant(capability) && isWanted(capability, request.set))
      .map(({ note }) => note),
    missingGrants: capabilities
      .filter(
        ({ line, capability }) =>
          needsGrant(capability) && isWanted(capability, request.set) && !held(line, capability.name),
      )
      .map(({ note }) => note),
    downloadBytes: sum(({ download }) => download),
    diskBytes: sum(({ disk }) => disk),
    notes: [],
  }
}

function noteOf(line: PackageLine, capability: Capability): PlanSummary['capabilities'][number] {
  return { package: line.name, capability: capability.name, reason: explainCapability(capability) }
}

/** Optional capabilities are asked for when the chosen uplink needs them. */
function isWanted(capability: Capability, set: readonly string[]): boolean {
  if (!('optional' in capability) || !capability.optional) return true
  const uplink = parseAssignments(set).findLast(({ parameter }) => parameter === 'uplink')?.value ?? ''
  if (capability.name === 'host-bridge') return uplink.startsWith('bridge:')
  return capability.name === 'pci' && capability.class === 'network' && uplink.startsWith('pci:')
}

/** Who holds a package's images in the store. */
export function packageHolder(name: string): string {
  return `package ${name}`
}

function messagesFor(packages: readonly LoadedPackage[], started: readonly string[]): readonly string[] {
  return packages.flatMap(({ line, manifest }) => [
    `Installed ${line.name} ${line.version}${started.includes(line.name) ? ', its machine is running' : ''}`,
    ...(line.kind === 'app' ? [`Make a machine of it: vmpkg clone ${line.name}`] : []),
    ...(manifest.notes === undefined ? [] : [manifest.notes.trim()]),
  ])
}
