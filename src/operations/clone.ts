/**
 * Makes machines from an installed app: each with a copy-on-write overlay on the signed base, an identity of its own, an
 * isolated port on a router's LAN. An ephemeral clone is a transient domain; its files go when it stops.
 */
import { listMachines, readMachine } from '../domain/inventory.ts'
import { throwIfAborted } from '../domain/readiness.ts'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { type Capability, type GrantName, grantName, isGrantedBy, needsGrant } from '../model/capability.ts'
import type { DomainFacts } from '../model/libvirt-facts.ts'
import type { Placement } from '../model/placement.ts'
import type { InstalledPackage } from '../state/installed.ts'
import type { Transaction } from '../state/journal.ts'
import { together } from '../together.ts'
import { checkPlaces } from './clone-places.ts'
import { chooseName, chooseNames, chooseNet, cloneFacts, planClones, storageOf, verifyImages } from './clone-plan.ts'
import type { EphemeralMode } from './ephemeral.ts'
import { collectVanished } from './gc.ts'
import { type CapabilityNote, noteOf, notGranted } from './install-plan.ts'
import { makeMachine, type PlannedMachine } from './make-machine.ts'
import { findMissing } from './needed-grants.ts'
import { isGranted } from './package-choice.ts'
import { type LoadedPackage, loadPackage } from './package-store.ts'
import { findHits, takeHit } from './pool-hit.ts'
import { relieve } from './pool-relief.ts'
import { transact } from './recover.ts'
import {
  draftMachine,
  finishMachine,
  type MachineDraft,
  type MachineInput,
  renderGuestFiles,
} from './render-machine.ts'
import { type StartOptions, waitForGuest } from './start.ts'
import { namelessEntry } from './stop.ts'
import { chooseStorage, findStorage } from './storage.ts'
import { validateDefinition } from './validate-definition.ts'
import type { Workspace } from './workspace.ts'

/** Most of the time is waiting for the disk and for libvirt. */
const MADE_AT_ONCE = 8

export interface CloneRequest {
  readonly package: string
  readonly name: string | undefined
  readonly net: string | undefined
  readonly ephemeral: boolean
  /** Where an ephemeral one writes: `ram`, `encrypted` or `transient`; what fits best where it is absent. */
  readonly mode?: string | undefined
  /** It ends with this connection; only for ephemeral ones. */
  readonly autodestroy?: boolean
  /** Where its disks go: a name of `storage list`; the default one where it is absent. Not for ephemeral ones. */
  readonly storage?: string | undefined
  /** The same for data disks that are not there yet; as `storage` where it is absent. */
  readonly dataStorage?: string | undefined
  /** An ephemeral one may be taken out of the package's pool; then `autodestroy` is vmpkg's, not libvirt's. */
  readonly pool?: boolean
  /** How many; their names have numbers then, also for 1. */
  readonly count?: number | undefined
  readonly set: readonly string[]
  readonly profiles: readonly string[]
  /** Capabilities granted to the package besides those that it has; remembered for it. */
  readonly grants: readonly string[]
  readonly start: boolean
  readonly wait: boolean
  /** How long it may take until it has its address; what its package says where it is absent. */
  readonly timeoutSeconds: number | undefined
  readonly dryRun: boolean
}

export interface CloneResult {
  readonly name: string
  readonly uuid: string
  readonly net: string | undefined
  readonly ephemeral: boolean
  /** Of an ephemeral one. */
  readonly mode?: EphemeralMode
  /** It was booted already, and waited. */
  readonly pooled?: boolean
  /** Known when it was waited for. */
  readonly address: string | undefined
  /** As defined. */
  readonly xml: string
  /** Where it is pinned and which pages it has, with reasons; absent where it asks for neither. */
  readonly placement?: Placement
  /** What the package was granted by this. */
  readonly granted: readonly GrantName[]
  /** Of a dry run: what would be asked for. */
  readonly missingGrants: readonly CapabilityNote[]
}

/**
 * What has to be granted for this clone and is not yet; nothing is changed.
 * @throws {VmpkgError} as `clone`; `POLICY_REFUSED` where no grant would help
 */
export async function findCloneGrants(workspace: Workspace, request: CloneRequest): Promise<readonly CapabilityNote[]> {
  const installed = await findTemplate(workspace, request)
  const open = installed.line.capabilities.filter((one) => !grantsOf(installed, request).includes(one))
  if (open.length === 0) return []
  const connect = await workspace.connect()
  const pkg = await loadPackage(workspace, installed.line)
  const names = await chooseAll(connect, installed, request)
  const net = await chooseNet(connect, installed.line, request.net)
  const { missing } = await prepareClones(workspace, connect, installed, pkg, { ...request, names, net })
  return missing.map((one) => noteOf(installed.line.name, one))
}

/**
 * One machine.
 * @throws {VmpkgError} `PACKAGE_NOT_INSTALLED` `USAGE` `DOMAIN_EXISTS` `NAME_INVALID` `NETWORK_UNAVAILABLE`
 *   `CAPABILITY_NOT_GRANTED` `PARAMETER_INVALID` `IMAGE_DAMAGED` `PLACEMENT_IMPOSSIBLE` `HUGEPAGES_MISSING` `NO_SPACE`
 *   `HOST_UNSUPPORTED` and what rendering, the gate and libvirt refuse
 */
export async function clone(workspace: Workspace, request: Omit<CloneRequest, 'count'>): Promise<CloneResult> {
  const [made] = await cloneSeveral(workspace, { ...request, count: undefined })
  if (made === undefined) throw new TypeError('nothing was made')
  return made
}

/** As many as `count` says, or none of them. @throws {VmpkgError} as `clone`, `ADDRESS_UNAVAILABLE` */
export async function cloneSeveral(workspace: Workspace, request: CloneRequest): Promise<readonly CloneResult[]> {
  if (!request.dryRun) await workspace.lock()
  const installed = await findTemplate(workspace, request)
  const { line } = installed
  const connect = await workspace.connect()
  const [pkg] = await together([
    loadPackage(workspace, line),
    request.dryRun ? Promise.resolve() : collectVanished(workspace),
  ])
  const [names, net] = await together([chooseAll(connect, installed, request), chooseNet(connect, line, request.net)])
  const pooled = request.ephemeral && request.pool === true
  const hits = pooled ? await findHits(workspace, connect, installed, { ...request, names, net }) : []
  if (request.dryRun && hits.length > 0) {
    const message = `${hits.length === 1 ? 'A machine' : `${hits.length} machines`} of the pool would be taken`
    workspace.outside.emit({ type: 'noted', message })
  }
  const plan = async (some: readonly string[]): Promise<Planned> =>
    planAll(workspace, connect, installed, pkg, { ...request, names: some, net })
  if (request.dryRun) return (await plan(names)).machines.map(({ result }) => result)
  const rest = names.slice(hits.length)
  const planned = rest.length === 0 ? undefined : await plan(rest)
  const grants = grantsOf(installed, request)
  const granted = grants.filter((one) => needsGrant(one) && !isGranted(one, installed.grants)).map(grantName)

  const entry = request.ephemeral ? namelessEntry('clone', line.name) : { operation: 'clone', subject: names.join(' ') }
  return transact(workspace, entry, async (transaction) => {
    const { signal, emit } = workspace.outside
    emit({ type: 'stage-started', stage: 'define', subject: names.join(' ') })
    const results: CloneResult[] = []
    for (const hit of hits) {
      results.push(
        (await takeHit(workspace, connect, transaction, hit, granted)) ??
          (await makeAll(workspace, connect, transaction, await plan([hit.facts.alias ?? '']), request))[0] ??
          unmade(),
      )
      throwIfAborted(signal)
    }
    if (planned !== undefined) results.push(...(await makeAll(workspace, connect, transaction, planned, request)))
    const addresses = request.start && request.wait ? await waitForAll(workspace, connect, results, request) : []
    throwIfAborted(signal)
    transaction.commit(() => {
      if (granted.length === 0) return
      const after = { ...installed, grants }
      workspace.installed.put(after)
      const packages = [{ name: line.name, before: installed, after }]
      workspace.history.record(transaction.id, { packages, definitions: [] })
    })
    emit({ type: 'stage-finished', stage: request.start ? 'start' : 'define', subject: names.join(' ') })
    return results.map((result, index) => ({ ...result, address: addresses[index] }))
  })
}

interface Planned {
  readonly machines: readonly (PlannedMachine & { readonly result: CloneResult })[]
  readonly mode: EphemeralMode | undefined
}

type NamedRequest = CloneRequest & { readonly names: readonly string[]; readonly net: string | undefined }

/** @throws {VmpkgError} as `cloneSeveral` */
async function planAll(
  workspace: Workspace,
  connect: Connect,
  installed: InstalledPackage,
  pkg: LoadedPackage,
  request: NamedRequest,
): Promise<Planned> {
  const { machines, mode, missing, draft } = await prepareWithRoom(workspace, connect, installed, pkg, request)
  const missingGrants = missing.map((one) => noteOf(pkg.line.name, one))
  if (missing.length > 0 && !request.dryRun) throw notGranted(missingGrants)
  await verifyImages(workspace, pkg)
  const grants = grantsOf(installed, request)
  const granted = grants.filter((one) => needsGrant(one) && !isGranted(one, installed.grants)).map(grantName)
  const planned: (PlannedMachine & { result: CloneResult })[] = []
  for (const [index, machine] of machines.entries()) {
    const input = { ...machine.input, grants: [...machine.input.grants, ...missing.map(grantName)] }
    const drafted = (index === 0 ? draft : undefined) ?? (await draftMachine(input))
    const xml = finishMachine(input, drafted, machine.facts)
    if (request.dryRun) await validateDefinition(workspace, connect, 'domain', xml) // else libvirt does, see makeMachine
    const result: CloneResult = {
      name: input.name,
      uuid: input.identity.uuid,
      net: machine.facts.net,
      ephemeral: request.ephemeral,
      ...(mode === undefined ? {} : { mode }),
      address: undefined,
      xml,
      granted,
      missingGrants,
      ...(input.placement === undefined ? {} : { placement: input.placement }),
    }
    planned.push({ input, result, guest: request.dryRun ? undefined : renderGuestFiles(input) })
  }
  if (!request.dryRun) {
    await checkPlaces(
      workspace,
      planned.map(({ input }) => input),
    )
  }
  return { machines: planned, mode }
}

async function makeAll(
  workspace: Workspace,
  connect: Connect,
  transaction: Transaction,
  { machines, mode }: Planned,
  request: CloneRequest,
): Promise<readonly CloneResult[]> {
  // Those that start do so one after the other: each may take what is left of the host's memory.
  const atOnce = request.start ? 1 : MADE_AT_ONCE
  for (let from = 0; from < machines.length; from += atOnce) {
    const some = machines.slice(from, from + atOnce)
    const made = await Promise.allSettled(
      some.map((machine) => makeMachine(workspace, connect, transaction, machine, request, mode)),
    )
    // Not before all have ended: what is undone must not be made meanwhile.
    for (const one of made) if (one.status === 'rejected') throw one.reason
    throwIfAborted(workspace.outside.signal)
  }
  return machines.map(({ result }) => result)
}

function unmade(): never {
  throw new TypeError('nothing was made')
}

async function chooseAll(
  connect: Connect,
  { line }: InstalledPackage,
  { name, count }: CloneRequest,
): Promise<readonly string[]> {
  return count === undefined ? [await chooseName(connect, line, name)] : chooseNames(connect, line, name, count)
}

/** They boot at the same time. */
async function waitForAll(
  workspace: Workspace,
  connect: Connect,
  made: readonly CloneResult[],
  request: CloneRequest,
): Promise<readonly (string | undefined)[]> {
  const { emit } = workspace.outside
  return Promise.all(
    made.map(async ({ name, uuid }) => {
      emit({ type: 'stage-started', stage: 'boot', subject: name })
      const address = await waitForAddress(workspace, connect, uuid, request)
      emit({ type: 'stage-finished', stage: 'boot', subject: name })
      return address
    }),
  )
}

/** @throws {VmpkgError} `PACKAGE_NOT_INSTALLED` `USAGE` */
async function findTemplate(workspace: Workspace, request: CloneRequest): Promise<InstalledPackage> {
  const installed = workspace.installed.find(request.package) ?? (await notInstalled(workspace, request.package))
  const { line } = installed
  if (line.kind === 'router') {
    throw new VmpkgError('USAGE', `${line.name} is a router: it is one machine, not a template`, {
      hint: `vmpkg start ${line.name}`,
    })
  }
  if (request.ephemeral && !request.start) {
    throw new VmpkgError('USAGE', 'An ephemeral clone exists only while it runs', {
      hint: 'Leave out --no-start or --ephemeral.',
    })
  }
  if (!request.ephemeral && (request.mode !== undefined || request.autodestroy === true)) {
    throw new VmpkgError(
      'USAGE',
      `${request.mode === undefined ? '--autodestroy' : '--mode'} is for ephemeral clones`,
      {
        hint: 'Add --ephemeral.',
      },
    )
  }
  if (request.ephemeral && (request.storage !== undefined || request.dataStorage !== undefined)) {
    throw new VmpkgError('USAGE', 'A storage is for machines that are kept', {
      hint: 'An ephemeral clone writes to memory or to an encrypted file: see --mode.',
    })
  }
  return installed
}

/** @throws {VmpkgError} `PACKAGE_NOT_INSTALLED`, with another way where it is the name of a machine */
async function notInstalled(workspace: Workspace, name: string): Promise<InstalledPackage> {
  const machines = await listMachines(await workspace.connect())
  if (!machines.some((one) => one.name === name)) return workspace.installed.get(name)
  throw new VmpkgError('PACKAGE_NOT_INSTALLED', `${name} is a machine, and no package of that name is installed`, {
    hint: `vmpkg clone --from ${name} makes a copy of the machine.`,
  })
}

/** With those that the request grants. */
function grantsOf({ line, grants }: InstalledPackage, request: CloneRequest): readonly Capability[] {
  return line.capabilities.filter((one) => isGrantedBy(one, request.grants) || isGranted(one, grants))
}

interface PreparedClones {
  readonly machines: readonly { readonly input: MachineInput; readonly facts: DomainFacts }[]
  readonly mode: EphemeralMode | undefined
  readonly missing: readonly Capability[]
  /** Of the first. */
  readonly draft: MachineDraft | undefined
}

async function prepareClones(
  workspace: Workspace,
  connect: Connect,
  installed: InstalledPackage,
  pkg: LoadedPackage,
  request: NamedRequest,
): Promise<PreparedClones> {
  const { source, parameters: before } = installed
  const { ephemeral, mode: wantedMode, net } = request
  const grants = grantsOf(installed, request).map(grantName)
  const disk = ephemeral ? undefined : chooseStorage(workspace, request.storage)
  const data = request.dataStorage === undefined ? disk : findStorage(workspace, request.dataStorage)
  const { storage: _, ...wishes } = request
  const plan = { ...wishes, wantedMode, before, grants, places: { disk, data } }
  const { inputs, mode } = await planClones(workspace, connect, pkg, plan)
  const storage = storageOf(mode)
  const machines = inputs.map((input) => ({
    input,
    facts: cloneFacts(workspace, input, { source, net, ephemeral, storage }),
  }))
  const [first] = inputs
  const draft = first === undefined ? undefined : await draftMachine(first)
  const missing = first === undefined || draft === undefined ? [] : findMissing(first, draft)
  return { machines, mode, missing, draft }
}

/** What waits in pools is not in the way of what somebody wants now. */
async function prepareWithRoom(...args: Parameters<typeof prepareClones>): Promise<PreparedClones> {
  const [workspace, connect, , , request] = args
  try {
    return await prepareClones(...args)
  } catch (error) {
    if (request.dryRun || !isVmpkgError(error, 'NO_SPACE')) throw error
    const { needed, free } = error.details
    if (typeof needed !== 'number' || typeof free !== 'number') throw error
    if ((await relieve(workspace, connect, needed - free)) === 0) throw error
    return prepareClones(...args)
  }
}

async function waitForAddress(
  workspace: Workspace,
  connect: Connect,
  uuid: string,
  options: StartOptions,
): Promise<string | undefined> {
  const machine = await readMachine(await connect.domainLookupByUuid({ uuid }))
  if (machine === undefined) return undefined
  const reply = await waitForGuest(
    workspace,
    machine,
    options,
    ({ ready, lan, wan }) => ready === true && (lan ?? wan)?.address != null,
  )
  return (reply.lan ?? reply.wan)?.address ?? undefined
}
