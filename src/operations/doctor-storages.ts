/** What doctor says of storages besides the built-in one: not there, locked, nearly full, or a thin pool that will not grow. */

import { isVmpkgError } from '../errors.ts'
import { bad, type CheckResult, notApplicable, ok } from '../host/doctor-check.ts'
import { readAutoextend } from '../host/lvm.ts'
import { describePlace, type Storage } from '../model/storage.ts'
import { readStorages } from '../state/storages.ts'
import { NEARLY_FULL_PERCENT, storageUsage } from './storage-space.ts'
import type { Workspace } from './workspace.ts'

/** Of a folder or volume group. */
const LEAST_FREE_BYTES = 2 * 1024 ** 3

export async function checkStorages(workspace: Workspace): Promise<readonly CheckResult[]> {
  const { storages } = readStorages(workspace.connectionPaths)
  if (storages.length === 0) return [notApplicable('storage', 'storages', 'there is only the built-in one')]
  const findings = (await Promise.all(storages.map((one) => findProblem(workspace, one)))).flatMap((one) => one ?? [])
  const extension = await checkAutoextend(workspace, storages)
  return findings.length === 0 || extension.status !== 'ok' ? [...findings, extension] : findings
}

async function findProblem(workspace: Workspace, storage: Storage): Promise<CheckResult | undefined> {
  const place = describePlace(storage)
  try {
    const { free, dataPercent = 0, metadataPercent = 0 } = await storageUsage(workspace, storage)
    if (Math.max(dataPercent, metadataPercent) > NEARLY_FULL_PERCENT) {
      return bad('problem', 'storage', 'storages', [
        `the thin pool ${place} is full to ${dataPercent} % of its data and ${metadataPercent} % of its metadata`,
        'When it is full every machine in it stops, and what it wrote last may be lost.',
        `Extend it: sudo lvextend --size +10G ${place} (--poolmetadatasize +1G for its metadata)`,
      ])
    }
    if (storage.type === 'lvm-thin' || free >= LEAST_FREE_BYTES) return undefined
    return bad('warning', 'storage', 'storages', [
      `${Math.floor(free / 1024 ** 2)} MiB are free in storage ${storage.name} (${place})`,
      'New machines do not fit, or are paused when they have filled it.',
      'Free some space there, or extend it.',
    ])
  } catch (error) {
    if (!isVmpkgError(error, 'STORAGE_UNAVAILABLE', 'TOOL_MISSING')) throw error
    return bad('problem', 'storage', 'storages', [
      error.message,
      'Machines in it do not start.',
      error.hint ?? 'vmpkg storage list',
    ])
  }
}

async function checkAutoextend(workspace: Workspace, storages: readonly Storage[]): Promise<CheckResult> {
  const all = ok('storage', 'storages', `${storages.map(({ name }) => name).join(', ')} can be used`)
  const thin = storages.find(({ type }) => type === 'lvm-thin')
  if (thin === undefined) return all
  const threshold = await readAutoextend(workspace.outside.processes)
  if (threshold === undefined || threshold < 100) return all
  return bad('warning', 'storage', 'storages', [
    `LVM does not extend the thin pool ${describePlace(thin)} by itself`,
    'It can promise more than it has, and a full one stops every machine in it.',
    'Write thin_pool_autoextend_threshold = 80 into the section activation of /etc/lvm/lvm.conf.',
  ])
}
