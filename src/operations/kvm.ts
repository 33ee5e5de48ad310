/** Whether guests of this connection may use KVM. */
import type { Connect } from '../libvirt/connect.ts'
import type { Workspace } from './workspace.ts'

export async function isKvmUsable(_workspace: Workspace, _connect: Connect): Promise<boolean> {
  return false
}
