/** A domain's disks and the points in time at which they can be read, from libvirt and from the headers of the files. */
import { join } from 'node:path'
import { findDomain } from '../domain/inventory.ts'
import { findPoints, type KnownSnapshot, type PointInTime, readDisks, readSnapshot } from '../domain/points.ts'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import type { DiskDemand } from '../host/demand-disk.ts'
import { privateHostFolders } from '../host/private-host-record.ts'
import { type ChainFile, readChain } from '../image/chain.ts'
import type { Connect } from '../libvirt/connect.ts'
import type { Domain } from '../libvirt/domain.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { privateFolders } from './connection.ts'
import { isLocal, privateHostName } from './connection-name.ts'
import type { Workspace } from './workspace.ts'

export interface DiskPoints {
  /** `vda` */
  readonly target: string
  /** In order of time. */
  readonly points: readonly PointInTime[]
  readonly files: ReadonlyMap<string, ChainFile>
  /** Key of the file that a running guest writes to. */
  readonly live: string | undefined
}

export interface DisksRequest {
  readonly machine: string
  /** `vda`; all disks where it is absent. */
  readonly disk: string | undefined
  /** Read the present of a running guest too. */
  readonly live: boolean
}

/**
 * @throws {VmpkgError} `HOST_UNSUPPORTED` for a libvirt elsewhere, `DOMAIN_UNKNOWN`, `USAGE` for a disk that is not there,
 *   `IMAGE_INVALID` `NO_RIGHTS` where none of the disks can be read
 */
export async function readDiskPoints(workspace: Workspace, request: DisksRequest): Promise<readonly DiskPoints[]> {
  const { connectionName } = workspace
  if (!isLocal(connectionName) || connectionName.includes('socket=')) {
    throw new VmpkgError('HOST_UNSUPPORTED', `The disks of ${connectionName} may be on another machine than this one`, {
      hint: 'Run vmpkg on that machine.',
    })
  }
  const connect = await workspace.connect()
  const domain = await findDomain(connect, request.machine)
  if (domain === undefined) {
    throw new VmpkgError('DOMAIN_UNKNOWN', `There is no machine ${JSON.stringify(request.machine.slice(0, 80))}`, {
      hint: 'vmpkg ps --all lists yours, virsh list --all those of others too.',
    })
  }
  const isRunning = await domain.isActive()
  const disks = chooseDisks(readDisks(await domain.getXMLDesc()), request)
  const snapshots = await readSnapshots(domain)
  const found: DiskPoints[] = []
  let failure: unknown
  for (const disk of disks) {
    try {
      found.push(await readDisk(workspace, connect, { disk, snapshots, isRunning, live: request.live }))
    } catch (error) {
      if (!isVmpkgError(error, 'IMAGE_INVALID', 'NO_RIGHTS') || request.disk !== undefined) throw error
      failure ??= error
    }
  }
  if (found.length === 0 && failure !== undefined) throw failure
  return found
}

function chooseDisks(disks: readonly DiskDemand[], { machine, disk }: DisksRequest): readonly DiskDemand[] {
  const chosen = disk === undefined ? disks : disks.filter(({ target }) => target === disk)
  if (chosen.length > 0) return chosen
  const names = disks.map(({ target }) => target).join(', ')
  throw new VmpkgError('USAGE', disk === undefined ? `${machine} has no disk` : `${machine} has no disk ${disk}`, {
    hint: names === '' ? 'A machine without disks has no files to look at.' : `It has ${names}.`,
  })
}

/** A domain of a driver without snapshots has none. */
async function readSnapshots(domain: Domain): Promise<readonly KnownSnapshot[]> {
  try {
    const all = await domain.listAllSnapshots()
    return await Promise.all(all.map(async (one) => readSnapshot(await one.getXMLDesc())))
  } catch (error) {
    if (error instanceof LibvirtError && error.is('noSupport')) return []
    throw error
  }
}

interface DiskRequest {
  readonly disk: DiskDemand
  readonly snapshots: readonly KnownSnapshot[]
  readonly isRunning: boolean
  readonly live: boolean
}

async function readDisk(
  workspace: Workspace,
  connect: Connect,
  { disk, snapshots, isRunning, live }: DiskRequest,
): Promise<DiskPoints> {
  const { target, format = 'raw' } = disk
  const file = disk.file ?? (await findVolume(connect, disk))
  if (file === undefined) {
    throw new VmpkgError('IMAGE_INVALID', `The disk ${target} is no file on this machine`, {
      hint: 'Only disks in raw and qcow2 files have layers that can be read.',
    })
  }
  const hostPath = pathOnHost(workspace)
  const files = new Map<string, ChainFile>()
  const keys = new Map<string, string>()
  keys.set(file, await readChain({ file, format }, files, hostPath))
  for (const { disks } of snapshots) {
    const own = disks.find((one) => one.target === target)
    if (own === undefined || keys.has(own.file)) continue
    // A branch whose files are gone has nothing to read; the others have.
    const key = await readChain(own, files, hostPath).catch((error: unknown) => {
      if (isVmpkgError(error, 'IMAGE_INVALID')) return undefined
      throw error
    })
    if (key !== undefined) keys.set(own.file, key)
  }
  const top = keys.get(file) ?? ''
  const points = findPoints({
    target,
    top,
    files,
    snapshots,
    keyOf: (one) => keys.get(one),
    withoutNow: isRunning && !live,
    now: workspace.outside.clock.now(),
  })
  return { target, points, files, live: isRunning ? top : undefined }
}

async function findVolume(connect: Connect, { volume }: DiskDemand): Promise<string | undefined> {
  if (volume === undefined) return undefined
  try {
    const pool = await connect.storagePoolLookupByName({ name: volume.pool })
    return await (await pool.storageVolLookupByName({ name: volume.name })).getPath()
  } catch (error) {
    if (error instanceof LibvirtError) return undefined
    throw error
  }
}

/** A private host has folders of its own where the system's libvirt has /var/lib/libvirt. */
function pathOnHost(workspace: Workspace): (file: string) => string {
  const name = privateHostName(workspace.connectionName)
  if (name === undefined) return (file) => file
  const own = join(privateHostFolders(name, privateFolders(workspace)).durableDir, 'lib')
  return (file) => file.replace(/^\/var\/lib\/libvirt(?=\/)/, () => own)
}
