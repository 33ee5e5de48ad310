/**
 * The key of an encrypted storage while it is unlocked: a secret of libvirt that is ephemeral, so that it is never in a file
 * and gone with the daemon. It is not private: a new volume's header needs it, and whoever may use this connection can
 * start a machine with the disk anyway.
 */
import type { Connect } from '../libvirt/connect.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { escapeXml } from '../xml/lexical.ts'
import { absent } from './inventory.ts'

export async function setStorageSecret(
  connect: Connect,
  { uuid, name, key }: { readonly uuid: string; readonly name: string; readonly key: Buffer },
): Promise<void> {
  const xml = `<secret ephemeral='yes' private='no'>
  <uuid>${uuid}</uuid>
  <description>Key of storage ${escapeXml(name)} of vmpkg</description>
  <usage type='volume'>
    <volume>/vmpkg/storage/${uuid}</volume>
  </usage>
</secret>`
  const secret = await connect.secretDefineXML({ xml, flags: ['validate'] })
  await secret.setValue({ value: key })
}

/** Undefined while it is locked. */
export async function readStorageSecret(connect: Connect, uuid: string): Promise<Buffer | undefined> {
  try {
    const secret = await connect.secretLookupByUuid({ uuid })
    return Buffer.from(await secret.getValue())
  } catch (error) {
    if (error instanceof LibvirtError && error.is('noSecret', 'noSupport')) return undefined
    throw error
  }
}

/** What runs goes on. */
export async function forgetStorageSecret(connect: Connect, uuid: string): Promise<void> {
  try {
    await (await connect.secretLookupByUuid({ uuid })).undefine().catch(absent('noSecret'))
  } catch (error) {
    if (!(error instanceof LibvirtError && error.is('noSecret', 'noSupport'))) throw error
  }
}
