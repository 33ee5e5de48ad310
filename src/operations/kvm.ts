/**
 * Whether guests of a connection may use KVM: libvirt must offer it (it asks as QEMU's own user), and on this machine a
 * probe guest must really have run, because a /dev/kvm that exists proves nothing.
 */
import { type KvmVerdict, probeKvm } from '../host/kvm-probe.ts'
import { findTool } from '../host/tools.ts'
import type { Connect } from '../libvirt/connect.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { isLocal } from './connection-name.ts'
import type { Workspace } from './workspace.ts'

const QEMU = 'qemu-system-x86_64'

export async function isKvmUsable(workspace: Workspace, connect: Connect): Promise<boolean> {
  if (!(await isOffered(connect))) return false
  return isLocal(workspace.connectionName) ? (await probeHere(workspace)).usable : true
}

/** The verdict of the probe on this machine; cached until something about KVM changes. */
export async function probeHere(workspace: Workspace): Promise<KvmVerdict> {
  const qemu = await findTool(QEMU)
  if (qemu === undefined) return { usable: false, reason: `${QEMU} is not installed` }
  const { processes, signal } = workspace.outside
  return probeKvm({ qemu, cacheDir: workspace.paths.cache, processes, signal })
}

/** libvirt refuses to describe KVM domains where its QEMU cannot run them. */
async function isOffered(connect: Connect): Promise<boolean> {
  try {
    await connect.getDomainCapabilities({ arch: 'x86_64', virtType: 'kvm' })
    return true
  } catch (error) {
    if (error instanceof LibvirtError) return false
    throw error
  }
}
