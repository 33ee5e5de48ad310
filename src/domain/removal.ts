/** Ends and undefines what vmpkg made; whatever lacks our metadata is left alone. Each is safe to run twice. */
import type { Connect } from '../libvirt/connect.ts'
import type { Domain } from '../libvirt/domain.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { readNetworkFacts } from '../render/facts-xml.ts'
import { absent, readMachine } from './inventory.ts'

/** Destroys and undefines our domain of that UUID. False when there is none, or it is foreign. */
export async function destroyOwnDomain(connect: Connect, uuid: string): Promise<boolean> {
  const domain = await connect.domainLookupByUuid({ uuid }).catch(absent('noDomain'))
  if (domain === undefined || (await readMachine(domain)) === undefined) return false
  const isPersistent = await domain.isPersistent().catch(absent('noDomain'))
  await destroyIfRunning(domain)
  // libvirt writes into its log whom it did not find, by name (leak case J3): a transient one is gone by now.
  if (isPersistent !== true) return true
  await domain.undefine({ flags: ['managedSave', 'snapshotsMetadata', 'checkpointsMetadata', 'nvram'] }).catch(gone)
  return true
}

/** Pulls the plug of our domain of that UUID. */
export async function stopOwnDomain(connect: Connect, uuid: string): Promise<void> {
  const domain = await connect.domainLookupByUuid({ uuid }).catch(absent('noDomain'))
  if (domain !== undefined && (await readMachine(domain)) !== undefined) await destroyIfRunning(domain)
}

/** Pulls the plug. Fine when the domain is off already or vanishes meanwhile. */
export async function destroyIfRunning(domain: Domain): Promise<void> {
  await domain.destroy().catch(gone)
}

/** Stops and undefines our network of that UUID. */
export async function undefineOwnNetwork(connect: Connect, uuid: string): Promise<boolean> {
  const network = await connect.networkLookupByUuid({ uuid }).catch(absent('noNetwork'))
  if (network === undefined || readNetworkFacts(await network.getXMLDesc()) === undefined) return false
  await network.destroy().catch(gone)
  await network.undefine().catch(gone)
  return true
}

/** "Not running" and "not there" are what we want. */
function gone(error: unknown): void {
  if (error instanceof LibvirtError && error.is('operationInvalid', 'noDomain', 'noNetwork')) return
  throw error
}
