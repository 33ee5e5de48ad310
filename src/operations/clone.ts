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
import { grantName } from '../model/capability.ts'
import type { Placement } from '../model/placement.ts'
import { chooseName, chooseNet, cloneFacts, planClone, requireGrants, verifyImages } from './clone-plan.ts'
import { machineFiles } from './machine-files.ts'
import { loadPackage } from './package-store.ts'
import { preflightDomain } from './preflight.ts'
import { intend, transact } from './recover.ts'
import { renderGuestFiles, renderMachine } from './render-machine.ts'
import { prepareStart, waitForGuest } from './start.ts'
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
  readonly start: boolean
  readonly wait: boolean
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
}

/**
 * @throws {VmpkgError} `PACKAGE_NOT_INSTALLED` `USAGE` `DOMAIN_EXISTS` `NAME_INVALID` `NETWORK_UNAVAILABLE`
 *   `CAPABILITY_NOT_GRANTED` `PARAMETER_INVALID` `IMAGE_DAMAGED` `PLACEMENT_IMPOSSIBLE` `HUGEPAGES_MISSING` and what rendering, the gate and libvirt refuse
 */
export async function clone(workspace: Workspace, request: CloneRequest): Promise<CloneResult> {
  const { line, grants, source, parameters: before } = workspace.installed.get(request.package)
  if (line.kind === 'router' || line.kind === 'controller') {
    throw new VmpkgError('USAGE', `${line.name} is a ${line.kind}: it is one machine, not a template`, {
      hint: `vmpkg start ${line.name}`,
    })
  }
  if (request.ephemeral && !request.start) {
    throw new VmpkgError('USAGE', 'An ephemeral clone exists only while it runs', {
      hint: 'Leave out --no-start or --ephemeral.',
    })
  }
  const connect = await workspace.connect()
  const pkg = await loadPackage(workspace, line)
  const name = await chooseName(connect, line, request.name)
  const net = await chooseNet(connect, pkg, request.net)
  const granted = grants.map((one) => grantName(one))
  requireGrants(pkg, granted)
  await verifyImages(workspace, pkg)
  const input = await planClone(workspace, connect, pkg, {
    ...request,
    name,
    net,
    before,
    grants: granted,
  })
  const disk = line.images.find(({ role }) => role === 'disk')
  const guest = renderGuestFiles(input)
  const facts = cloneFacts(workspace, input, { source, net, ephemeral: request.ephemeral })
  const xml = await renderMachine(input, facts)
  await validateDefinition(workspace, connect, 'domain', xml)
  const { uuid } = input.identity
  const result: CloneResult = {
    name,
    uuid,
    net,
    ephemeral: request.ephemeral,
    address: undefined,
    xml,
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
      address = await waitForAddress(workspace, connect, uuid)
      emit({ type: 'stage-finished', stage: 'boot', subject: name })
    }
    throwIfAborted(signal)
    transaction.commit()
    emit({ type: 'stage-finished', stage: request.start ? 'start' : 'define', subject: name })
    return { ...result, address }
  })
}

async function waitForAddress(workspace: Workspace, connect: Connect, uuid: string): Promise<string | undefined> {
  const machine = await readMachine(await connect.domainLookupByUuid({ uuid }))
  if (machine === undefined) return undefined
  const reply = await waitForGuest(
    workspace,
    machine,
    ({ ready, lan, wan }) => ready === true && (lan ?? wan)?.address != null,
  )
  return (reply.lan ?? reply.wan)?.address ?? undefined
}
