/**
 * `clone --from`: another machine made of one that is there, whether it runs or not: its disks as they are at one moment, and
 * an identity of its own. A running one goes on meanwhile. What is read is libvirt's backup job, so nothing of the chain
 * below it changes, whenever this is killed; defining the copy is the last step.
 */
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, open as openFile, readFile, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { copyDisk } from '../backup/copy-disk.ts'
import { newUuid } from '../domain/identity.ts'
import { getMachine, type Machine } from '../domain/inventory.ts'
import { writeMedium } from '../domain/medium.ts'
import { readDisks } from '../domain/points.ts'
import { throwIfAborted } from '../domain/readiness.ts'
import { makeFolder, replaceFile } from '../durable-file.ts'
import { VmpkgError } from '../errors.ts'
import { checkSpace } from '../host/preflight.ts'
import { whileHeld } from '../image/image-lock.ts'
import type { NbdDisk } from '../image/nbd-client.ts'
import { withServedImage } from '../image/nbd-server.ts'
import { writeOverlay } from '../image/qcow2-overlay.ts'
import { needTool } from '../image/qemu-tool.ts'
import { ImageStore } from '../image/store.ts'
import type { Connect } from '../libvirt/connect.ts'
import { parseDomainName } from '../model/name.ts'
import { restoreDefinition } from '../render/restored.ts'
import type { ConnectionPaths } from '../state/paths.ts'
import { findElements } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { type MachineDisk, type MachineParts, readMachineParts } from './backup-machine.ts'
import { tidyBackups, withRunningDisks } from './backup-session.ts'
import { exists } from './clone-plan.ts'
import { isLocal } from './connection-name.ts'
import { dataNameOf, dataPath, findData } from './data-file.ts'
import { machineFiles } from './machine-files.ts'
import { type OtherMachine, planOtherMachine } from './new-identity.ts'
import { preflightDomain } from './preflight.ts'
import { intend, transact } from './recover.ts'
import { scratchFolder } from './scratch.ts'
import { prepareStart } from './start.ts'
import { cloneHolder } from './stop.ts'
import { volumeOf } from './storage-volumes.ts'
import { validateDefinition } from './validate-definition.ts'
import type { Workspace } from './workspace.ts'

export interface CopyMachineRequest {
  readonly machine: string
  /** The machine's name and a number by default. */
  readonly name: string | undefined
  readonly start: boolean
  readonly dryRun: boolean
}

export interface CopiedMachine {
  readonly name: string
  readonly uuid: string
  readonly from: string
  /** What the disks are as: after a clean stop, with file systems frozen, or after a power cut. Absent of a dry run. */
  readonly consistency?: 'stopped' | 'frozen' | 'crash'
  readonly net: string | undefined
  readonly disks: readonly { readonly target: string; readonly size: number; readonly file: string }[]
  /** Bytes by which its disks differ from what they stand on. */
  readonly writtenBytes: number
  readonly xml: string
}

interface PlannedDisk {
  readonly disk: MachineDisk
  readonly path: string
  /** Path of the image of the store that it stands on. */
  readonly base?: string
}

interface Plan {
  readonly machine: Machine
  readonly parts: MachineParts
  readonly name: string
  readonly uuid: string
  readonly disks: readonly PlannedDisk[]
  readonly paths: ReadonlyMap<string, string>
  readonly other: OtherMachine
  readonly xml: string
}

/**
 * @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `DOMAIN_EXISTS` `NAME_INVALID` `USAGE` `HOST_UNSUPPORTED`
 *   `IMAGE_INVALID` `IMAGE_IN_USE` `PACKAGE_NOT_INSTALLED` `ADDRESS_UNAVAILABLE` `NO_SPACE` `DISK_FAILED` `ABORTED` and what
 *   libvirt refuses
 */
export async function copyMachine(workspace: Workspace, request: CopyMachineRequest): Promise<CopiedMachine> {
  if (!isLocal(workspace.connectionName)) {
    throw new VmpkgError('HOST_UNSUPPORTED', `The disks of ${workspace.connectionName} are on another machine`, {
      hint: 'Run vmpkg on that machine.',
    })
  }
  if (!request.dryRun) {
    await workspace.lock()
    await tidyBackups(workspace)
  }
  const connect = await workspace.connect()
  const machine = await getMachine(connect, request.machine)
  requireCopyable(machine)
  const plan = await planCopy(workspace, connect, machine, request.name)
  const result: CopiedMachine = {
    name: plan.name,
    uuid: plan.uuid,
    from: machine.name,
    net: machine.facts.net,
    disks: plan.disks.map(({ disk: { target, size }, path }) => ({ target, size, file: path })),
    writtenBytes: 0,
    xml: plan.xml,
  }
  if (request.dryRun) return result
  return { ...result, ...(await write(workspace, connect, plan, request.start)) }
}

/** What only one machine can have, or what nobody may keep. */
function requireCopyable({ name, facts, xml }: Machine): void {
  if (facts.kind === 'router') {
    throw new VmpkgError('USAGE', `${name} is a router, which keeps nothing of its own`, {
      hint: `vmpkg install ${facts.package} makes routers.`,
    })
  }
  if (facts.ephemeral) {
    throw new VmpkgError('USAGE', `${name} is ephemeral: nothing of it is meant to stay`, {
      hint: `vmpkg clone ${facts.package} --ephemeral makes another one.`,
    })
  }
  const { root } = parseXml(xml)
  const held = findElements(root, 'devices/hostdev')[0] ?? findElements(root, "devices/interface[@type='hostdev']")[0]
  if (held !== undefined) {
    throw new VmpkgError('USAGE', `${name} has a device of this host, which two machines cannot have`, {
      hint: `Make another one of its package: vmpkg clone ${facts.package}`,
    })
  }
  const other = readDisks(xml).find(({ file }) => file === undefined)
  if (other === undefined) return
  throw new VmpkgError('HOST_UNSUPPORTED', `The disk ${other.target} of ${name} is no file`, {
    hint: 'Only disks that are files are copied. vmpkg backup reads volumes too.',
  })
}

async function planCopy(
  workspace: Workspace,
  connect: Connect,
  machine: Machine,
  wanted: string | undefined,
): Promise<Plan> {
  const { connectionPaths } = workspace
  const { facts, domain } = machine
  const name = await chooseCopyName(connect, machine.name, wanted)
  const uuid = newUuid(workspace.outside.randomness)
  const parts = await readMachineParts(workspace, machine)
  const own = machineFiles(connectionPaths, uuid)
  const tag = randomBytes(4).toString('hex')
  const store = new ImageStore(workspace.paths.images)
  const disks: PlannedDisk[] = []
  for (const disk of parts.disks) {
    if (disk.kind === 'boot' || disk.image !== undefined) continue // of the store: nobody writes to it
    // After a snapshot it goes on in a layer of the machine's above it.
    const [data] = disk.layers.flatMap(({ file }) => dataNameOf(connectionPaths, file) ?? [])
    requireBuiltInPlace(connectionPaths, machine.name, disk)
    if (data !== undefined && (await findData(workspace, { name, data: data.data })) !== undefined) {
      throw new VmpkgError('DOMAIN_EXISTS', `The data disk ${data.data} of ${name} is there still`, {
        hint: `Choose another --name, or remove it first: vmpkg data rm ${name}/${data.data}`,
      })
    }
    const file = disks.length === 0 && data === undefined ? own.overlay : undefined
    const path =
      data === undefined
        ? (file ?? join(connectionPaths.overlays, `${uuid}.${tag}-${disk.target}.${disk.format}`))
        : dataPath(connectionPaths, { name, data: data.data })
    const stands = disk.base !== undefined && disk.format === 'qcow2'
    disks.push({ disk, path, ...(stands ? { base: store.pathOf(disk.base) } : {}) })
  }
  await checkSpace(connectionPaths.overlays, await ownBytes(workspace, parts))
  const paths = new Map(disks.map(({ disk, path }) => [disk.path, path]))
  if (facts.overlay !== undefined && !paths.has(facts.overlay)) {
    const first = disks.find(({ disk }) => disk.base === facts.base)
    if (first !== undefined) paths.set(facts.overlay, first.path) // its disk goes on above it, after a snapshot
  }
  if (facts.serialLog !== undefined) paths.set(facts.serialLog, own.log)
  for (const { role, path } of parts.files) paths.set(path, role === 'medium' ? own.medium : own.nvram)
  const stored = await domain.getXMLDesc({ flags: ['inactive', 'secure'] })
  const other = await planOtherMachine(workspace, connect, { xml: stored, name, uuid }, facts)
  const xml = restoreDefinition(
    stored,
    {
      paths,
      bases: new Map(disks.map(({ disk, base }) => [disk.target, base])),
      generation: newUuid(workspace.outside.randomness),
    },
    other.identity,
  )
  await validateDefinition(workspace, connect, 'domain', xml)
  return { machine, parts, name, uuid, disks, paths, other, xml }
}

/** @throws {VmpkgError} `HOST_UNSUPPORTED` for a disk in a storage that the user added */
function requireBuiltInPlace(
  paths: ConnectionPaths,
  machine: string,
  { target, path }: { readonly target: string; readonly path: string },
): void {
  const storage = volumeOf(paths, path)
  if (storage === undefined) return
  throw new VmpkgError('HOST_UNSUPPORTED', `The disk ${target} of ${machine} lies in the storage ${storage.name}`, {
    hint: storage.isEncrypted
      ? `Make another one of its package there: vmpkg clone PACKAGE --storage ${storage.name}`
      : `vmpkg backup ${machine}, then vmpkg restore under another name.`,
    details: { storage: storage.name },
  })
}

async function chooseCopyName(connect: Connect, machine: string, wanted: string | undefined): Promise<string> {
  const taken = new Set((await connect.listAllDomains()).map(({ name }) => name))
  if (wanted !== undefined) {
    const name = parseDomainName(wanted)
    if (taken.has(name)) throw exists(name)
    return name
  }
  for (let number = 1; ; number++) {
    const name = parseDomainName(`${machine}-${number}`)
    if (!taken.has(name)) return name
  }
}

/** What its own files take on this host: a copy takes no more, but for what snapshots hold twice. */
async function ownBytes({ paths }: Workspace, { disks }: MachineParts): Promise<number> {
  const files = disks.flatMap(({ layers }) => layers.map(({ file }) => file))
  const own = files.filter((file) => !file.startsWith(`${paths.images}/`))
  const sizes = await Promise.all(own.map(async (file) => (await stat(file)).blocks * 512))
  return sizes.reduce((sum, size) => sum + size, 0)
}

async function write(
  workspace: Workspace,
  connect: Connect,
  plan: Plan,
  start: boolean,
): Promise<Pick<CopiedMachine, 'consistency' | 'writtenBytes'>> {
  const { machine, name, uuid, disks, parts, paths, other, xml } = plan
  const { outside, connectionPaths, imageReferences } = workspace
  return transact(workspace, { operation: 'clone', subject: name }, async (transaction) => {
    outside.emit({ type: 'stage-started', stage: 'define', subject: name })
    intend(
      transaction,
      { kind: 'remove-machine-files', uuid },
      { kind: 'release-images', holder: cloneHolder(uuid) },
      ...disks.flatMap(({ path }) => {
        const data = dataNameOf(connectionPaths, path)
        return data === undefined ? [] : [{ kind: 'remove-data' as const, ...data }]
      }),
    )
    const held = imageReferences.list().filter(({ holder }) => holder === cloneHolder(machine.domain.uuid))
    imageReferences.hold(
      cloneHolder(uuid),
      held.map(({ image, map }) => ({ digest: image, map: { sha256: map, size: 0 } })),
    )
    await makeFolder(connectionPaths.mediums)
    const copied = await copyDisks(workspace, plan)
    for (const { role, path } of parts.files) {
      const target = paths.get(path) ?? ''
      if (role === 'medium') await writeMedium({ files: other.medium ?? new Map(), target })
      else await copySmall(path, target)
    }
    throwIfAborted(outside.signal)
    intend(transaction, { kind: 'remove-domain', uuid, name })
    if (start) await prepareStart(workspace, connect, xml)
    else await preflightDomain(workspace, connect, xml, { until: 'define' })
    const domain = await connect.domainDefineXML({ xml, flags: ['validate'] })
    if (start) await domain.create()
    transaction.commit()
    outside.emit({ type: 'stage-finished', stage: start ? 'start' : 'define', subject: name })
    return copied
  })
}

/** The firmware writes its variables when it starts first: then there is nothing to copy yet. */
async function copySmall(path: string, target: string): Promise<void> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
  if (bytes !== undefined) await replaceFile(target, bytes, { mode: 0o600 })
}

async function copyDisks(
  workspace: Workspace,
  plan: Plan,
): Promise<Pick<CopiedMachine, 'consistency' | 'writtenBytes'>> {
  const { machine, disks } = plan
  const { domain } = machine
  if (disks.length === 0) return { consistency: 'stopped', writtenBytes: 0 }
  const folder = scratchFolder(workspace)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  try {
    if (!(await domain.isActive())) return await copyStopped(workspace, plan, folder)
    const asked = disks.map(({ disk: { target, layers, format } }) => ({ target, file: layers[0]?.file ?? '', format }))
    const request = { domain, xml: await domain.getXMLDesc(), disks: asked }
    return await withRunningDisks(workspace, request, async ({ consistency, open }) => {
      let writtenBytes = 0
      for (const one of disks) {
        await using source = await open(one.disk.target)
        writtenBytes += await copyOne(workspace, plan, one, source, folder)
      }
      return { consistency, writtenBytes }
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Nobody can start it meanwhile: QEMU's lock is held on every disk. */
async function copyStopped(
  workspace: Workspace,
  plan: Plan,
  folder: string,
): Promise<Pick<CopiedMachine, 'consistency' | 'writtenBytes'>> {
  const { processes, signal } = workspace.outside
  const { disks, machine } = plan
  let writtenBytes = 0
  const hold = async (held: number): Promise<void> => {
    const next = disks[held]?.disk.layers[0]
    if (next !== undefined) return whileHeld({ file: next.file, processes, signal }, async () => hold(held + 1))
    for (const one of disks) {
      const { layers, size } = one.disk
      const options = { layers, access: 'read' as const, folder, processes, signal, virtualSize: size }
      await withServedImage({ ...options, node: { isHeld: true } }, async (source) => {
        writtenBytes += await copyOne(workspace, plan, one, source, folder)
      })
    }
  }
  await hold(0)
  // What was in memory when it was saved is not in the copy.
  const isSaved = await machine.domain.hasManagedSaveImage()
  return { consistency: isSaved ? 'crash' : 'stopped', writtenBytes }
}

async function copyOne(
  workspace: Workspace,
  { name }: Plan,
  { disk, path, base }: PlannedDisk,
  source: NbdDisk,
  folder: string,
): Promise<number> {
  const { processes, signal, emit } = workspace.outside
  if (source.size !== disk.size) {
    throw new VmpkgError(
      'DISK_FAILED',
      `The disk ${disk.target} has ${source.size} bytes and should have ${disk.size}`,
      {
        hint: 'Was it resized meanwhile? Run the command again.',
      },
    )
  }
  await makeDisk(workspace, { disk, path, ...(base === undefined ? {} : { base }) })
  const layers = [
    { file: path, format: disk.format },
    ...(base === undefined ? [] : [{ file: base, format: 'raw' as const }]),
  ]
  const below = base === undefined ? undefined : await openFile(base, 'r')
  try {
    const options = { layers, access: 'write' as const, folder, processes, signal, virtualSize: disk.size }
    return await withServedImage(options, async (target) =>
      copyDisk({
        disk: source,
        target,
        ...(below === undefined ? {} : { base: { read: async (at, size) => readAt(below, at, size) } }),
        onProgress: (doneBytes) => emit({ type: 'image-progressed', subject: name, doneBytes, totalBytes: disk.size }),
      }),
    )
  } finally {
    await below?.close()
    await using file = await openFile(path, 'r')
    await file.sync()
  }
}

async function readAt(file: Awaited<ReturnType<typeof openFile>>, at: number, size: number): Promise<Buffer> {
  const bytes = Buffer.alloc(size)
  await file.read(bytes, 0, size, at)
  return bytes
}

async function makeDisk({ outside }: Workspace, { disk, path, base }: PlannedDisk): Promise<void> {
  const { processes, signal } = outside
  if (base !== undefined) return writeOverlay({ path, backing: base, virtualSize: disk.size })
  await (await openFile(path, 'wx', 0o600)).close()
  await chmod(path, 0o600)
  if (disk.format === 'raw') return truncate(path, disk.size)
  const args = ['create', '-q', '-f', 'qcow2', path, String(disk.size)]
  await needTool('qemu-img', args, { processes, signal, file: path, maxFileBytes: 1024 * 1024 * 1024 })
}
