/**
 * Which files the domains of a connection need: what their definitions name, running or not, what their snapshots name, and
 * what those disks stand on. Whoever removes or changes a file asks here, as records can be behind what virsh did.
 */
import { constants } from 'node:fs'
import { open, realpath } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { nameOf } from '../domain/inventory.ts'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import { parseQcow2Header } from '../image/qcow2-header.ts'
import type { Connect } from '../libvirt/connect.ts'
import type { Domain } from '../libvirt/domain.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { readDomainFacts } from '../render/facts-xml.ts'
import { childElements, getAttribute, getText } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import type { XmlElement } from '../xml/tree.ts'
import type { Workspace } from './workspace.ts'

export interface DiskUser {
  readonly name: string
  readonly uuid: string
  readonly isRunning: boolean
  /** Real paths. */
  readonly files: ReadonlySet<string>
}

export async function listDiskUsers(connect: Connect): Promise<readonly DiskUser[]> {
  const users: DiskUser[] = []
  for (const domain of await connect.listAllDomains()) {
    try {
      users.push(await readDiskUser(domain))
    } catch (error) {
      if (!(error instanceof LibvirtError && error.is('noDomain'))) throw error // gone in between
    }
  }
  return users
}

async function readDiskUser(domain: Domain): Promise<DiskUser> {
  const isRunning = await domain.isActive()
  const documents = [await domain.getXMLDesc()]
  if (isRunning) documents.push(await domain.getXMLDesc({ flags: ['inactive'] }).catch(() => ''))
  const snapshots = await domain.listAllSnapshots().catch(() => [])
  for (const snapshot of snapshots) documents.push(await snapshot.getXMLDesc())
  const files = new Set<string>()
  for (const path of new Set(documents.flatMap(pathsIn))) await addChain(path, files)
  return { name: nameOf(domain, readDomainFacts(documents[0] ?? '<domain/>')), uuid: domain.uuid, isRunning, files }
}

/** Every absolute path that a document names, wherever it stands: disks, what they stand on, kernels, firmware. */
export function pathsIn(document: string): readonly string[] {
  if (document === '') return []
  const paths: string[] = []
  const visit = (element: XmlElement): void => {
    for (const { name } of element.attributes) paths.push(getAttribute(element, name) ?? '')
    paths.push(getText(element).trim())
    for (const child of childElements(element)) visit(child)
  }
  visit(parseXml(document).root)
  return paths.filter((path) => path.startsWith('/'))
}

/** A file and, as far as their headers say it, those below. */
async function addChain(path: string, files: Set<string>): Promise<void> {
  for (let next: string | undefined = path; next !== undefined; ) {
    const real: string | undefined = await realpath(next).catch(() => undefined)
    if (real === undefined && next.startsWith('/dev/')) files.add(next) // a volume that is not active is used all the same
    if (real === undefined || files.has(real)) return
    files.add(real)
    const below: string | undefined = await readBacking(real)
    next = below === undefined ? undefined : resolve(dirname(real), below)
  }
}

async function readBacking(path: string): Promise<string | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  try {
    await using file = await open(path, flags)
    if (!(await file.stat()).isFile()) return undefined
    const { buffer, bytesRead } = await file.read(Buffer.alloc(64 * 1024), 0, 64 * 1024, 0)
    if (buffer.toString('latin1', 0, 4) !== 'QFI\xfb') return undefined
    return parseQcow2Header(buffer.subarray(0, bytesRead)).backingFile
  } catch {
    return undefined // not to be read by us, or no image: it is named itself, and that counts
  }
}

/** Domains that need a file (a real path); none where no libvirt answers. */
export async function findDiskUsers(workspace: Workspace, path: string): Promise<readonly DiskUser[]> {
  const users = await listDiskUsersIfPossible(workspace)
  return (users ?? []).filter(({ files }) => files.has(path))
}

/** `undefined` where no libvirt answers, or a private host does not run. */
export async function listDiskUsersIfPossible(workspace: Workspace): Promise<readonly DiskUser[] | undefined> {
  try {
    const connect = await workspace.connectIfRunning()
    return connect === undefined ? undefined : await listDiskUsers(connect)
  } catch (error) {
    if (isVmpkgError(error, 'LIBVIRT_UNREACHABLE')) return undefined
    throw error
  }
}

/** @throws {VmpkgError} `IMAGE_IN_USE` where a machine runs on it */
export function requireStopped(said: string, users: readonly DiskUser[]): void {
  const running = users.filter(({ isRunning }) => isRunning).map(({ name }) => name)
  if (running.length === 0) return
  throw new VmpkgError('IMAGE_IN_USE', `${said} is in use by ${running.join(', ')}`, {
    hint: `Stop it first: vmpkg stop ${running[0]}, or virsh shutdown ${running[0]}.`,
    details: { domains: running },
  })
}

/** Names the machine in place of `another process`, where libvirt knows it. @throws what `work` throws */
export async function namingUser<T>(
  workspace: Workspace,
  { path, said }: { readonly path: string; readonly said: string },
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isVmpkgError(error, 'IMAGE_IN_USE') && error.details['file'] === path) {
      requireStopped(said, await findDiskUsers(workspace, path))
    }
    throw error
  }
}
