/**
 * Makes a machine from an installed app: a copy-on-write overlay on the signed base, an identity of its own, an isolated
 * port on a router's LAN. An ephemeral clone is a transient domain; its files go when it stops.
 */
import { dirname } from 'node:path'
import { newIdentity, newMac } from '../domain/identity.ts'
import { absent, listOwnNetworks, readMachine } from '../domain/inventory.ts'
import { writeMedium } from '../domain/medium.ts'
import { throwIfAborted } from '../domain/readiness.ts'
import { makeFolder } from '../durable-file.ts'
import { VmpkgError } from '../errors.ts'
import { writeOverlay } from '../image/qcow2-overlay.ts'
import { ImageStore } from '../image/store.ts'
import type { Connect } from '../libvirt/connect.ts'
import { grantName, isGrantedBy, isOptional } from '../model/capability.ts'
import type { PackageLine } from '../model/line.ts'
import type { ParameterValues } from '../model/manifest.ts'
import { parseDomainName } from '../model/name.ts'
import type { NicContext } from '../model/template-context.ts'
import { chooseHypervisor } from './hypervisor.ts'
import { imagePaths } from './images.ts'
import { machineFiles } from './machine-files.ts'
import { type LoadedPackage, loadPackage } from './package-store.ts'
import { assignParameters } from './parameters.ts'
import { intend, transact } from './recover.ts'
import { type MachineInput, renderGuestFiles, renderMachine } from './render-machine.ts'
import { prepareStart, waitForGuest } from './start.ts'
import { cloneHolder } from './stop.ts'
import type { Workspace } from './workspace.ts'

export interface CloneRequest {
  readonly package: string
  readonly name: string | undefined
  readonly net: string | undefined
  readonly ephemeral: boolean
  readonly set: readonly string[]
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
}

/**
 * @throws {VmpkgError} `PACKAGE_NOT_INSTALLED` `USAGE` `DOMAIN_EXISTS` `NAME_INVALID` `NETWORK_UNAVAILABLE`
 *   `CAPABILITY_NOT_GRANTED` `PARAMETER_INVALID` `IMAGE_DAMAGED` and what rendering, the gate and libvirt refuse
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
  const input = await plan(workspace, connect, pkg, {
    ...request,
    name,
    net,
    before,
    grants: grants.map(grantName),
  })
  const disk = line.images.find(({ role }) => role === 'disk')
  const guest = renderGuestFiles(input)
  const xml = await renderMachine(input, {
    package: line.name,
    version: line.version,
    digest: line.package.sha256,
    kind: line.kind,
    ephemeral: request.ephemeral,
    medium: input.medium,
    origin: source,
    createdAt: workspace.outside.clock.now().toISOString(),
    parameters: input.parameters,
    ...(net === undefined ? {} : { net }),
    ...(input.overlay === undefined ? {} : { overlay: input.overlay.path }),
    ...(input.serialLog === undefined ? {} : { serialLog: input.serialLog }),
    ...(disk === undefined ? {} : { base: disk.digest }),
  })
  const { uuid } = input.identity
  const result: CloneResult = { name, uuid, net, ephemeral: request.ephemeral, address: undefined, xml }
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

async function plan(
  workspace: Workspace,
  connect: Connect,
  pkg: LoadedPackage,
  request: CloneRequest & {
    readonly name: string
    readonly net: string | undefined
    /** Values that were set when the package was installed. */
    readonly before: ParameterValues
    readonly grants: MachineInput['grants']
  },
): Promise<MachineInput> {
  const { line, manifest } = pkg
  const { randomness } = workspace.outside
  const missing = manifest.capabilities.filter((one) => !isOptional(one) && !isGrantedBy(one, request.grants))
  if (missing.length > 0) {
    throw new VmpkgError(
      'CAPABILITY_NOT_GRANTED',
      `${line.name} was not granted ${missing.map(grantName).join(', ')}`,
      {
        hint: `vmpkg install --reinstall ${line.name} ${missing.map((one) => `--grant ${grantName(one)}`).join(' ')}`,
      },
    )
  }
  const store = new ImageStore(workspace.paths.images)
  for (const image of line.images) await store.verify(image)
  const identity = newIdentity(request.name, randomness)
  const files = machineFiles(workspace.connectionPaths, identity.uuid)
  const images = imagePaths(workspace, line)
  const nics: readonly NicContext[] =
    request.net === undefined
      ? []
      : [{ role: 'wan', mac: newMac(randomness), network: request.net, link: 'up', isolated: true }]
  return {
    pkg,
    parameters:
      assignParameters([{ manifest, isAsked: true, before: request.before }], request.set).get(line.name) ?? {},
    grants: request.grants,
    name: request.name,
    identity,
    nics,
    host: await chooseHypervisor(workspace, connect),
    images,
    nvram: files.nvram,
    medium: files.medium,
    ...(images.disk === undefined ? {} : { overlay: { path: files.overlay, base: images.disk } }),
    ...(request.ephemeral ? {} : { serialLog: files.log }),
  }
}

/** @throws {VmpkgError} `NAME_INVALID` `DOMAIN_EXISTS` */
async function chooseName(connect: Connect, line: PackageLine, wanted: string | undefined): Promise<string> {
  if (wanted !== undefined) {
    const name = parseDomainName(wanted)
    if ((await connect.domainLookupByName({ name }).catch(absent('noDomain'))) === undefined) return name
    throw new VmpkgError('DOMAIN_EXISTS', `There is a machine ${name} already`, {
      hint: 'Choose another --name, or remove it first.',
    })
  }
  const names = new Set((await connect.listAllDomains()).map((domain) => domain.name))
  for (let number = 1; ; number++) {
    const name = `${line.name}-${number}`
    if (!names.has(name)) return name
  }
}

/** The LAN to attach to: the one named, or the only one of the layer that the package asks for (decisions 20). */
async function chooseNet(
  connect: Connect,
  { manifest }: LoadedPackage,
  wanted: string | undefined,
): Promise<string | undefined> {
  const layer = manifest.capabilities
    .flatMap((one) => (one.name === 'network' ? [one.wan] : []))
    .find((wan) => wan !== undefined)
  const lans = (await listOwnNetworks(connect)).filter(({ facts }) => facts.role === 'lan')
  if (wanted !== undefined) {
    if (layer !== undefined && lans.some(({ name }) => name === wanted)) return wanted
    throw new VmpkgError('NETWORK_UNAVAILABLE', `${JSON.stringify(wanted.slice(0, 40))} is not a router’s LAN`, {
      hint:
        lans.length === 0
          ? 'Install a router first: vmpkg install router-uni'
          : `There is ${lans.map(({ name }) => name).join(', ')}.`,
    })
  }
  if (layer === undefined) return undefined
  const fitting = lans.filter(({ facts }) => layer === 'uplink' || facts.layer === layer)
  const [only, ...others] = fitting
  if (only !== undefined && others.length === 0) return only.name
  throw new VmpkgError(
    'NETWORK_UNAVAILABLE',
    fitting.length === 0
      ? `There is no ${layer} router to attach it to`
      : `Several routers fit: ${fitting.map(({ name }) => name).join(', ')}`,
    { hint: fitting.length === 0 ? `vmpkg install router-${layer}` : 'Choose one with --net.' },
  )
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
