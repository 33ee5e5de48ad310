/** Which libvirt this run talks to when nobody says: the system's where this user may use it, else a private host. */
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import type { Workspace } from './workspace.ts'

const SYSTEM_SOCKETS = ['/var/run/libvirt/virtqemud-sock', '/var/run/libvirt/libvirt-sock']

/** `--connect`, `VMPKG_CONNECT`, `LIBVIRT_DEFAULT_URI`, then by looking at the system's socket. */
export async function chooseConnection(workspace: Workspace): Promise<string> {
  const wanted = workspace.wantedConnection ?? workspace.env['LIBVIRT_DEFAULT_URI']
  if (wanted !== undefined && wanted !== '') return wanted
  for (const socket of SYSTEM_SOCKETS) {
    try {
      await access(socket, constants.R_OK | constants.W_OK)
      return 'qemu:///system'
    } catch {
      continue // absent, or closed to this user: the next one, and at last the private host
    }
  }
  return 'private'
}
