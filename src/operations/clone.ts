/**
 * Makes machines from an installed app: each with a copy-on-write overlay on the signed base, an identity of its own, an
 * isolated port on a router's LAN. An ephemeral clone is a transient domain; its files go when it stops.
 */
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineDiskSecret } from '../domain/disk-secret.ts'
import { newUuid } from '../domain/identity.ts'
import { absent, listMachines, readMachine } from '../domain/inventory.ts'
import { writeMedium } from '../domain/medium.ts'
import { throwIfAborted } from '../domain/readiness.ts'
import { destroyOwnDomain } from '../domain/removal.ts'
import { makeFolder } from '../durable-file.ts'
import { VmpkgError } from '../errors.ts'
import { formatLuksHeader, newPassphrase } from '../image/luks-header.ts'
import { writeOverlay } from '../image/qcow2-overlay.ts'
import type { Connect } from '../libvirt/connect.ts'
import type { Domain } from '../libvirt/domain.ts'
import { type Capability, type GrantName, grantName, isGrantedBy, needsGrant } from '../model/capability.ts'
import type { DomainFacts } from '../model/libvirt-facts.ts'
import type { Placement } from '../model/placement.ts'
import type { Storage } from '../model/storage.ts'
import type { InstalledPackage } from '../state/installed.ts'
import type { Transaction } from '../state/journal.ts'
import { chooseName, chooseNames, chooseNet, cloneFacts, planClones, storageOf, verifyImages } from './clone-plan.ts'
import { createData } from './data-disks.ts'
import { listDataVolumes } from './data-file.ts'
import { type EphemeralMode, listEphemeralGaps } from './ephemeral.ts'
import { collectVanished } from './gc.ts'
import { type CapabilityNote, noteOf, notGranted } from './install-plan.ts'
import { hideQemuLog } from './machine-files.ts'
import { findMissing } from './needed-grants.ts'
import { isGranted } from './package-choice.ts'
import { loadPackage } from './package-store.ts'
import { preflightDomain } from './preflight.ts'
import { intend, transact } from './recover.ts'
import { draftMachine, finishMachine, type GuestFiles, type MachineInput, renderGuestFiles } from './render-machine.ts'
import { prepareStart, type StartOptions, waitForGuest } from './start.ts'
import { cloneHolder, forgetClone, namelessEntry } from './stop.ts'
import { chooseStorage, findStorage } from './storage.ts'
import { needStorageKey } from './storage-key.ts'
import { checkStorageSpace, overcommitOf } from './storage-space.ts'
import { makeVolume, volumeOf } from './storage-volumes.ts'
import { validateDefinition } from './validate-definition.ts'
import type { Workspace } from './workspace.ts'

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
  const { missing } = await prepareClones(workspace, request, installed)
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
  if (!request.dryRun) {
    await workspace.lock()
    await collectVanished(workspace)
  }
  const installed = await findTemplate(workspace, request)
  const { line } = installed
  const { machines, mode, missing } = await prepareClones(workspace, request, installed)
  const missingGrants = missing.map((one) => noteOf(line.name, one))
  if (missing.length > 0 && !request.dryRun) throw notGranted(missingGrants)
  const [first] = machines
  if (first === undefined) throw new TypeError('nothing was planned')
  await verifyImages(workspace, first.input.pkg)
  const connect = await workspace.connect()
  const grants = grantsOf(installed, request)
  const granted = grants.filter((one) => needsGrant(one) && !isGranted(one, installed.grants)).map(grantName)
  const planned: PlannedMachine[] = []
  for (const machine of machines) {
    const input = { ...machine.input, grants: [...machine.input.grants, ...missing.map(grantName)] }
    const xml = finishMachine(input, await draftMachine(input), machine.facts)
    await validateDefinition(workspace, connect, 'domain', xml)
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
  if (request.dryRun) return planned.map(({ result }) => result)

  await checkPlaces(
    workspace,
    planned.map(({ input }) => input),
  )
  const names = planned.map(({ result }) => result.name).join(' ')
  const entry = request.ephemeral ? namelessEntry('clone', line.name) : { operation: 'clone', subject: names }
  return transact(workspace, entry, async (transaction) => {
    const { signal, emit } = workspace.outside
    emit({ type: 'stage-started', stage: 'define', subject: names })
    for (const machine of planned) {
      await makeMachine(workspace, connect, transaction, machine, request, mode)
      throwIfAborted(signal)
    }
    const addresses = request.start && request.wait ? await waitForAll(workspace, connect, planned, request) : []
    throwIfAborted(signal)
    transaction.commit(() => {
      if (granted.length === 0) return
      const after = { ...installed, grants }
      workspace.installed.put(after)
      const packages = [{ name: line.name, before: installed, after }]
      workspace.history.record(transaction.id, { packages, definitions: [] })
    })
    emit({ type: 'stage-finished', stage: request.start ? 'start' : 'define', subject: names })
    return planned.map(({ result }, index) => ({ ...result, address: addresses[index] }))
  })
}

/** Before anything is written. @throws {VmpkgError} `NO_SPACE` `STORAGE_UNAVAILABLE` `STORAGE_LOCKED` */
async function checkPlaces(workspace: Workspace, inputs: readonly MachineInput[]): Promise<void> {
  const needs = new Map<string, { readonly storage: Storage; readonly sizes: number[] }>()
  const add = (path: string, size: number): void => {
    const storage = volumeOf(workspace.connectionPaths, path)
    if (storage === undefined) return
    const known = needs.get(storage.uuid) ?? { storage, sizes: [] }
    known.sizes.push(size)
    needs.set(storage.uuid, known)
  }
  const present = needsData(inputs) ? new Set((await listDataVolumes(workspace)).map(({ path }) => path)) : new Set()
  for (const { pkg, overlay, data = [] } of inputs) {
    const disk = pkg.line.images.find(({ role }) => role === 'disk')
    if (overlay !== undefined && disk !== undefined) add(overlay.path, disk.size)
    for (const one of data) if (!present.has(one.path)) add(one.path, one.size)
  }
  const connect = await workspace.connect()
  for (const { storage, sizes } of needs.values()) {
    await checkStorageSpace(workspace, storage, sizes)
    if (storage.isEncrypted) (await needStorageKey(workspace, connect, storage)).fill(0)
    const overcommit = await overcommitOf(workspace, storage)
    if (overcommit !== undefined) workspace.outside.emit({ type: 'noted', message: overcommit })
  }
}

function needsData(inputs: readonly MachineInput[]): boolean {
  return inputs.some(({ data = [] }) => data.length > 0)
}

interface PlannedMachine {
  readonly input: MachineInput
  readonly result: CloneResult
  readonly guest: GuestFiles | undefined
}

/** Each step is intended before it is done. */
async function makeMachine(
  workspace: Workspace,
  connect: Connect,
  transaction: Transaction,
  { input, result: { name, uuid, xml }, guest }: PlannedMachine,
  request: CloneRequest,
  mode: EphemeralMode | undefined,
): Promise<void> {
  const { processes, signal, emit } = workspace.outside
  const { images } = input.pkg.line
  const disk = images.find(({ role }) => role === 'disk')
  intend(transaction, { kind: 'remove-machine-files', uuid })
  intend(transaction, { kind: 'release-images', holder: cloneHolder(uuid) })
  workspace.imageReferences.hold(cloneHolder(uuid), images)
  await makeFolder(dirname(input.medium))
  if (input.overlay !== undefined && disk !== undefined) {
    if (mode === 'encrypted') intend(transaction, { kind: 'remove-secret', uuid })
    const { path, base: backing } = input.overlay
    const volume = { path, backing, virtualSize: Math.ceil(disk.size / 512) * 512 }
    const storage = request.ephemeral ? undefined : volumeOf(workspace.connectionPaths, path)
    if (storage === undefined) {
      const key = mode === 'encrypted' ? { luks: await makeKey(workspace, connect, uuid, path) } : {}
      await writeOverlay({ ...volume, isDurable: !request.ephemeral, ...key })
    } else await makeVolume(workspace, storage, volume)
  }
  await createData(workspace, transaction, name, input.data ?? [])
  await writeMedium({ files: guest?.files ?? new Map(), target: input.medium, processes, signal })
  throwIfAborted(signal)
  intend(transaction, { kind: 'remove-domain', uuid, name: request.ephemeral ? '' : name })
  if (request.start) await prepareStart(workspace, connect, xml)
  else await preflightDomain(workspace, connect, xml, { until: 'define' })
  if (mode !== undefined) {
    const isHidden = await hideQemuLog(workspace.connectionPaths, uuid, name)
    for (const gap of await listEphemeralGaps(workspace, mode, isHidden)) {
      emit({ type: 'noted', message: `Of ${name} this may outlast it on this host: ${gap}` })
    }
    const flags = request.autodestroy === true ? (['validate', 'autodestroy'] as const) : (['validate'] as const)
    await connect.domainCreateXML({ xml, flags: [...flags] })
    return
  }
  const domain = await connect.domainDefineXML({ xml, flags: ['validate'] })
  if (request.start) await domain.create()
}

/** Its passphrase is known to libvirt and QEMU alone once this is over. */
async function makeKey(workspace: Workspace, connect: Connect, uuid: string, overlay: string): Promise<Buffer> {
  const { randomness } = workspace.outside
  const passphrase = newPassphrase(randomness)
  await defineDiskSecret(connect, { uuid, overlay, passphrase })
  const header = formatLuksHeader(passphrase, newUuid(randomness), randomness)
  passphrase.fill(0)
  return header
}

/** They boot at the same time. */
async function waitForAll(
  workspace: Workspace,
  connect: Connect,
  planned: readonly PlannedMachine[],
  request: CloneRequest,
): Promise<readonly (string | undefined)[]> {
  const { emit } = workspace.outside
  return Promise.all(
    planned.map(async ({ result: { name, uuid } }) => {
      emit({ type: 'stage-started', stage: 'boot', subject: name })
      const address = await waitForAddress(workspace, connect, uuid, request)
      emit({ type: 'stage-finished', stage: 'boot', subject: name })
      return address
    }),
  )
}

/**
 * Waits until machines that end with this connection have ended, and removes what they leave. Does not hold the lock
 * meanwhile: once made they are nobody's business but their own.
 */
export async function attendClones(workspace: Workspace, uuids: readonly string[]): Promise<void> {
  const { signal } = workspace.outside
  const connect = await workspace.connect()
  await workspace.unlock()
  for (const uuid of uuids) {
    const domain = await connect.domainLookupByUuid({ uuid }).catch(absent('noDomain'))
    if (domain === undefined) continue
    while (!signal.aborted && (await isActive(domain))) await sleep(ATTEND_MS)
  }
  for (const uuid of uuids) {
    await destroyOwnDomain(connect, uuid)
    await forgetClone(workspace, uuid)
  }
}

const ATTEND_MS = 300

async function isActive(domain: Domain): Promise<boolean> {
  return (await domain.isActive().catch(absent('noDomain'))) ?? false
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
}

async function prepareClones(
  workspace: Workspace,
  request: CloneRequest,
  installed: InstalledPackage,
): Promise<PreparedClones> {
  const { line, source, parameters: before } = installed
  const { ephemeral, mode: wantedMode, count } = request
  const connect = await workspace.connect()
  const pkg = await loadPackage(workspace, line)
  const names =
    count === undefined
      ? [await chooseName(connect, line, request.name)]
      : await chooseNames(connect, line, request.name, count)
  const net = await chooseNet(connect, pkg, request.net)
  const grants = grantsOf(installed, request).map(grantName)
  const disk = ephemeral ? undefined : chooseStorage(workspace, request.storage)
  const data = request.dataStorage === undefined ? disk : findStorage(workspace, request.dataStorage)
  const { storage: _, ...wishes } = request
  const plan = { ...wishes, names, wantedMode, net, before, grants, places: { disk, data } }
  const { inputs, mode } = await planClones(workspace, connect, pkg, plan)
  const storage = storageOf(mode)
  const machines = inputs.map((input) => ({
    input,
    facts: cloneFacts(workspace, input, { source, net, ephemeral, storage }),
  }))
  const [first] = inputs
  const missing = first === undefined ? [] : findMissing(first, await draftMachine(first))
  return { machines, mode, missing }
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
