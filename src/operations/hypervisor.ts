/**
 * What the connection's host runs guests with: the QEMU binary that its libvirt names, KVM only where it was proved, and
 * the UEFI firmware that the host has, if any.
 */

import { VmpkgError } from '../errors.ts'
import { listFirmware } from '../host/emulator.ts'
import type { Connect } from '../libvirt/connect.ts'
import { LibvirtError } from '../libvirt/error.ts'
import type { DomainTemplateContext } from '../model/template-context.ts'
import { parseXml } from '../xml/parse.ts'
import { viewDocument } from '../xml/schema/view.ts'
import { isKvmUsable } from './kvm.ts'
import type { Workspace } from './workspace.ts'

/** @throws {VmpkgError} `HOST_UNSUPPORTED` when libvirt finds no QEMU for x86_64. */
export async function chooseHypervisor(workspace: Workspace, connect: Connect): Promise<DomainTemplateContext['host']> {
  const emulator = await findEmulator(connect)
  const virtType = (await isKvmUsable(workspace, connect)) ? 'kvm' : 'qemu'
  // Secure boot would need keys that sign our kernel images; without them it refuses every one.
  const firmware = (await listFirmware()).find(({ secureBoot }) => !secureBoot)
  if (firmware === undefined) return { emulator, virtType }
  return { emulator, virtType, firmware: { code: firmware.code, vars: firmware.variables } }
}

async function findEmulator(connect: Connect): Promise<string> {
  try {
    const text = await connect.getDomainCapabilities({ arch: 'x86_64', virtType: 'qemu' })
    const { path } = viewDocument(parseXml(text), 'domainCapabilities')
    if (path !== undefined) return path.$text
  } catch (cause) {
    if (!(cause instanceof LibvirtError)) throw cause
    throw unsupported(cause)
  }
  throw unsupported()
}

function unsupported(cause?: unknown): VmpkgError {
  return new VmpkgError('HOST_UNSUPPORTED', 'libvirt finds no QEMU that runs x86_64 machines', {
    hint: 'Install it: apt-get install qemu-system-x86',
    cause,
  })
}
