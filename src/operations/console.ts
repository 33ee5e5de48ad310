/** The serial console of a machine, through libvirt: what virsh console gives. */
import type { Duplex } from 'node:stream'
import { getMachine } from '../domain/inventory.ts'
import { VmpkgError } from '../errors.ts'
import { LibvirtError } from '../libvirt/error.ts'
import type { Workspace } from './workspace.ts'

/** @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `DOMAIN_STATE` */
export async function openConsole(
  workspace: Workspace,
  { name, force }: { readonly name: string; readonly force: boolean },
): Promise<Duplex> {
  const machine = await getMachine(await workspace.connect(), name)
  if (!(await machine.domain.isActive())) {
    throw new VmpkgError('DOMAIN_STATE', `${name} is not running`, { hint: `vmpkg start ${name}` })
  }
  try {
    return await machine.domain.openConsole({ flags: force ? ['force'] : ['safe'] })
  } catch (cause) {
    if (!(cause instanceof LibvirtError) || !cause.is('operationFailed')) throw cause
    throw new VmpkgError('DOMAIN_STATE', `Somebody else has the console of ${name}`, {
      hint: 'Add --force to take it over.',
      cause,
    })
  }
}
