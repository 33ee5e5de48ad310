/**
 * `set memory`, `set vcpus`, `set cpu-limit`, `set disk`: by libvirt's own calls, so that virt-manager shows the same, and
 * nothing else is written down. The definition is changed for the next start and, where libvirt can, what runs now.
 */
import { getMachine, type Machine } from '../domain/inventory.ts'
import { type Resources, readResources } from '../domain/resources.ts'
import { readRestorable } from '../domain/restore.ts'
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import type { Domain } from '../libvirt/domain.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { formatSize } from '../model/size.ts'
import { intend, transact } from './recover.ts'
import { growVolume } from './storage-space.ts'
import type { Workspace } from './workspace.ts'

export type ResourceChange =
  | { readonly kind: 'memory'; readonly bytes: number }
  | { readonly kind: 'vcpus'; readonly count: number }
  /** Of one processor of the host; undefined lifts the limit. */
  | { readonly kind: 'cpu-limit'; readonly percent: number | undefined }
  /** 0 lifts a limit; undefined leaves it. */
  | {
      readonly kind: 'disk'
      readonly target: string | undefined
      readonly iops: number | undefined
      readonly bandwidth: number | undefined
      readonly sizeBytes: number | undefined
    }

export interface ResourceRequest {
  readonly name: string
  readonly change: ResourceChange
  /** Neither means both: the definition, and what runs where that can be. */
  readonly live: boolean
  readonly config: boolean
}

export interface ResourceResult {
  readonly name: string
  readonly before: Resources
  readonly after: Resources
  /** Whether what runs has changed, too; undefined where nothing runs, or it was not asked for. */
  readonly isLive: boolean | undefined
  /** Why what runs has not changed. */
  readonly reason: string | undefined
}

type Impact = 'live' | 'config'

const PERIOD = 100_000
/** libvirt's least is 1000 of a period. */
const QUOTA_PER_PERCENT = PERIOD / 100

/** @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` */
export async function machineResources(workspace: Workspace, name: string): Promise<Resources> {
  return readResources((await getMachine(await workspace.connect(), name)).xml)
}

/**
 * @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN`, `DOMAIN_STATE` for `live` of what does not run and `config` of an
 * ephemeral clone, `USAGE` for a disk there is not, `RESIZE_REFUSED`, `LIBVIRT_FAILED` where libvirt cannot
 */
export async function setResources(workspace: Workspace, request: ResourceRequest): Promise<ResourceResult> {
  const connect = await workspace.connect()
  const { change, name } = request
  const machine = await getMachine(connect, name)
  const { domain } = machine
  const isActive = await domain.isActive()
  const isPersistent = await domain.isPersistent()
  if (request.live && !isActive) {
    throw new VmpkgError('DOMAIN_STATE', `${name} is not running`, { hint: 'Leave --live out.' })
  }
  if (request.config && !isPersistent) {
    throw new VmpkgError('DOMAIN_STATE', `${name} is an ephemeral clone: it has no next start`, {
      hint: 'Leave --config out.',
    })
  }
  const isBoth = request.live === request.config
  const impacts = { config: (isBoth || request.config) && isPersistent, live: (isBoth || request.live) && isActive }
  const before = readResources(machine.xml)
  const target = change.kind === 'disk' ? diskOf(machine, before, change.target) : ''
  if (change.kind === 'disk' && change.sizeBytes !== undefined) {
    await growDisk(workspace, machine, { target, bytes: change.sizeBytes, isActive })
  }
  if (impacts.config) await changeDefinition(workspace, connect, machine, { change, target })
  let live: { readonly isLive: boolean; readonly reason?: string } | undefined
  if (impacts.live) live = await changeRunning(machine, { change, target }, isPersistent && !request.live)
  const after = readResources((await getMachine(connect, name)).xml)
  return { name, before, after, isLive: live?.isLive, reason: live?.reason }
}

interface Wanted {
  readonly change: ResourceChange
  readonly target: string
}

/** Takes the whole definition back where it fails half way: memory and processors are two calls each. */
async function changeDefinition(
  workspace: Workspace,
  connect: Connect,
  { domain, name }: Machine,
  wanted: Wanted,
): Promise<void> {
  const restorable = await readRestorable(connect, domain.uuid)
  if (restorable === undefined) return
  await transact(workspace, { operation: `set-${wanted.change.kind}`, subject: name }, async (transaction) => {
    intend(transaction, { kind: 'restore-domain', name, ...restorable, active: false })
    await apply(domain, wanted, 'config')
    transaction.commit()
  })
}

/** @param isLenient a running machine that cannot be changed gets it at its next start */
async function changeRunning(
  { domain }: Machine,
  wanted: Wanted,
  isLenient: boolean,
): Promise<{ readonly isLive: boolean; readonly reason?: string }> {
  try {
    await apply(domain, wanted, 'live')
    return { isLive: true }
  } catch (error) {
    if (!isLenient || !(error instanceof LibvirtError)) throw error
    return { isLive: false, reason: error.message }
  }
}

async function apply(domain: Domain, { change, target }: Wanted, impact: Impact): Promise<void> {
  switch (change.kind) {
    case 'memory': {
      const memory = BigInt(Math.ceil(change.bytes / 1024))
      if (impact === 'config') await domain.setMemory({ memory, flags: ['config', 'maximum'] })
      await domain.setMemory({ memory, flags: [impact] })
      return
    }
    case 'vcpus':
      if (impact === 'config') await setVcpusOfDefinition(domain, change.count)
      else await domain.setVcpus({ count: change.count, flags: ['live'] })
      return
    case 'cpu-limit':
      await domain.setSchedulerParameters({
        params:
          change.percent === undefined
            ? { global_quota: -1n }
            : { global_period: BigInt(PERIOD), global_quota: BigInt(change.percent * QUOTA_PER_PERCENT) },
        flags: [impact],
      })
      return
    case 'disk': {
      const { iops, bandwidth } = change
      if (iops === undefined && bandwidth === undefined) return
      await domain.setBlockIoTune({
        disk: target,
        params: {
          ...(iops === undefined ? {} : { total_iops_sec: BigInt(iops) }),
          ...(bandwidth === undefined ? {} : { total_bytes_sec: BigInt(bandwidth) }),
        },
        flags: [impact],
      })
    }
  }
}

/** The present count is never above the most there may be. */
async function setVcpusOfDefinition(domain: Domain, count: number): Promise<void> {
  const present = await domain.getVcpusCount({ flags: ['config'] })
  if (count < present) await domain.setVcpus({ count, flags: ['config'] })
  await domain.setVcpus({ count, flags: ['config', 'maximum'] })
  await domain.setVcpus({ count, flags: ['config'] })
}

function diskOf({ name }: Machine, { disks }: Resources, wanted: string | undefined): string {
  const names = disks.map(({ target }) => target)
  const [only] = names
  if (wanted === undefined && only !== undefined && names.length === 1) return only
  if (wanted !== undefined && names.includes(wanted)) return wanted
  throw new VmpkgError(
    'USAGE',
    wanted === undefined
      ? `${name} has ${names.length} disks`
      : `${name} has no disk ${JSON.stringify(wanted.slice(0, 40))}`,
    { hint: names.length === 0 ? 'There is nothing to limit.' : `Name one with --disk: ${names.join(', ')}.` },
  )
}

/** A clone's own layer alone; what it stands on is shared, and stays. The guest’s file system is the guest’s part. */
async function growDisk(
  workspace: Workspace,
  { domain, name, xml }: Machine,
  { target, bytes, isActive }: { readonly target: string; readonly bytes: number; readonly isActive: boolean },
): Promise<void> {
  if (isActive) {
    const { capacity } = await domain.getBlockInfo({ path: target })
    if (BigInt(bytes) < capacity) {
      throw new VmpkgError('RESIZE_REFUSED', `The disk has ${formatSize(Number(capacity))}: it only grows`, {
        hint: 'Make a new clone, and copy what is needed with vmpkg cp.',
      })
    }
    if (BigInt(bytes) > capacity) await growVolume(workspace, xml, target, bytes)
    if (BigInt(bytes) > capacity) await domain.blockResize({ disk: target, size: BigInt(bytes), flags: ['bytes'] })
    return
  }
  throw new VmpkgError('DOMAIN_STATE', `A disk grows while its machine runs, and ${name} does not`, {
    hint: `vmpkg start ${name}, then try again.`,
  })
}
