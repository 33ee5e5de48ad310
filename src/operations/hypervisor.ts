/**
 * What the connection's host runs guests with: the QEMU binary that its libvirt names, KVM only where it was proved, and
 * the UEFI firmware that the host has, if any.
 */

import { VmpkgError } from '../errors.ts'
import { listFirmware } from '../host/emulator.ts'
import type { Connect } from '../libvirt/connect.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { formatVersion } from '../libvirt/version.ts'
import type { DomainTemplateContext } from '../model/template-context.ts'
import { together } from '../together.ts'
import { parseXml } from '../xml/parse.ts'
import { viewDocument } from '../xml/schema/view.ts'
import { isKvmUsable } from './kvm.ts'
import type { Workspace } from './workspace.ts'

/** @throws {VmpkgError} `HOST_UNSUPPORTED` when libvirt finds no QEMU for x86_64. */
export async function chooseHypervisor(workspace: Workspace, connect: Connect): Promise<DomainTemplateContext['host']> {
  const [emulator, isKvm, firmware, releases] = await together([
    findEmulator(connect),
    isKvmUsable(workspace, connect),
    listFirmware(),
    readReleases(connect),
  ])
  // Secure boot is for systems that vendors signed: it would refuse our own kernel images.
  const [plain, secure] = [false, true].map((wanted) => firmware.find(({ secureBoot }) => secureBoot === wanted))
  return {
    emulator,
    virtType: isKvm ? 'kvm' : 'qemu',
    ...(plain === undefined ? {} : { firmware: { code: plain.code, vars: plain.variables } }),
    ...(secure === undefined ? {} : { secureFirmware: { code: secure.code, vars: secure.variables } }),
    ...releases,
  }
}

/**
 * What templates ask for by `(libvirt "9.2")` and `(qemu "8.0")`.
 * @throws {VmpkgError} `HOST_UNSUPPORTED` where libvirt finds no QEMU that could have a version
 */
export async function readReleases(connect: Connect): Promise<{ libvirtVersion: string; qemuVersion: string }> {
  const [libvirt, qemu] = await Promise.all([
    connect.getLibVersion(),
    connect.getVersion().catch((cause: unknown) => {
      throw cause instanceof LibvirtError ? unsupported(cause) : cause
    }),
  ])
  return { libvirtVersion: formatVersion(libvirt), qemuVersion: formatVersion(qemu) }
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
