/**
 * As whom the system's libvirt runs QEMU. Pure.
 *
 * Source: the comments of libvirt's qemu.conf; Debian's packages build with the user libvirt-qemu. passwd(5), group(5).
 */
import type { FileUser } from './access-rights.ts'

const DEBIAN_USER = 'libvirt-qemu'

export function parseQemuConf(text: string): { readonly user: string; readonly changesOwners: boolean } {
  const value = (name: string): string | undefined =>
    new RegExp(`^\\s*${name}\\s*=\\s*"?([^"\\s#]+)"?`, 'm').exec(text)?.[1]
  return { user: value('user') ?? DEBIAN_USER, changesOwners: value('dynamic_ownership') !== '0' }
}

/** `undefined` for a user who is not in the passwd text; `+64055` is a number, as in qemu.conf. */
export function parseUserIds(name: string, passwd: string, group: string): FileUser | undefined {
  const rows = passwd.split('\n').map((line) => line.split(':'))
  const row = rows.find(([own, , uid]) => own === name || (name.startsWith('+') && uid === name.slice(1)))
  if (row === undefined) return undefined
  const [own = '', , uid, gid] = row
  const groups = group
    .split('\n')
    .map((line) => line.split(':'))
    .filter(([, , , members = '']) => members.split(',').includes(own))
    .map(([, , id]) => Number(id))
  return { uid: Number(uid), gids: [...new Set([Number(gid), ...groups])] }
}
