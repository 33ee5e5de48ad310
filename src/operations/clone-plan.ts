/** How a machine of an app package is to be: name, router LAN, identity, values, devices; nothing is changed. */
import { type Identity, newIdentity } from '../domain/identity.ts'
import { listOwnNetworks, listTakenNames } from '../domain/inventory.ts'
import { VmpkgError } from '../errors.ts'
import { ImageStore } from '../image/store.ts'
import type { Connect } from '../libvirt/connect.ts'
import type { DomainFacts, EphemeralStorage } from '../model/libvirt-facts.ts'
import type { PackageLine } from '../model/line.ts'
import type { ParameterValues } from '../model/manifest.ts'
import { parseDomainName } from '../model/name.ts'
import type { Storage } from '../model/storage.ts'
import type { NicContext } from '../model/template-context.ts'
import { isNearer } from '../router/move.ts'
import { choosePciDevices } from './choose-devices.ts'
import { isSession } from './connection-name.ts'
import { planData } from './data-disks.ts'
import { chooseEphemeralMode, type EphemeralMode, planMemoryLock } from './ephemeral.ts'
import { chooseHypervisor } from './hypervisor.ts'
import { imagePaths } from './images.ts'
import { machineFiles } from './machine-files.ts'
import type { LoadedPackage } from './package-store.ts'
import { assignParameters, type ValueRequest } from './parameters.ts'
import { placeInput } from './place-input.ts'
import { planClientMac, planClientMacs } from './plan-card.ts'
import { readLans } from './read-lans.ts'
import type { MachineInput } from './render-machine.ts'
import { socketsOf } from './router-definition.ts'
import { planPort, planPorts } from './session-mode.ts'
import { machineVolumePath, stampedVolumes } from './storage-volumes.ts'
import type { Workspace } from './workspace.ts'

export interface ClonePlanRequest extends ValueRequest {
  readonly name: string
  readonly net: string | undefined
  readonly ephemeral: boolean
  readonly storage?: EphemeralStorage | undefined
  /** Where its disks go, if not to the built-in place: its own, and data disks that are not there yet. */
  readonly places?: DiskPlaces
  /** Values that were set when the package was installed. */
  readonly before: ParameterValues
  readonly grants: MachineInput['grants']
  /** Of a machine that is there already. */
  readonly existing?: {
    readonly identity: Identity
    readonly nics: readonly NicContext[]
    readonly medium: string
    /** Where it is in a storage. */
    readonly overlay?: string | undefined
  }
}

interface DiskPlaces {
  readonly disk: Storage | undefined
  readonly data: Storage | undefined
}

/**
 * @throws {VmpkgError} `PARAMETER_INVALID` `HOST_UNSUPPORTED` `DEVICE_REFUSED` `DEVICE_UNKNOWN` `PLACEMENT_IMPOSSIBLE`
 *   `HUGEPAGES_MISSING` `USAGE`
 */
export async function planClone(
  workspace: Workspace,
  connect: Connect,
  pkg: LoadedPackage,
  request: ClonePlanRequest,
): Promise<MachineInput> {
  const { line, manifest } = pkg
  const { randomness } = workspace.outside
  const { existing, net } = request
  const identity = existing?.identity ?? newIdentity(request.name, randomness)
  const files = machineFiles(workspace.connectionPaths, identity.uuid, request)
  const overlay = existing?.overlay ?? ownDisk(request, identity.uuid) ?? files.overlay
  const data = request.ephemeral ? {} : await planData(workspace, request.name, manifest, request.places?.data)
  const images = imagePaths(workspace, line)
  const planned: readonly NicContext[] =
    net === undefined || existing !== undefined
      ? []
      : [
          {
            role: 'wan',
            mac: await planClientMac(connect, net, randomness),
            network: net,
            link: 'up',
            isolated: true,
            ...(isSession(workspace.connectionName) ? { port: await planPort(connect, net) } : {}),
          },
        ]
  const asked = [{ manifest, isAsked: true, before: request.before }]
  const parameters = assignParameters(workspace.paths, asked, request).get(line.name) ?? {}
  return placeInput(workspace, {
    pkg,
    parameters,
    grants: request.grants,
    name: request.name,
    identity,
    nics: existing?.nics ?? planned,
    lans: await readLans(connect),
    ...socketsOf(workspace),
    host: await chooseHypervisor(workspace, connect),
    images,
    nvram: files.nvram,
    medium: existing?.medium ?? files.medium,
    ...(images.disk === undefined ? {} : { overlay: { path: overlay, base: images.disk } }),
    ...(request.ephemeral ? {} : { serialLog: files.log, ...data }),
    volumes: stampedVolumes(workspace.connectionPaths, [overlay, ...(data.data ?? []).map(({ path }) => path)]),
    pci: await choosePciDevices(workspace, manifest, parameters, request.name),
  })
}

function ownDisk(
  { ephemeral, places }: Pick<ClonePlanRequest, 'ephemeral' | 'places'>,
  uuid: string,
): string | undefined {
  const storage = ephemeral ? undefined : places?.disk
  return storage === undefined ? undefined : machineVolumePath(storage, uuid)
}

export interface PlannedClones {
  readonly inputs: readonly MachineInput[]
  /** Of ephemeral ones. */
  readonly mode: EphemeralMode | undefined
}

/**
 * Several at once, of which each has an identity of its own and nothing else of its own: planned once, for the first.
 * @throws {VmpkgError} as `planClone`; `USAGE` where they would share what only one can have; `ADDRESS_UNAVAILABLE`
 */
export async function planClones(
  workspace: Workspace,
  connect: Connect,
  pkg: LoadedPackage,
  {
    names,
    wantedMode,
    ...request
  }: Omit<ClonePlanRequest, 'name' | 'storage' | 'existing'> & {
    readonly names: readonly string[]
    readonly wantedMode: string | undefined
  },
): Promise<PlannedClones> {
  const [firstName = '', ...more] = names
  const first = await planClone(workspace, connect, pkg, { ...request, name: firstName })
  if (more.length > 0) refuseShared(first)
  const memory = first.parameters['memory']?.value
  const disk = first.overlay === undefined ? undefined : pkg.line.images.find(({ role }) => role === 'disk')
  const needs = {
    package: pkg.line.name,
    diskBytes: disk === undefined ? [] : names.map(() => disk.size),
    memoryBytes: (typeof memory === 'number' ? memory : 0) * names.length,
  }
  const mode = request.ephemeral ? await chooseEphemeralMode(workspace, connect, needs, wantedMode) : undefined
  const lock = await planMemoryLock(workspace, mode, {
    count: names.length,
    memoryBytes: needs.memoryBytes,
    isEmulated: first.host.virtType === 'qemu',
  })
  const { randomness } = workspace.outside
  const macs =
    request.net === undefined || more.length === 0
      ? []
      : await planClientMacs(connect, request.net, randomness, names.length)
  const ports =
    request.net !== undefined && macs.length > 0 && isSession(workspace.connectionName)
      ? await planPorts(connect, request.net, names.length)
      : []
  const planOne = async (name: string, index: number): Promise<MachineInput> => {
    const identity = index === 0 ? first.identity : newIdentity(name, randomness)
    const kind = { ephemeral: request.ephemeral, storage: storageOf(mode) }
    const files = machineFiles(workspace.connectionPaths, identity.uuid, kind)
    const [mac, port] = [macs[index], ports[index]]
    const overlay = ownDisk(request, identity.uuid) ?? files.overlay
    const data =
      request.ephemeral || index === 0 ? {} : await planData(workspace, name, pkg.manifest, request.places?.data)
    const disks = [overlay, ...(data.data ?? first.data ?? []).map(({ path }) => path)]
    return {
      ...first,
      name,
      identity,
      nics:
        mac === undefined
          ? first.nics
          : first.nics.map((nic) => ({ ...nic, mac, ...(port === undefined ? {} : { port }) })),
      nvram: files.nvram,
      medium: files.medium,
      ...(first.overlay === undefined ? {} : { overlay: { ...first.overlay, path: overlay } }),
      ...(first.serialLog === undefined ? {} : { serialLog: files.log }),
      ...data,
      lock,
      volumes: stampedVolumes(workspace.connectionPaths, disks),
    }
  }
  const inputs: MachineInput[] = []
  for (const [index, name] of names.entries()) inputs.push(await planOne(name, index))
  return { inputs, mode }
}

export function storageOf(mode: EphemeralMode | undefined): EphemeralStorage | undefined {
  return mode === 'transient' ? undefined : mode
}

function refuseShared({ pci = {}, placement, pkg }: MachineInput): void {
  const [device] = Object.keys(pci).filter((name) => (pci[name] ?? []).length > 0)
  if (device === undefined && placement === undefined) return
  const what = device === undefined ? 'are pinned to processors or pages' : `get the device of ${device}`
  throw new VmpkgError('USAGE', `Several machines of ${pkg.line.name} cannot be made at once where they ${what}`, {
    hint: 'Make them one after the other, without --count.',
  })
}

/** @throws {VmpkgError} `IMAGE_DAMAGED` */
export async function verifyImages(workspace: Workspace, { line }: LoadedPackage): Promise<void> {
  const store = new ImageStore(workspace.paths.images)
  for (const image of line.images) await store.verify(image)
}

export function cloneFacts(
  workspace: Workspace,
  { pkg: { line }, medium, parameters, overlay, serialLog }: MachineInput,
  {
    source,
    net,
    ephemeral,
    storage,
  }: {
    readonly source: string
    readonly net: string | undefined
    readonly ephemeral: boolean
    readonly storage?: EphemeralStorage | undefined
  },
): DomainFacts {
  const disk = line.images.find(({ role }) => role === 'disk')
  return {
    package: line.name,
    version: line.version,
    digest: line.package.sha256,
    kind: line.kind,
    ephemeral,
    ...(storage === undefined ? {} : { storage }),
    medium,
    origin: source,
    createdAt: workspace.outside.clock.now().toISOString(),
    parameters,
    ...(net === undefined ? {} : { net }),
    ...(overlay === undefined ? {} : { overlay: overlay.path }),
    ...(serialLog === undefined ? {} : { serialLog }),
    ...(disk === undefined ? {} : { base: disk.digest }),
  }
}

/** @throws {VmpkgError} `NAME_INVALID` `DOMAIN_EXISTS` */
export async function chooseName(connect: Connect, line: PackageLine, wanted: string | undefined): Promise<string> {
  if (wanted !== undefined) {
    const name = parseDomainName(wanted)
    if ((await listTakenNames(connect)).has(name)) throw exists(name)
    return name
  }
  const [name = ''] = await chooseNames(connect, line, undefined, 1)
  return name
}

/** The package's name and the first numbers that are free, or the wanted name and the numbers from 1 on. */
export async function chooseNames(
  connect: Connect,
  line: PackageLine,
  wanted: string | undefined,
  count: number,
): Promise<readonly string[]> {
  const taken = await listTakenNames(connect)
  const names: string[] = []
  for (let number = 1; names.length < count; number++) {
    const name = parseDomainName(`${wanted ?? line.name}-${number}`)
    if (!taken.has(name)) names.push(name)
    else if (wanted !== undefined) throw exists(name)
  }
  return names
}

export function exists(name: string): VmpkgError {
  return new VmpkgError('DOMAIN_EXISTS', `There is a machine ${name} already`, {
    hint: 'Choose another --name, or remove it first.',
  })
}

/** The LAN to attach to: the one named, or the only one of the layer that the package asks for (decisions 20). */
export async function chooseNet(
  connect: Connect,
  { name: packageName, capabilities }: Pick<PackageLine, 'name' | 'capabilities'>,
  wanted: string | undefined,
): Promise<string | undefined> {
  const layer = capabilities
    .flatMap((one) => (one.name === 'network' ? [one.wan] : []))
    .find((wan) => wan !== undefined)
  const lans = (await listOwnNetworks(connect)).filter(({ facts }) => facts.role === 'lan')
  if (wanted !== undefined) {
    const lan = lans.find(({ name }) => name === wanted)
    if (layer !== undefined && lan !== undefined) {
      if (!isNearer(lan.facts.layer, layer)) return wanted
      throw new VmpkgError(
        'NETWORK_UNAVAILABLE',
        `${packageName} is for layer ${layer} and what is behind it, and ${wanted} is of layer ${lan.facts.layer ?? 'none'}`,
        { hint: `Leave out --net; vmpkg net move --force MACHINE ${wanted} goes there all the same.` },
      )
    }
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
