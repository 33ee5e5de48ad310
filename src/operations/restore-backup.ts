/**
 * `restore`: a machine from a backup. All its files are written first, under names that nobody uses; defining it is the one
 * step that counts. Killed before that, nothing is left; after it, the machine is there.
 */
import { randomBytes } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { CHUNK_BYTES, type Contents, type StoredDisk } from '../backup/point.ts'
import type { Opener } from '../backup/sealing.ts'
import { readCards } from '../domain/cards.ts'
import { newUuid } from '../domain/identity.ts'
import { absent, findDomain, getMachine } from '../domain/inventory.ts'
import { writeMedium } from '../domain/medium.ts'
import { throwIfAborted } from '../domain/readiness.ts'
import { makeFolder, replaceFile } from '../durable-file.ts'
import { VmpkgError } from '../errors.ts'
import { checkSpace } from '../host/preflight.ts'
import { ImageStore } from '../image/store.ts'
import type { Connect } from '../libvirt/connect.ts'
import type { Sha256 } from '../model/digest.ts'
import { parseFingerprint } from '../model/fingerprint.ts'
import type { DomainFacts } from '../model/libvirt-facts.ts'
import { parseDomainName } from '../model/name.ts'
import { readDomainFacts } from '../render/facts-xml.ts'
import { type RestoredIdentity, restoreDefinition } from '../render/restored.ts'
import { findElement, getText } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { choosePoint, type FoundPoint, findMissingPacks, needsKey, readContents } from './backup-folder.ts'
import { verifyBackup } from './backup-key.ts'
import { makeOpener, type OpenRequest, requireAllChunks } from './backup-list.ts'
import { isLocal, isSession } from './connection-name.ts'
import { dataNameOf, dataPath, findData, pathsOfDisk } from './data-file.ts'
import { machineFiles } from './machine-files.ts'
import { planOtherMachine } from './new-identity.ts'
import { requireFreeAddress } from './plan-card.ts'
import { preflightDomain } from './preflight.ts'
import { readLans } from './read-lans.ts'
import { intend, transact } from './recover.ts'
import { type FilePlan, fillDisks, findDiffering, makeDisks } from './restore-disks.ts'
import { refuseOtherCards } from './session-mode.ts'
import { settleRestore } from './settle-restore.ts'
import { cloneHolder } from './stop.ts'
import { validateDefinition } from './validate-definition.ts'
import type { Workspace } from './workspace.ts'

export interface RestoreRequest extends OpenRequest {
  readonly path: string
  readonly at: string | undefined
  /** Another name: the machine gets an identity of its own. */
  readonly name: string | undefined
  /** In place of the machine that is there. */
  readonly force: boolean
  readonly dryRun: boolean
}

export interface RestoreResult {
  readonly name: string
  readonly uuid: string
  readonly machine: string
  readonly point: string
  readonly createdAt: string
  /** It is another machine than the one that was backed up. */
  readonly isNew: boolean
  readonly replaced: boolean
  readonly disks: readonly { readonly target: string; readonly size: number; readonly file: string }[]
  /** Bytes that are written to disks. */
  readonly writtenBytes: number
  readonly xml: string
}

interface Plan {
  readonly found: FoundPoint
  readonly contents: Contents
  readonly open: Opener | undefined
  readonly name: string
  readonly uuid: string
  readonly isNew: boolean
  readonly replaces: boolean
  readonly files: readonly FilePlan[]
  readonly images: readonly {
    readonly digest: Sha256
    readonly map: { readonly sha256: Sha256; readonly size: number }
  }[]
  readonly writtenBytes: number
}

/**
 * @throws {VmpkgError} `BACKUP_UNKNOWN` `BACKUP_INVALID` `SIGNATURE_UNTRUSTED` `SIGNATURE_INVALID` `KEY_UNKNOWN` `KEY_INVALID`
 *   `DOMAIN_EXISTS` `DOMAIN_STATE` `DOMAIN_FOREIGN` `NO_SPACE` `ADDRESS_UNAVAILABLE` `PACKAGE_NOT_INSTALLED` and what libvirt refuses
 */
export async function restoreBackup(workspace: Workspace, request: RestoreRequest): Promise<RestoreResult> {
  if (!isLocal(workspace.connectionName)) {
    throw new VmpkgError('HOST_UNSUPPORTED', `The disks of ${workspace.connectionName} are on another machine`, {
      hint: 'Run vmpkg on that machine.',
    })
  }
  if (!request.dryRun) await workspace.lock()
  const connect = await workspace.connect()
  const { found, contents, open } = await openBackup(workspace, request)
  const facts = readDomainFacts(contents.xml)
  if (facts === undefined)
    throw new VmpkgError('BACKUP_INVALID', 'The backup holds no definition of a machine of vmpkg')
  const who = await chooseIdentity(workspace, connect, found, request)
  const plan = await planFiles(workspace, { found, contents, open, ...who })
  await checkSpace(workspace.connectionPaths.overlays, plan.writtenBytes)
  const { identity, medium } = await planIdentity(workspace, connect, plan, facts)
  const paths = filePaths(workspace, plan, facts)
  const xml = restoreDefinition(
    contents.xml,
    {
      paths,
      bases: new Map(plan.files.map(({ disk, base }) => [disk.target, base])),
      generation: newUuid(workspace.outside.randomness),
      isUnlabelled: isSession(workspace.connectionName),
    },
    identity,
  )
  await validateDefinition(workspace, connect, 'domain', xml)
  const result: RestoreResult = {
    name: plan.name,
    uuid: plan.uuid,
    machine: found.place.machine,
    point: found.place.point,
    createdAt: found.point.createdAt.toISOString(),
    isNew: plan.isNew,
    replaced: plan.replaces,
    disks: plan.files.map(({ disk: { target, size }, path }) => ({ target, size, file: path })),
    writtenBytes: plan.writtenBytes,
    xml,
  }
  if (request.dryRun) return result
  await write(workspace, connect, { plan, paths, medium, xml })
  return result
}

async function openBackup(
  workspace: Workspace,
  request: RestoreRequest,
): Promise<Pick<Plan, 'found' | 'contents' | 'open'>> {
  const found = await choosePoint(workspace, request)
  const { place, point, signed } = found
  const subject = `The backup ${place.machine}/${place.point}`
  const trusted = request.signedBy === undefined ? undefined : parseFingerprint(request.signedBy)
  await verifyBackup(workspace, { folder: place.folder, ...signed, signer: point.signer }, trusted)
  const [missing] = await findMissingPacks(found)
  if (missing !== undefined) {
    throw new VmpkgError('BACKUP_INVALID', `${subject} lacks its pack ${missing}, or half of it`, {
      hint: 'Take another backup: vmpkg backup list FOLDER says which are complete.',
    })
  }
  if (point.encryptedTo.length > 0 && request.secretKey === undefined) throw needsKey(subject, point.encryptedTo)
  const open = await makeOpener(workspace, request)
  const contents = await readContents(found, open)
  requireAllChunks(contents, subject)
  return { found, contents, open: point.encryptedTo.length === 0 ? undefined : open }
}

async function chooseIdentity(
  workspace: Workspace,
  connect: Connect,
  { point }: FoundPoint,
  { name: wanted, force }: RestoreRequest,
): Promise<Pick<Plan, 'name' | 'uuid' | 'isNew' | 'replaces'>> {
  const name = parseDomainName(wanted ?? point.machine)
  const isNew = name !== point.machine
  const named = await findDomain(connect, name)
  if (isNew) {
    if (named === undefined) return { name, uuid: newUuid(workspace.outside.randomness), isNew, replaces: false }
    throw new VmpkgError('DOMAIN_EXISTS', `There is a machine ${name} already`, { hint: 'Choose another --name.' })
  }
  const same = await connect.domainLookupByUuid({ uuid: point.uuid }).catch(absent('noDomain'))
  if (named === undefined && same === undefined) return { name, uuid: point.uuid, isNew, replaces: false }
  if (same === undefined || named?.uuid !== point.uuid) {
    const other = same === undefined ? name : same.name
    throw new VmpkgError(
      'DOMAIN_EXISTS',
      `${other} is there, and is another machine than the one in the backup, or has another name`,
      {
        hint: 'Restore it beside that one: add --name NEW.',
      },
    )
  }
  if (!force) {
    throw new VmpkgError('DOMAIN_EXISTS', `${name} is there already`, {
      hint: 'Restore it beside that one with --name NEW, or in its place with --force: what it has now is lost then.',
    })
  }
  const machine = await getMachine(connect, name)
  if (await machine.domain.isActive()) {
    throw new VmpkgError('DOMAIN_STATE', `${name} is running`, { hint: `vmpkg stop ${name} first.` })
  }
  const snapshots = await machine.domain.listAllSnapshots()
  if (snapshots.length > 0) {
    throw new VmpkgError('DOMAIN_STATE', `${name} has ${snapshots.length} snapshots, which stand on what would go`, {
      hint: `Remove them first, or restore beside it: --name NEW.`,
    })
  }
  return { name, uuid: point.uuid, isNew, replaces: true }
}

async function planFiles(workspace: Workspace, opened: Omit<Plan, 'files' | 'images' | 'writtenBytes'>): Promise<Plan> {
  const { contents, uuid } = opened
  const tag = randomBytes(4).toString('hex')
  const images = new Map<
    Sha256,
    { readonly digest: Sha256; readonly map: { readonly sha256: Sha256; readonly size: number } }
  >()
  const files: FilePlan[] = []
  for (const disk of contents.disks) {
    const stored = disk.image === undefined ? undefined : await findStored(workspace, disk.image, disk.size)
    if (stored !== undefined) {
      images.set(stored.image.digest, stored.image)
      files.push({ disk, path: stored.path, chunks: [], zeros: [] })
      continue
    }
    const own = join(workspace.connectionPaths.overlays, `${uuid}.${tag}-${disk.target}.${extensionOf(disk)}`)
    const path = (await dataPlace(workspace, opened, disk)) ?? own
    const below =
      disk.base === undefined || disk.format !== 'qcow2' ? undefined : await findStored(workspace, disk.base)
    const fits = below !== undefined && below.size <= disk.size
    if (fits) images.set(below.image.digest, below.image)
    const differing = await findDiffering(disk, fits ? below.path : undefined)
    files.push({ disk, path, ...(fits ? { base: below.path } : {}), ...differing })
  }
  const writtenBytes = files.reduce((sum, one) => sum + one.chunks.length * CHUNK_BYTES, 0)
  return { ...opened, files, images: [...images.values()], writtenBytes }
}

/**
 * Where a data disk of that machine lies: it outlives this one too. The name in the path is what counts, since the folder may
 * be another than then.
 */
async function dataPlace(
  workspace: Workspace,
  { name, replaces, contents }: Pick<Plan, 'name' | 'replaces' | 'contents'>,
  { kind, format, path, target }: StoredDisk,
): Promise<string | undefined> {
  const machine = findElement(parseXml(contents.xml).root, 'name')
  if (kind !== 'disk' || format !== 'qcow2') return undefined
  // With snapshots it is at the end of what the disk stood on.
  const inData = [path, ...pathsOfDisk(contents.xml, target)].find((one) => basename(dirname(one)) === 'data')
  const known = inData === undefined ? undefined : dataNameOf({ data: dirname(inData) }, inData)
  if (machine === undefined || known?.name !== getText(machine).trim()) return undefined
  const data = { name, data: known.data }
  if ((await findData(workspace, data)) === undefined) return dataPath(workspace.connectionPaths, data)
  // Beside it, among the machine’s own: what is kept is never written over.
  if (replaces) return undefined
  throw new VmpkgError('DOMAIN_EXISTS', `The data disk ${data.data} of ${name} is there still`, {
    hint: `Restore under another --name, or remove it first: vmpkg data rm ${name}/${data.data}`,
  })
}

function extensionOf({ kind, format }: StoredDisk): string {
  return kind === 'boot' ? 'boot' : format
}

/** An image that is in the store and that somebody holds, so that it can be held for this machine too. */
async function findStored(
  workspace: Workspace,
  digest: Sha256,
  size?: number,
): Promise<{ readonly path: string; readonly size: number; readonly image: Plan['images'][number] } | undefined> {
  const path = new ImageStore(workspace.paths.images).pathOf(digest)
  const found = await stat(path).catch(() => undefined)
  const holder = workspace.imageReferences.list().find(({ image }) => image === digest)
  if (found === undefined || holder === undefined || (size !== undefined && found.size !== size)) return undefined
  return { path, size: found.size, image: { digest, map: { sha256: holder.map, size: 0 } } }
}

/** Under another name: addresses that nobody has, and a configuration medium with new keys. */
async function planIdentity(
  workspace: Workspace,
  connect: Connect,
  { contents, name, uuid, isNew }: Plan,
  facts: DomainFacts,
): Promise<{ readonly identity?: RestoredIdentity; readonly medium?: ReadonlyMap<string, Uint8Array> }> {
  refuseOtherCards(workspace, contents.xml)
  if (isNew) return planOtherMachine(workspace, connect, { xml: contents.xml, name, uuid }, facts)
  const lans = await readLans(connect)
  for (const { mac, place } of readCards(contents.xml, undefined)) {
    if (mac === undefined || place.name === undefined || !lans.some(({ network }) => network === place.name)) continue
    await requireFreeAddress(connect, { network: place.name, mac, machine: name })
  }
  return {}
}

/** Where everything that belongs to the machine is from now on, by where it was. */
function filePaths(workspace: Workspace, plan: Plan, facts: DomainFacts): ReadonlyMap<string, string> {
  const { uuid, files, contents, replaces } = plan
  const own = machineFiles(workspace.connectionPaths, uuid)
  const paths = new Map(files.map(({ disk, path }) => [disk.path, path]))
  if (facts.serialLog !== undefined) paths.set(facts.serialLog, own.log)
  const tag = replaces ? `.${randomBytes(4).toString('hex')}` : ''
  for (const { role, path } of contents.files) {
    paths.set(
      path,
      role === 'medium' ? own.medium.replace(/\.iso$/, `${tag}.iso`) : own.nvram.replace(/\.nvram$/, `${tag}.nvram`),
    )
  }
  const nvram = findElement(parseXml(contents.xml).root, 'os/nvram')
  const old = nvram === undefined ? '' : getText(nvram).trim()
  if (old !== '' && !paths.has(old)) paths.set(old, own.nvram)
  return paths
}

interface Writing {
  readonly plan: Plan
  readonly paths: ReadonlyMap<string, string>
  readonly medium: ReadonlyMap<string, Uint8Array> | undefined
  readonly xml: string
}

async function write(workspace: Workspace, connect: Connect, { plan, paths, medium, xml }: Writing): Promise<void> {
  const { uuid, name, contents, files, images } = plan
  const { outside, connectionPaths } = workspace
  const holder = cloneHolder(uuid)
  await transact(workspace, { operation: 'restore', subject: name }, async (transaction) => {
    outside.emit({ type: 'stage-started', stage: 'restore', subject: name })
    intend(transaction, { kind: 'settle-restore', uuid, holder })
    const before = workspace.imageReferences.list().filter((one) => one.holder === holder)
    const held = before.map(({ image, map }) => ({ digest: image, map: { sha256: map, size: 0 } }))
    workspace.imageReferences.hold(holder, [...held, ...images])
    for (const { path } of files) {
      const data = dataNameOf(connectionPaths, path)
      if (data !== undefined) intend(transaction, { kind: 'remove-data', ...data })
    }
    await makeFolder(connectionPaths.mediums)
    await makeDisks(workspace, files)
    await fillDisks(workspace, plan)
    for (const { role, path, bytes } of contents.files) {
      const target = paths.get(path) ?? ''
      if (role === 'medium' && medium !== undefined) {
        await writeMedium({ files: medium, target })
      } else await replaceFile(target, bytes, { mode: 0o600 })
    }
    throwIfAborted(outside.signal)
    await preflightDomain(workspace, connect, xml, { until: 'define' })
    const domain = await connect.domainDefineXML({ xml, flags: ['validate'] })
    if ((await domain.getAutostart()) !== contents.autostart)
      await domain.setAutostart({ autostart: contents.autostart })
    workspace.imageReferences.hold(holder, images)
    await settleRestore(workspace, uuid, holder) // what the machine had before
    transaction.commit()
    outside.emit({ type: 'stage-finished', stage: 'restore', subject: name })
  })
}
