/**
 * The libvirt pool that shows the volumes of a storage to virsh and virt-manager. It is a view: vmpkg makes the volumes
 * itself (libvirt makes neither thin ones nor a qcow2 file with a LUKS header of ours) and has the pool look again.
 */
import type { Connect } from '../libvirt/connect.ts'
import { LibvirtError } from '../libvirt/error.ts'
import type { StoragePool } from '../libvirt/storage.ts'
import type { Storage } from '../model/storage.ts'
import { escapeXml } from '../xml/lexical.ts'
import { absent } from './inventory.ts'

export function formatPool(storage: Storage): string {
  const head = `<name>${poolName(storage)}</name>\n  <uuid>${storage.uuid}</uuid>`
  if (storage.type === 'dir') {
    return `<pool type='dir'>\n  ${head}\n  <target>\n    <path>${escapeXml(storage.path)}</path>\n  </target>\n</pool>`
  }
  const group = escapeXml(storage.volumeGroup)
  const source = `<source>\n    <name>${group}</name>\n    <format type='lvm2'/>\n  </source>`
  return `<pool type='logical'>\n  ${head}\n  ${source}\n  <target>\n    <path>/dev/${group}</path>\n  </target>\n</pool>`
}

export function poolName({ name }: Pick<Storage, 'name'>): string {
  return `vmpkg-${name}`
}

/** @returns why there is none, where another pool has that place already or this libvirt keeps none */
export async function definePool(connect: Connect, storage: Storage): Promise<string | undefined> {
  try {
    const pool = await connect.storagePoolDefineXML({ xml: formatPool(storage), flags: [] })
    await pool.create()
    await pool.setAutostart({ autostart: true })
    return undefined
  } catch (error) {
    if (!(error instanceof LibvirtError)) throw error
    await undefinePool(connect, storage.uuid)
    return error.message
  }
}

/** What it holds stays. To stop an LVM pool libvirt switches off every volume that nobody has open: see to those after. */
export async function undefinePool(connect: Connect, uuid: string): Promise<void> {
  const pool = await findPool(connect, uuid)
  if (pool === undefined) return
  if (await pool.isActive()) await pool.destroy()
  await pool.undefine().catch(absent('noStoragePool'))
}

/** A pool that cannot be read is no reason to fail: it is only looked at. */
export async function refreshPool(connect: Connect, uuid: string): Promise<void> {
  const pool = await findPool(connect, uuid)
  await pool?.refresh().catch((error: unknown) => {
    if (!(error instanceof LibvirtError)) throw error
  })
}

async function findPool(connect: Connect, uuid: string): Promise<StoragePool | undefined> {
  try {
    return await connect.storagePoolLookupByUuid({ uuid })
  } catch (error) {
    if (error instanceof LibvirtError && error.is('noStoragePool', 'noSupport')) return undefined
    throw error
  }
}
