/**
 * The key of an encrypted disk: a secret of libvirt that is ephemeral (never in a file) and private (told to nobody but
 * QEMU). It has the UUID of its machine and names the disk, so that an orphan is known without any record.
 */
import { basename } from 'node:path'
import type { Connect } from '../libvirt/connect.ts'
import { LibvirtError } from '../libvirt/error.ts'
import type { Secret } from '../libvirt/secret.ts'
import { escapeXml } from '../xml/lexical.ts'
import { absent } from './inventory.ts'

export async function defineDiskSecret(
  connect: Connect,
  { uuid, overlay, passphrase }: { readonly uuid: string; readonly overlay: string; readonly passphrase: Buffer },
): Promise<void> {
  const xml = `<secret ephemeral='yes' private='yes'>
  <uuid>${uuid}</uuid>
  <description>Key of an ephemeral machine of vmpkg</description>
  <usage type='volume'>
    <volume>${escapeXml(overlay)}</volume>
  </usage>
</secret>`
  const secret = await connect.secretDefineXML({ xml, flags: ['validate'] })
  await secret.setValue({ value: passphrase })
}

/** False when there is none, or it is not ours. */
export async function undefineDiskSecret(connect: Connect, uuid: string): Promise<boolean> {
  const secret = await ifSupported(connect.secretLookupByUuid({ uuid }).catch(absent('noSecret')), undefined)
  if (secret === undefined || !isDiskSecret(secret)) return false
  await secret.undefine().catch(absent('noSecret'))
  return true
}

/** UUIDs of machines, living or not. */
export async function listDiskSecrets(connect: Connect): Promise<readonly string[]> {
  const secrets = await ifSupported(connect.listAllSecrets({ flags: ['ephemeral'] }), [])
  return secrets.filter(isDiskSecret).map(({ uuid }) => uuid)
}

/** A libvirt in parts may lack the part that keeps secrets. */
export async function canKeepSecrets(connect: Connect): Promise<boolean> {
  return ifSupported(
    connect.listAllSecrets().then(() => true),
    false,
  )
}

function isDiskSecret({ uuid, usageType, usageId }: Secret): boolean {
  return usageType === 'volume' && basename(usageId) === `${uuid}.qcow2`
}

async function ifSupported<T>(answer: Promise<T>, otherwise: T): Promise<T> {
  return answer.catch((error: unknown) => {
    if (error instanceof LibvirtError && error.is('noSupport')) return otherwise
    throw error
  })
}
