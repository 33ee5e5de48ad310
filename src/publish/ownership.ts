/**
 * Owners and special bits of an installed Debian tree, as its tar says them: whoever builds owns the unpacked files, so
 * the file system maker sets these afterwards. Source: the tar that mmdebstrap writes, which is not hostile.
 */
import { list } from 'tar'

interface Ownership {
  readonly uid: number
  readonly gid: number
  /** Type and permission bits, as an inode has them. */
  readonly mode: number
}

/** Only what differs from a plain file of root's; by path below the tree, without a leading `./`. */
export type Ownerships = ReadonlyMap<string, Ownership>

const SPECIAL_BITS = 0o7000
const TYPES: Readonly<Record<string, number>> = { File: 0o100_000, Directory: 0o040_000 }

/** Reads the headers of a tar. */
export async function readOwnerships(tar: string): Promise<Ownerships> {
  const ownerships = new Map<string, Ownership>()
  await list({
    file: tar,
    strict: true,
    onReadEntry: ({ path, type, uid = 0, gid = 0, mode = 0 }) => {
      const kind = TYPES[type]
      if (kind === undefined || (uid === 0 && gid === 0 && (mode & SPECIAL_BITS) === 0)) return
      ownerships.set(path.replace(/^\.\//, '').replace(/\/$/, ''), { uid, gid, mode: kind | (mode & 0o7777) })
    },
  })
  return ownerships
}
