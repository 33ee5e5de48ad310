/** Where preflight may look: what this connection's daemon shares with this process. */
import { readFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import type { FileUser } from '../host/access-rights.ts'
import type { ReadHostOptions } from '../host/preflight-read.ts'
import { findPrivateHost } from '../host/private-host-record.ts'
import { parseQemuConf, parseUserIds } from '../host/qemu-user.ts'
import { privateFolders } from './connection.ts'
import { isLocal, privateHostName } from './connection-name.ts'
import type { Workspace } from './workspace.ts'

/** `undefined` for a libvirt that may see other files than this process. */
export async function hostReading(workspace: Workspace): Promise<ReadHostOptions | undefined> {
  const { connectionName } = workspace
  const { processes } = workspace.outside
  // A socket of one's own choice may lead into another root, or to another machine.
  if (!isLocal(connectionName) || connectionName.includes('socket=')) return undefined
  const { uid, gid } = userInfo()
  const [passwd = '', group = ''] = await Promise.all(['/etc/passwd', '/etc/group'].map(text))
  const self: FileUser = parseUserIds(`+${uid}`, passwd, group) ?? { uid, gids: [gid] }
  const name = privateHostName(connectionName)
  if (name !== undefined) {
    const host = await findPrivateHost(name, privateFolders(workspace))
    const procNet = host === undefined ? undefined : `/proc/${host.pid}/net`
    return { procNet, user: self, changesOwners: false, isPrivileged: uid === 0, processes }
  }
  if (/\/session\b/.test(connectionName))
    return { procNet: '/proc/net', user: self, changesOwners: false, isPrivileged: false, processes }
  const { user, changesOwners } = parseQemuConf(await text('/etc/libvirt/qemu.conf'))
  return {
    procNet: '/proc/net',
    user: parseUserIds(user, passwd, group),
    changesOwners,
    isPrivileged: true,
    processes,
  }
}

async function text(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}
