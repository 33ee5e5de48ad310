/**
 * File systems from a folder, without mounting and without root: erofs by mkfs.erofs, ext4 by `mke2fs -d` and one
 * debugfs pass that sets what mke2fs takes from the building machine (owners, change and creation times).
 * UUIDs are derived from the package and version, so equal inputs give equal bytes.
 */
import { createHash } from 'node:crypto'
import { readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { type BuildTools, runTool } from './build-tool.ts'
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

/** An ext4 file system of a fixed size, sparse; every file belongs to root. */
export async function makeExt4(
  tools: BuildTools,
  options: {
    readonly root: string
    readonly target: string
    readonly uuid: string
    readonly label: string
    readonly sizeBytes: number
  },
): Promise<void> {
  const { root, target, uuid } = options
  await setTreeTimes(root, tools.epoch)
  await rm(target, { force: true })
  await writeFile(target, '', { mode: 0o644 })
  await truncate(target, options.sizeBytes)
  // The machine's own mke2fs.conf would decide on features otherwise.
  const env = { E2FSPROGS_FAKE_TIME: String(tools.epoch), MKE2FS_CONFIG: '/dev/null' }
  const args = ['-q', '-F', '-t', 'ext4', '-b', '4096', '-m', '0', '-I', '256', '-L', options.label, '-U', uuid]
  args.push('-E', `hash_seed=${uuid},root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0,nodiscard`)
  args.push('-J', `size=${options.sizeBytes >= 1024 * MIB ? 16 : 4}`, '-O', EXT4_FEATURES, '-d', root, target)
  await runTool(tools, 'mke2fs', args, { env })
  const commands = `${target}.debugfs`
  await writeFile(commands, await inodeCommands(root, tools.epoch))
  try {
    await runTool(tools, 'debugfs', ['-w', '-f', commands, target], { env })
  } finally {
    await rm(commands, { force: true })
  }
}

async function inodeCommands(root: string, epoch: number): Promise<string> {
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
    lines.push(`sif ${name} uid 0`, `sif ${name} gid 0`)
    for (const field of ['atime', 'ctime', 'mtime', 'crtime']) lines.push(`sif ${name} ${field} ${stamp}`)
  }
  return `${lines.join('\n')}\n`
}
