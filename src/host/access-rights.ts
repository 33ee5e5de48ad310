/**
 * What a user may do with a file: by its mode, and by its access list where the mode alone does not tell.
 *
 * Source: acl(5), "Access check algorithm" and "Correspondence between ACL entries and file permission bits"; getfacl(1).
 */
import { stat } from 'node:fs/promises'
import { isVmpkgError } from '../errors.ts'
import type { Processes } from '../ports.ts'
import { SYSTEM_PATH } from './tools.ts'

/** Whose rights count. */
export interface FileUser {
  readonly uid: number
  readonly gids: readonly number[]
}

interface Rights {
  readonly uid: number
  readonly gid: number
  readonly mode: number
}

/** Read, write, search. */
type Right = 4 | 2 | 1

/**
 * By the mode alone. With an access list the bits of the group show the most that the list gives to anybody but owner and
 * others: where only these would allow it, the answer is `undefined`.
 */
export function mayAccess({ uid, gid, mode }: Rights, user: FileUser, right: Right): boolean | undefined {
  if (user.uid === 0) return true
  if (user.uid === uid) return (mode & (right << 6)) !== 0
  const [group, others] = [(mode & (right << 3)) !== 0, (mode & right) !== 0]
  if (user.gids.includes(gid)) return group
  if (others) return true
  return group ? undefined : false
}

/** Asks getfacl where the mode does not tell; `undefined` where that is not installed, or tells nothing. */
export async function findAccess(
  path: string,
  user: FileUser,
  right: Right,
  processes: Processes | undefined,
): Promise<boolean | undefined> {
  const status = await stat(path).catch(() => undefined)
  if (status === undefined) return undefined
  const known = mayAccess(status, user, right)
  if (known !== undefined || processes === undefined) return known
  const list = await readAccessList(path, processes)
  return list === undefined ? undefined : mayByList(list, status, user, right)
}

async function readAccessList(path: string, processes: Processes): Promise<string | undefined> {
  try {
    const env = { PATH: SYSTEM_PATH, LC_ALL: 'C' }
    const words = ['--numeric', '--omit-header', '--absolute-names', '--', path]
    const { exitCode, stdout } = await processes.run('getfacl', words, { env, timeoutMs: 5_000 })
    return exitCode === 0 ? stdout : undefined
  } catch (error) {
    if (isVmpkgError(error, 'TOOL_MISSING')) return undefined
    throw error
  }
}

/** @param list as `getfacl --numeric --omit-header` prints it */
export function mayByList(
  list: string,
  { uid, gid }: Pick<Rights, 'uid' | 'gid'>,
  user: FileUser,
  right: Right,
): boolean {
  const entries = [...list.matchAll(/^(user|group|mask|other):(\d*):([r-])([w-])([x-])/gm)].map(
    ([, kind, id = '', r, w, x]) => {
      const rights = (r === 'r' ? 4 : 0) | (w === 'w' ? 2 : 0) | (x === 'x' ? 1 : 0)
      return { kind, id: id === '' ? undefined : Number(id), allows: (rights & right) !== 0 }
    },
  )
  const [owner, mask, other] = [
    entries.find(({ kind, id }) => kind === 'user' && id === undefined),
    entries.find(({ kind }) => kind === 'mask'),
    entries.find(({ kind }) => kind === 'other'),
  ]
  const isMasked = mask?.allows ?? true
  if (user.uid === uid) return owner?.allows === true
  const named = entries.find(({ kind, id }) => kind === 'user' && id === user.uid)
  if (named !== undefined) return named.allows && isMasked
  const groups = entries.filter(({ kind, id }) => kind === 'group' && user.gids.includes(id ?? gid))
  if (groups.length > 0) return groups.some(({ allows }) => allows) && isMasked
  return other?.allows === true
}
