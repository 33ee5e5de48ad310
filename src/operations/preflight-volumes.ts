/** The storage volumes that a definition names, as libvirt has them: a pool has to be active before it tells its volumes. */
import type { DiskDemand } from '../host/demand-disk.ts'
import type { VolumeState } from '../host/preflight-facts.ts'
import type { Connect } from '../libvirt/connect.ts'
import { LibvirtError } from '../libvirt/error.ts'

/** By disk; of what libvirt does not tell (it has no storage driver, for example) nothing. */
export async function readVolumes(
  connect: Connect,
  disks: readonly DiskDemand[],
): Promise<ReadonlyMap<string, VolumeState>> {
  const states = new Map<string, VolumeState>()
  for (const { path, volume } of disks) {
    const state = volume === undefined ? undefined : await readVolume(connect, volume)
    if (state !== undefined) states.set(path, state)
  }
  return states
}

async function readVolume(
  connect: Connect,
  { pool, name }: NonNullable<DiskDemand['volume']>,
): Promise<VolumeState | undefined> {
  try {
    const found = await connect.storagePoolLookupByName({ name: pool })
    if (!(await found.isActive())) return 'pool-inactive'
    await found.storageVolLookupByName({ name })
    return 'there'
  } catch (error) {
    if (!(error instanceof LibvirtError)) throw error
    if (error.is('noStoragePool')) return 'pool-missing'
    return error.is('noStorageVol') ? 'volume-missing' : undefined
  }
}
