/**
 * Makes a machine from an installed app: a copy-on-write overlay on the signed base, an identity of its own, an isolated
 * port on a router's LAN. An ephemeral clone is a transient domain; its files go when it stops.
 */
import { dirname } from 'node:path'
import { readMachine } from '../domain/inventory.ts'
import { writeMedium } from '../domain/medium.ts'
import { throwIfAborted } from '../domain/readiness.ts'
import { makeFolder } from '../durable-file.ts'
import { VmpkgError } from '../errors.ts'
import { writeOverlay } from '../image/qcow2-overlay.ts'
import type { Connect } from '../libvirt/connect.ts'
import { type Capability, type GrantName, grantName, isGrantedBy, needsGrant } from '../model/capability.ts'
import type { DomainFacts } from '../model/libvirt-facts.ts'
import type { Placement } from '../model/placement.ts'
import type { InstalledPackage } from '../state/installed.ts'
import { chooseName, chooseNet, cloneFacts, planClone, verifyImages } from './clone-plan.ts'
import { createData } from './data-disks.ts'
import { type CapabilityNote, noteOf, notGranted } from './install-plan.ts'
import { machineFiles } from './machine-files.ts'
import { findMissing } from './needed-grants.ts'
import { isGranted } from './package-choice.ts'
import { type LoadedPackage, loadPackage } from './package-store.ts'
import { preflightDomain } from './preflight.ts'
import { intend, transact } from './recover.ts'
import {
  draftMachine,
  finishMachine,
  type MachineDraft,
  type MachineInput,
  renderGuestFiles,
} from './render-machine.ts'
import { prepareStart, type StartOptions, waitForGuest } from './start.ts'
import { cloneHolder } from './stop.ts'
import { validateDefinition } from './validate-definition.ts'
import type { Workspace } from './workspace.ts'

export interface CloneRequest {
  readonly package: string
  readonly name: string | undefined
  readonly net: string | undefined
  readonly ephemeral: boolean
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
  const installed = findTemplate(workspace, request)
  const open = installed.line.capabilities.filter((one) => !grantsOf(installed, request).includes(one))
  if (open.length === 0) return []
  const { missing } = await prepareClone(workspace, request, installed)
  return missing.map((one) => noteOf(installed.line.name, one))
}

/**
 * @throws {VmpkgError} `PACKAGE_NOT_INSTALLED` `USAGE` `DOMAIN_EXISTS` `NAME_INVALID` `NETWORK_UNAVAILABLE`
 *   `CAPABILITY_NOT_GRANTED` `PARAMETER_INVALID` `IMAGE_DAMAGED` `PLACEMENT_IMPOSSIBLE` `HUGEPAGES_MISSING` and what rendering, the gate and libvirt refuse
 */
export async function clone(workspace: Workspace, request: CloneRequest): Promise<CloneResult> {
  if (!request.dryRun) await workspace.lock()
  const installed = findTemplate(workspace, request)
  const { line } = installed
  const prepared = await prepareClone(workspace, request, installed)
  const { pkg, draft, facts, missing } = prepared
  const missingGrants = missing.map((one) => noteOf(line.name, one))
  if (missing.length > 0 && !request.dryRun) throw notGranted(missingGrants)
  const input = { ...prepared.input, grants: [...prepared.input.grants, ...missing.map(grantName)] }
  const { name } = input
  const { net } = facts
  await verifyImages(workspace, pkg)
  const disk = line.images.find(({ role }) => role === 'disk')
  const guest = renderGuestFiles(input)
  const xml = finishMachine(input, draft, facts)
  const connect = await workspace.connect()
  await validateDefinition(workspace, connect, 'domain', xml)
  const { uuid } = input.identity
  const grants = grantsOf(installed, request)
  const granted = grants.filter((one) => needsGrant(one) && !isGranted(one, installed.grants)).map(grantName)
  const result: CloneResult = {
    name,
    uuid,
    net,
    ephemeral: request.ephemeral,
    address: undefined,
    xml,
    granted,
    missingGrants,
    ...(input.placement === undefined ? {} : { placement: input.placement }),
  }
  if (request.dryRun) return result

  return transact(workspace, { operation: 'clone', subject: name }, async (transaction) => {
    const { processes, signal, emit } = workspace.outside
    const files = machineFiles(workspace.connectionPaths, uuid)
    emit({ type: 'stage-started', stage: 'define', subject: name })
    intend(transaction, { kind: 'remove-machine-files', uuid })
    intend(transaction, { kind: 'release-images', holder: cloneHolder(uuid) })
    workspace.imageReferences.hold(cloneHolder(uuid), line.images)
    await makeFolder(dirname(files.medium))
    if (input.overlay !== undefined && disk !== undefined) {
      const virtualSize = Math.ceil(disk.size / 512) * 512
      await writeOverlay({
        path: input.overlay.path,
        backing: input.overlay.base,
        virtualSize,
        isDurable: !request.ephemeral,
      })
    }
    await createData(workspace, transaction, name, input.data ?? [])
    await writeMedium({ files: guest.files, target: files.medium, processes, signal })
    throwIfAborted(signal)
    intend(transaction, { kind: 'remove-domain', uuid, name })
    if (request.start) await prepareStart(workspace, connect, xml)
    else await preflightDomain(workspace, connect, xml, { until: 'define' })
    if (request.ephemeral) await connect.domainCreateXML({ xml, flags: ['validate'] })
    else {
      const domain = await connect.domainDefineXML({ xml, flags: ['validate'] })
      if (request.start) await domain.create()
    }
    let address: string | undefined
    if (request.start && request.wait) {
      emit({ type: 'stage-started', stage: 'boot', subject: name })
      address = await waitForAddress(workspace, connect, uuid, request)
      emit({ type: 'stage-finished', stage: 'boot', subject: name })
    }
    throwIfAborted(signal)
    transaction.commit(() => {
      if (granted.length === 0) return
      const after = { ...installed, grants }
      workspace.installed.put(after)
      const packages = [{ name: line.name, before: installed, after }]
      workspace.history.record(transaction.id, { packages, definitions: [] })
    })
    emit({ type: 'stage-finished', stage: request.start ? 'start' : 'define', subject: name })
    return { ...result, address }
  })
}

/** @throws {VmpkgError} `PACKAGE_NOT_INSTALLED` `USAGE` */
function findTemplate(workspace: Workspace, request: CloneRequest): InstalledPackage {
  const installed = workspace.installed.get(request.package)
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
  return installed
}

/** With those that the request grants. */
function grantsOf({ line, grants }: InstalledPackage, request: CloneRequest): readonly Capability[] {
  return line.capabilities.filter((one) => isGrantedBy(one, request.grants) || isGranted(one, grants))
}

interface PreparedClone {
  readonly pkg: LoadedPackage
  readonly input: MachineInput
  readonly draft: MachineDraft
  readonly facts: DomainFacts
  readonly missing: readonly Capability[]
}

async function prepareClone(
  workspace: Workspace,
  request: CloneRequest,
  installed: InstalledPackage,
): Promise<PreparedClone> {
  const { line, source, parameters: before } = installed
  const connect = await workspace.connect()
  const pkg = await loadPackage(workspace, line)
  const name = await chooseName(connect, line, request.name)
  const net = await chooseNet(connect, pkg, request.net)
  const grants = grantsOf(installed, request).map(grantName)
  const input = await planClone(workspace, connect, pkg, { ...request, name, net, before, grants })
  const facts = cloneFacts(workspace, input, { source, net, ephemeral: request.ephemeral })
  const draft = await draftMachine(input)
  return { pkg, input, draft, facts, missing: findMissing(input, draft) }
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
