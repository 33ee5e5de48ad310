/** Brings domains and networks back from XML that libvirt had given. Each is safe to run twice. */
import type { Connect } from '../libvirt/connect.ts'
import type { Domain } from '../libvirt/domain.ts'
import type { Network } from '../libvirt/network.ts'
import { absent } from './inventory.ts'
import { markPanic, readPanic } from './panic.ts'

export interface Restorable {
  readonly uuid: string
  readonly xml: string
  readonly autostart: boolean
  /** Whether it ran. A router's LAN stays closed until `vmpkg start` has seen its attestation. */
  readonly active: boolean
}

export async function restoreDomain(connect: Connect, { uuid, xml, autostart, active }: Restorable): Promise<Domain> {
  const before = await connect.domainLookupByUuid({ uuid }).catch(absent('noDomain'))
  const panic = before && readPanic(await before.getXMLDesc({ flags: ['inactive'] }))
  const domain = await connect.domainDefineXML({ xml })
  if (readPanic(xml) !== panic && before !== undefined) await markPanic(domain, panic) // only lifting it ends it
  if ((await domain.getAutostart()) !== autostart) await domain.setAutostart({ autostart })
  if (active && !(await domain.isActive())) await domain.create()
  return domain
}

export async function restoreNetwork(connect: Connect, { xml, autostart, active }: Restorable): Promise<Network> {
  const network = await connect.networkDefineXML({ xml })
  if ((await network.getAutostart()) !== autostart) await network.setAutostart({ autostart })
  if (active && !(await network.isActive())) await network.create()
  return network
}

/** Of a machine or network that is gone there is nothing to set. */
export async function restoreAutostart(
  connect: Connect,
  {
    what,
    uuid,
    autostart,
  }: { readonly what: 'machine' | 'network'; readonly uuid: string; readonly autostart: boolean },
): Promise<void> {
  const found =
    what === 'machine'
      ? await connect.domainLookupByUuid({ uuid }).catch(absent('noDomain'))
      : await connect.networkLookupByUuid({ uuid }).catch(absent('noNetwork'))
  await found?.setAutostart({ autostart })
}

/** Of a machine that is gone there is nothing to name. What runs cannot be renamed: it is tried again later. */
export async function restoreName(
  connect: Connect,
  { uuid, name, xml }: { readonly uuid: string; readonly name: string; readonly xml: string },
): Promise<void> {
  const domain = await connect.domainLookupByUuid({ uuid }).catch(absent('noDomain'))
  if (domain === undefined) return
  if (domain.name !== name) await domain.rename({ newName: name })
  await connect.domainDefineXML({ xml })
}

/** As libvirt has it now for the next start, secrets included: what a definition is restored from. */
export async function readRestorable(connect: Connect, uuid: string): Promise<Restorable | undefined> {
  const domain = await connect.domainLookupByUuid({ uuid }).catch(absent('noDomain'))
  if (domain !== undefined) {
    const xml = await domain.getXMLDesc({ flags: ['inactive', 'secure'] })
    return { uuid, xml, autostart: await domain.getAutostart(), active: await domain.isActive() }
  }
  const network = await connect.networkLookupByUuid({ uuid }).catch(absent('noNetwork'))
  if (network === undefined) return undefined
  const xml = await network.getXMLDesc({ flags: ['inactive'] })
  return { uuid, xml, autostart: await network.getAutostart(), active: await network.isActive() }
}
