/**
 * The disk of a package that `vmpkg build` made, as the base of another: its files with the owners and modes that its
 * inodes have, read with debugfs, without mounting and without root. It is the publisher's own build, not a stranger's.
 */
import { createHash } from 'node:crypto'
import { createReadStream, type Stats } from 'node:fs'
import { lstat, mkdir, open, readdir, rm, writeFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { create } from 'tar'
import { VmpkgError } from '../errors.ts'
import type { Sha256 } from '../model/digest.ts'
import { compareVersions, parseVersion } from '../model/version.ts'
import { type BuildTools, runTool } from './build-tool.ts'
import { readBuiltPackage } from './built-package.ts'
import { type Inode, quoted } from './disk-difference.ts'
import { ROOT_OFFSET } from './uefi-disk.ts'

const EXT_MAGIC_OFFSET = 1024 + 56
const EXT_MAGIC = 0xef53

export interface BaseDisk {
  /** Absolute path of the raw disk. */
  readonly file: string
  readonly digest: Sha256
  readonly name: string
  readonly version: string
}

export interface BaseTree {
  /** Its files; all of them belong to whoever builds. */
  readonly tree: string
  /** By path below the tree. */
  readonly inodes: ReadonlyMap<string, Inode>
}

/**
 * The newest version of a package among the built ones of some folders.
 * @throws {VmpkgError} `RECIPE_INVALID` where there is none, or it has no disk to build on
 */
export async function findBaseDisk(
  { name, arch }: { readonly name: string; readonly arch: string },
  folders: readonly string[],
): Promise<BaseDisk> {
  const found: BaseDisk[] = []
  for (const folder of folders) {
    for (const entry of await readdir(folder).catch((): string[] => [])) {
      if (!entry.startsWith(`${name}_`) || !entry.endsWith(`_${arch}`)) continue
      const { images, contents } = await readBuiltPackage(join(folder, entry))
      const disk = images.find(({ role }) => role === 'disk')
      if (contents.manifest.name !== name || disk === undefined) continue
      found.push({ file: resolve(disk.file), digest: disk.digest, name, version: contents.manifest.version })
    }
  }
  const [newest] = found.toSorted((a, b) => compareVersions(parseVersion(b.version), parseVersion(a.version)))
  if (newest === undefined) {
    throw new VmpkgError(
      'RECIPE_INVALID',
      `The recipe stands on ${name}, which is not built in ${folders.join(', ')}`,
      {
        hint: `Name the folder of ${name} before this one in the same vmpkg build, or where it was built with --base.`,
        details: { base: name },
      },
    )
  }
  await requireRoot(newest)
  return newest
}

/** @throws {VmpkgError} `IMAGE_INVALID` where the file is not the disk that it is said to be */
export async function verifyBaseDisk({ file, digest, name }: BaseDisk): Promise<void> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Buffer)
  if (hash.digest('hex') === digest) return
  throw new VmpkgError('IMAGE_INVALID', `${JSON.stringify(file)} is not the disk that ${name} was built with`, {
    hint: `Build ${name} again.`,
  })
}

/** @throws {VmpkgError} `RECIPE_INVALID` for a disk of another layout than `uefi` */
async function requireRoot({ file, name }: BaseDisk): Promise<void> {
  const handle = await open(file, 'r')
  try {
    const magic = Buffer.alloc(2)
    await handle.read(magic, 0, 2, ROOT_OFFSET + EXT_MAGIC_OFFSET)
    if (magic.readUInt16LE() === EXT_MAGIC) return
  } finally {
    await handle.close()
  }
  throw new VmpkgError('RECIPE_INVALID', `The disk of ${name} has no root that a recipe can stand on`, {
    hint: 'A base has a disk with "layout: uefi"; see docs/apps.md.',
  })
}

/** Reads every file of the base into `base/` below `work`. */
export async function readBaseTree(tools: BuildTools, { file }: BaseDisk, work: string): Promise<BaseTree> {
  const tree = join(work, 'base')
  await mkdir(tree)
  // As a user it complains of owners, which the listing below has.
  await runTool(tools, 'debugfs', ['-R', `rdump / ${quoted(tree)}`, rootOf(file)])
  const entries = await readdir(tree, { recursive: true, withFileTypes: true })
  const folders = entries.filter((entry) => entry.isDirectory())
  const paths = ['', ...folders.map((entry) => relative(tree, join(entry.parentPath, entry.name)))]
  const commands = join(work, 'list.debugfs')
  await writeFile(commands, paths.map((path) => `ls -p ${quoted(`/${path}`)}\n`).join(''))
  const { stdout } = await runTool(tools, 'debugfs', ['-f', commands, rootOf(file)])
  await rm(commands)
  return { tree, inodes: parseListing(stdout, paths) }
}

/** How e2fsprogs names the root file system inside the disk. */
function rootOf(file: string): string {
  return `${file}?offset=${ROOT_OFFSET}`
}

/**
 * Lets debugfs change the root of a disk.
 * @throws {VmpkgError} `BUILD_FAILED` with the first thing that it could not do
 */
export async function changeRoot(tools: BuildTools, file: string, commands: readonly string[]): Promise<void> {
  const list = `${file}.debugfs`
  await writeFile(list, commands.map((line) => `${line}\n`).join(''))
  try {
    const env = { E2FSPROGS_FAKE_TIME: String(tools.epoch) }
    const { stderr } = await runTool(tools, 'debugfs', ['-w', '-f', list, rootOf(file)], { env })
    // Its exit status says nothing of single commands.
    const complaint = stderr.split('\n').find((line) => line !== '' && !/^debugfs \d/.test(line))
    if (complaint === undefined) return
    throw new VmpkgError('BUILD_FAILED', `debugfs cannot write the layer: ${JSON.stringify(complaint.slice(0, 300))}`, {
      hint: 'Where the disk is full, give the base a larger sizeMib and build it again.',
    })
  } finally {
    await rm(list, { force: true })
  }
}

/** One block a folder, in the order asked; each line `/inode/mode/uid/gid/name/size/`. */
function parseListing(text: string, folders: readonly string[]): ReadonlyMap<string, Inode> {
  const inodes = new Map<string, Inode>()
  const blocks = text.split(/^debugfs: ls -p .*\n/m).slice(1)
  for (const [index, block] of blocks.entries()) {
    const folder = folders[index] ?? ''
    for (const line of block.split('\n')) {
      const [, , mode = '', uid = '', gid = '', name = ''] = line.split('/')
      if (name === '' || name === '..' || (name === '.' && folder !== '')) continue
      const path = name === '.' ? '' : join(folder, name)
      inodes.set(path, { mode: Number.parseInt(mode, 8), uid: Number(uid), gid: Number(gid) })
    }
  }
  return inodes
}

/** Packs the base with its owners and modes, which its files of whoever builds cannot say. */
export async function packBaseTree({ tree, inodes }: BaseTree, epoch: number, target: string): Promise<void> {
  const statCache = new Map<string, Stats>()
  const paths = [...inodes.keys()].filter((path) => path !== '' && !path.startsWith('lost+found')).toSorted()
  for (const path of paths) {
    const stats = await lstat(join(tree, path))
    const { uid, gid, mode } = inodes.get(path) ?? {}
    statCache.set(join(tree, path), Object.assign(stats, { uid, gid, mode }))
  }
  await create(
    { file: target, cwd: tree, noDirRecurse: true, mtime: new Date(epoch * 1000), statCache, preservePaths: true },
    paths.map((path) => `./${path}`),
  )
}
