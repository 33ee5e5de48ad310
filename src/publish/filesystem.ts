/**
 * File systems from a folder, without mounting and without root: erofs by mkfs.erofs, ext4 by `mke2fs -d` and one
 * debugfs pass that sets what mke2fs takes from the building machine (owners, change and creation times).
 * UUIDs are derived from the package and version, so equal inputs give equal bytes.
 */
import { createHash } from 'node:crypto'
import { readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { type BuildTools, runTool } from './build-tool.ts'
import type { Ownerships } from './ownership.ts'
import { setTreeTimes } from './tree-times.ts'

const MIB = 1024 * 1024
const EXT4_FEATURES =
  'none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,flex_bg,64bit,sparse_super,large_file,huge_file,' +
  'dir_nlink,extra_isize,metadata_csum'

/** A version 8 UUID that depends on nothing but `text` (RFC 9562, section 5.8). */
export function uuidFrom(text: string): string {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

/** A compressed read-only file system; every file belongs to root. */
export async function makeErofs(tools: BuildTools, root: string, target: string, uuid: string): Promise<void> {
  await setTreeTimes(root, tools.epoch)
  await runTool(tools, 'mkfs.erofs', [
    '--quiet',
    '-zlz4hc,9',
    `-T${tools.epoch}`,
    `-U${uuid}`,
    '--all-root',
    '-x-1',
    target,
    root,
  ])
}

export interface Ext4Options {
  readonly root: string
  readonly target: string
  readonly uuid: string
  readonly label: string
  readonly sizeBytes: number
  /** Files that are not root's or have special bits; every other one belongs to root. */
  readonly ownerships?: Ownerships
}

/** An ext4 file system of a fixed size in a file of its own, sparse. */
export async function makeExt4(tools: BuildTools, options: Ext4Options): Promise<void> {
  await makeSparseFile(options.target, options.sizeBytes)
  await makeExt4At(tools, { ...options, offset: 0 })
}

/** The same inside a larger file that is there and empty at that place; `offset` is a multiple of 4096. */
export async function makeExt4At(tools: BuildTools, options: Ext4Options & { readonly offset: number }): Promise<void> {
  const { root, target, uuid, offset, sizeBytes } = options
  await setTreeTimes(root, tools.epoch)
  // The machine's own mke2fs.conf would decide on features otherwise.
  const env = { E2FSPROGS_FAKE_TIME: String(tools.epoch), MKE2FS_CONFIG: '/dev/null' }
  const args = ['-q', '-F', '-t', 'ext4', '-b', '4096', '-m', '0', '-I', '256', '-L', options.label, '-U', uuid]
  args.push('-E', `hash_seed=${uuid},root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0,nodiscard,offset=${offset}`)
  args.push('-J', `size=${sizeBytes >= 1024 * MIB ? 16 : 4}`, '-O', EXT4_FEATURES, '-d', root, target)
  args.push(`${sizeBytes / 1024}k`)
  await runTool(tools, 'mke2fs', args, { env })
  const commands = `${target}.debugfs`
  await writeFile(commands, await inodeCommands(root, tools.epoch, options.ownerships ?? new Map()))
  try {
    await runTool(tools, 'debugfs', ['-w', '-f', commands, `${target}?offset=${offset}`], { env })
  } finally {
    await rm(commands, { force: true })
  }
}

/** A new file of nothing but a hole. */
export async function makeSparseFile(target: string, sizeBytes: number): Promise<void> {
  await rm(target, { force: true })
  await writeFile(target, '', { mode: 0o644 })
  await truncate(target, sizeBytes)
}

async function inodeCommands(root: string, epoch: number, ownerships: Ownerships): Promise<string> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  const paths = [
    '',
    'lost+found',
    ...entries.map((entry) => relative(root, join(entry.parentPath, entry.name))).toSorted(),
  ]
  const stamp = `@${epoch}`
  const lines: string[] = []
  for (const path of paths) {
    const name = `"/${path.replaceAll('"', '""')}"`
    const { uid, gid, mode } = ownerships.get(path) ?? { uid: 0, gid: 0, mode: undefined }
    lines.push(`sif ${name} uid ${uid}`, `sif ${name} gid ${gid}`)
    if (mode !== undefined) lines.push(`sif ${name} mode 0${mode.toString(8)}`)
    for (const field of ['atime', 'ctime', 'mtime', 'crtime']) lines.push(`sif ${name} ${field} ${stamp}`)
  }
  return `${lines.join('\n')}\n`
}
