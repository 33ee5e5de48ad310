/**
 * The disks of a running machine, as they were at one moment: libvirt's backup job in pull mode, which keeps what the guest
 * overwrites meanwhile in scratch files and offers the disks on a socket of ours. With a checkpoint QEMU notes from that
 * moment on what changes.
 *
 * What a session makes is named after its process, so that the next command takes away what a killed one left: the job,
 * scratch files, socket, and a checkpoint that no backup counts from.
 */
import { chmod, chown, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { absent } from '../domain/inventory.ts'
import { makeFolder } from '../durable-file.ts'
import { VmpkgError } from '../errors.ts'
import { type NbdDisk, openNbd } from '../image/nbd-client.ts'
import type { Domain } from '../libvirt/domain.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { readOwnIdentity } from '../state/process-identity.ts'
import { findElements, getAttribute } from '../xml/find.ts'
import { escapeXml } from '../xml/lexical.ts'
import { parseXml } from '../xml/parse.ts'
import { readIndexes } from './backup-index.ts'
import { findDeadBackups } from './dead-backups.ts'
import type { Workspace } from './workspace.ts'

export interface SessionDisk {
  readonly target: string
  readonly file: string
  readonly format: 'raw' | 'qcow2'
  /** Name of the checkpoint since which its changes are asked for. */
  readonly since?: string | undefined
}

export interface SessionRequest {
  readonly domain: Domain
  /** Of what runs. */
  readonly xml: string
  readonly disks: readonly SessionDisk[]
  /** Made at the same moment, of the disks that can have one. */
  readonly checkpoint?: string | undefined
}

export interface Session {
  readonly consistency: 'frozen' | 'crash'
  readonly open: (target: string) => Promise<NbdDisk>
}

/** Context of the bitmap of what has changed. */
export const CHANGES = 'qemu:dirty-bitmap:changes'
/** Checkpoints of ours. */
const CHECKPOINT = /^vmpkg-\d{8}T\d{6}Z-[0-9a-f]{8}$/
const MAX_SOCKET_PATH = 107
const POLL_MS = 20
const PATIENCE_MS = 30_000

/** @throws {VmpkgError} `DOMAIN_STATE` `NO_RIGHTS` `LIBVIRT_FAILED` `DISK_FAILED` `ABORTED`, and what `use` throws */
export async function withRunningDisks<T>(
  workspace: Workspace,
  request: SessionRequest,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  const { domain, checkpoint, disks } = request
  const { connectionPaths, outside } = workspace
  const { pid, startTicks } = readOwnIdentity()
  const folder = join(connectionPaths.overlays, `${domain.uuid}.backup-${pid}-${startTicks}`)
  const sockets = socketFolder(workspace, pid, startTicks)
  const socket = join(sockets, 'nbd')
  if (Buffer.byteLength(socket) > MAX_SOCKET_PATH) {
    throw new VmpkgError('HOST_UNSUPPORTED', `The path ${socket} is too long for a socket`, {
      hint: 'Point XDG_RUNTIME_DIR (or --root) at a shorter path.',
    })
  }
  const owner = await stat(disks[0]?.file ?? folder)
  try {
    await mkdir(folder, { mode: 0o711 })
    await chmod(folder, 0o711) // QEMU may run as another user
    await writeFile(join(folder, 'session.json'), JSON.stringify({ checkpoint: checkpoint ?? null }), { mode: 0o600 })
    await makeFolder(workspace.paths.runtime, { mode: 0o711 })
    await mkdir(sockets, { recursive: true, mode: 0o700 })
    if (workspace.isRoot) await chown(sockets, owner.uid, owner.gid)
    const consistency = await begin(request, folder, socket)
    return await use({
      consistency,
      open: async (target) =>
        openNbd({
          socket,
          exportName: target,
          contexts: [
            'base:allocation',
            ...(disks.find((one) => one.target === target)?.since === undefined ? [] : [CHANGES]),
          ],
          signal: outside.signal,
        }),
    })
  } finally {
    await endJob(domain, socket)
    await rm(folder, { recursive: true, force: true })
    await rm(sockets, { recursive: true, force: true })
  }
}

function socketFolder({ paths }: Workspace, pid: number, startTicks: number): string {
  return join(paths.runtime, `b-${pid}-${startTicks}`)
}

async function begin(
  { domain, xml, disks, checkpoint }: SessionRequest,
  folder: string,
  socket: string,
): Promise<Session['consistency']> {
  const all = findElements(parseXml(xml).root, 'devices/disk/target').map((one) => getAttribute(one, 'dev') ?? '')
  const chosen = all.map((target) => disks.find((one) => one.target === target) ?? target)
  const backupXml = `<domainbackup mode='pull'>
  <server transport='unix' socket='${escapeXml(socket)}'/>
  <disks>${chosen.map((one) => `\n    ${describeDisk(one, folder)}`).join('')}
  </disks>
</domainbackup>`
  const isFrozen = await freeze(domain, xml)
  try {
    await domain.backupBegin({
      backupXml,
      ...(checkpoint === undefined ? {} : { checkpointXml: describeCheckpoint(checkpoint, chosen) }),
    })
  } finally {
    if (isFrozen) await domain.fsThaw().catch(() => {}) // a guest that is gone needs none
  }
  return isFrozen ? 'frozen' : 'crash'
}

function describeDisk(disk: SessionDisk | string, folder: string): string {
  if (typeof disk === 'string') return `<disk name='${escapeXml(disk)}' backup='no'/>`
  const { target, since } = disk
  const changes =
    since === undefined
      ? "backupmode='full'"
      : `backupmode='incremental' incremental='${escapeXml(since)}' exportbitmap='changes'`
  const scratch = `<driver type='qcow2'/><scratch file='${escapeXml(join(folder, `${target}.scratch`))}'/>`
  return `<disk name='${escapeXml(target)}' backup='yes' type='file' ${changes} exportname='${escapeXml(target)}'>${scratch}</disk>`
}

function describeCheckpoint(name: string, disks: readonly (SessionDisk | string)[]): string {
  const each = disks.map((disk) => {
    const target = typeof disk === 'string' ? disk : disk.target
    const kind = typeof disk !== 'string' && disk.format === 'qcow2' ? 'bitmap' : 'no'
    return `<disk name='${escapeXml(target)}' checkpoint='${kind}'/>`
  })
  const words = '<description>vmpkg backup --incremental counts from here</description>'
  return `<domaincheckpoint><name>${escapeXml(name)}</name>${words}<disks>${each.join('')}</disks></domaincheckpoint>`
}

/** By the guest's agent, where one answers. */
async function freeze(domain: Domain, xml: string): Promise<boolean> {
  if (!hasAgent(xml)) return false
  try {
    await domain.fsFreeze({ mountpoints: [] })
    return true
  } catch (error) {
    if (error instanceof LibvirtError) return false
    throw error
  }
}

function hasAgent(xml: string): boolean {
  return findElements(parseXml(xml).root, 'devices/channel/target').some(
    (one) => getAttribute(one, 'name') === 'org.qemu.guest_agent.0' && getAttribute(one, 'state') === 'connected',
  )
}

/** Ends the job if it is the one of that socket, and returns once it has ended. */
async function endJob(domain: Domain, socket: string): Promise<void> {
  for (let waited = 0; waited < PATIENCE_MS; waited += POLL_MS) {
    const xml = await domain.backupGetXMLDesc().catch(over)
    if (xml === undefined || !xml.includes(`socket='${escapeXml(socket)}'`)) return
    await domain.abortJob().catch(over)
    await sleep(POLL_MS)
  }
}

function over(error: unknown): undefined {
  if (error instanceof LibvirtError && error.is('noDomainBackup', 'operationInvalid', 'noDomain', 'noSupport'))
    return undefined
  throw error
}

/** What killed backups left, of every machine of this connection. */
export async function tidyBackups(workspace: Workspace): Promise<void> {
  for (const { uuid, path, pid, startTicks } of await findDeadBackups(workspace)) {
    const connect = uuid === undefined ? undefined : await workspace.connectIfRunning()
    const domain =
      uuid === undefined ? undefined : await connect?.domainLookupByUuid({ uuid }).catch(absent('noDomain'))
    if (domain !== undefined) {
      // It may have been killed while the guest stood still.
      if (hasAgent(await domain.getXMLDesc())) await domain.fsThaw().catch(() => {})
      await endJob(domain, join(socketFolder(workspace, pid, startTicks), 'nbd'))
      if ((await readCheckpoint(path)) !== undefined) await tidyCheckpoints(workspace, domain)
    }
    await rm(path, { recursive: true, force: true })
  }
}

async function readCheckpoint(folder: string): Promise<string | undefined> {
  try {
    const { checkpoint } = JSON.parse(await readFile(join(folder, 'session.json'), 'utf8')) as { checkpoint: unknown }
    return typeof checkpoint === 'string' ? checkpoint : undefined
  } catch {
    return undefined // killed before it was written
  }
}

/** Deletes checkpoints of ours from which no backup counts any more; of a machine that is off at its next backup. */
export async function tidyCheckpoints(workspace: Workspace, domain: Domain): Promise<void> {
  const all = await domain.listAllCheckpoints().catch(over)
  const own = (all ?? []).filter(({ name }) => CHECKPOINT.test(name))
  if (own.length === 0 || !(await domain.isActive())) return
  const indexes = await readIndexes(workspace, domain.uuid)
  for (const checkpoint of own) {
    if (indexes.some((one) => one.checkpoint === checkpoint.name)) continue
    await checkpoint.delete().catch((error: unknown) => {
      if (!(error instanceof LibvirtError)) throw error
      // One whose bitmap is lost, as after a power cut, can only be forgotten.
      return checkpoint.delete({ flags: ['metadataOnly'] })
    })
  }
}
