/**
 * Putting the root tree of an image together from named parts: a merged-/usr skeleton, the programs the recipe keeps
 * with the libraries they need, the kernel's modules, the package's own files, links and accounts. What is not named is
 * not in the image: no package manager, no setuid program, no shell history.
 * Owners are set by the file system maker; modes come from the Debian package or from the recipe.
 */
import {
  appendFile,
  chmod,
  copyFile,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { basename, dirname, join, normalize, relative } from 'node:path'
import { VmpkgError } from '../errors.ts'
import { readElfNeeds } from './elf.ts'
import type { DebianRecipe, ExtractRecipe } from './recipe.ts'

const MERGED = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32']
const SKELETON = [
  'dev',
  'etc',
  'proc',
  'root',
  'run',
  'sys',
  'tmp',
  'usr/bin',
  'usr/lib',
  'usr/lib64',
  'usr/sbin',
  'var',
]
const LIBRARY_FOLDERS = ['lib/x86_64-linux-gnu', 'lib/aarch64-linux-gnu', 'lib', 'lib64']

/** Where a path of an unmerged Debian tree lives once /usr is merged. */
export function mergeUsr(path: string): string {
  const [top = ''] = path.split('/')
  return MERGED.includes(top) ? `usr/${path}` : path
}

/** An empty merged-/usr tree. */
export async function createSkeleton(root: string): Promise<void> {
  await mkdir(root)
  for (const folder of SKELETON) await makeFolder(root, folder)
  for (const name of ['bin', 'lib', 'lib64', 'sbin']) await symlink(`usr/${name}`, join(root, name))
  await chmod(join(root, 'root'), 0o700)
  await chmod(join(root, 'tmp'), 0o1777)
  await chmod(root, 0o755)
}

/**
 * Copies the kept files and folders of the unpacked packages, and every library they need.
 * @throws {VmpkgError} `BUILD_FAILED` when a kept path or a needed library is not in the packages
 */
export async function keepFiles(base: string, root: string, keep: readonly string[]): Promise<void> {
  const queue = [...keep]
  const seen = new Set<string>()
  for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
    const source = await findInBase(base, path)
    if (source === undefined) throw absent(path)
    if (seen.has(source)) continue
    seen.add(source)
    const facts = await lstat(join(base, source))
    const target = join(root, mergeUsr(source))
    await makeFolder(root, dirname(mergeUsr(source)))
    if (facts.isSymbolicLink()) {
      const link = await readlink(join(base, source))
      await symlink(link, target)
      queue.push(link.startsWith('/') ? link.slice(1) : normalize(join(dirname(source), link)))
    } else if (facts.isDirectory()) {
      await makeFolder(root, mergeUsr(source))
      for (const name of (await readdir(join(base, source))).toSorted()) queue.push(`${source}/${name}`)
    } else if (facts.isFile()) {
      await copyFile(join(base, source), target)
      await chmod(target, facts.mode & 0o755)
      const needs = readElfNeeds(await readFile(target))
      if (needs?.interpreter !== undefined) queue.push(needs.interpreter.slice(1))
      for (const library of needs?.libraries ?? []) queue.push(await findLibrary(base, library, path))
    }
  }
}

/** Copies module files of the kernel; `paths` are below the base tree. */
export async function copyModules(
  base: string,
  root: string,
  paths: readonly string[],
  release: string,
): Promise<void> {
  const index = ['modules.order', 'modules.builtin', 'modules.builtin.modinfo'].map(
    (name) => `lib/modules/${release}/${name}`,
  )
  for (const path of [...paths, ...index]) {
    const target = mergeUsr(path.replace(/^usr\//, ''))
    await makeFolder(root, dirname(target))
    await copyFile(join(base, path), join(root, target))
    await chmod(join(root, target), 0o644)
  }
}

/**
 * Lays a folder of files over the tree: 0644, or 0755 for those the recipe calls executable.
 * @throws {VmpkgError} `RECIPE_INVALID` for anything but files and folders, or an executable that is not there
 */
export async function overlayFolder(source: string, root: string, executable: readonly string[]): Promise<void> {
  const missing = new Set(executable)
  for (const path of await listFiles(source)) {
    const target = mergeUsr(path)
    await makeFolder(root, dirname(target))
    await rm(join(root, target), { force: true })
    await copyFile(join(source, path), join(root, target))
    await chmod(join(root, target), executable.includes(path) ? 0o755 : 0o644)
    missing.delete(path)
  }
  const [first] = missing
  if (first !== undefined) {
    throw new VmpkgError(
      'RECIPE_INVALID',
      `The recipe calls ${JSON.stringify(first)} executable, but there is no such file`,
      {
        hint: `Correct "executable" or add the file below ${basename(source)}/.`,
      },
    )
  }
}

/**
 * Takes files and folders out of a tree.
 * @throws {VmpkgError} `RECIPE_INVALID` when one is not there, so that a recipe cannot go stale unnoticed
 */
export async function removePaths(root: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await requirePlainFolder(root, dirname(mergeUsr(path)))
    const target = join(root, mergeUsr(path))
    if ((await findInBase(root, mergeUsr(path))) === undefined) {
      throw new VmpkgError('RECIPE_INVALID', `The recipe removes ${JSON.stringify(path)}, which is not there`, {
        hint: 'Take it out of "remove".',
      })
    }
    await rm(target, { recursive: true })
  }
}

/** Folders and links of the recipe. */
export async function applyRecipe(root: string, recipe: Pick<DebianRecipe, 'directories' | 'links'>): Promise<void> {
  for (const [path, mode] of Object.entries(recipe.directories)) {
    await makeFolder(root, mergeUsr(path))
    await chmod(join(root, mergeUsr(path)), Number.parseInt(mode, 8))
  }
  for (const [path, target] of Object.entries(recipe.links)) {
    await makeFolder(root, dirname(mergeUsr(path)))
    await rm(join(root, mergeUsr(path)), { force: true })
    await symlink(target, join(root, mergeUsr(path)))
  }
}

/** `/etc/passwd` and `/etc/group` with nothing but the recipe's accounts. */
export async function writeAccounts(root: string, users: ExtractRecipe['users']): Promise<void> {
  if (users.length === 0) return
  const passwd = users.map((user) => `${user.name}:x:${user.uid}:${user.gid}::${user.home}:${user.shell}\n`)
  const groups = users.map((user) => `${user.group ?? user.name}:x:${user.gid}:\n`)
  for (const [name, lines] of [
    ['passwd', passwd],
    ['group', groups],
  ] as const) {
    await writeFile(join(root, 'etc', name), lines.join(''))
    await chmod(join(root, 'etc', name), 0o644)
  }
}

/** Adds the recipe's accounts to those that Debian has; nobody can log in to them. */
export async function addAccounts(root: string, users: ExtractRecipe['users']): Promise<void> {
  for (const { name, uid, gid, group, home, shell } of users) {
    await appendFile(join(root, 'etc/passwd'), `${name}:x:${uid}:${gid}::${home}:${shell}\n`)
    await appendFile(join(root, 'etc/group'), `${group ?? name}:x:${gid}:\n`)
    await appendFile(join(root, 'etc/shadow'), `${name}:!:1::::::\n`)
  }
}

/**
 * Every file below a folder, as sorted relative paths.
 * @throws {VmpkgError} `RECIPE_INVALID` for links, devices and pipes
 */
export async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files: string[] = []
  for (const entry of entries) {
    if (entry.isDirectory()) continue
    const path = relative(folder, join(entry.parentPath, entry.name))
    if (!entry.isFile()) {
      throw new VmpkgError('RECIPE_INVALID', `${JSON.stringify(path)} is neither a file nor a folder`, {
        hint: 'Write links in the recipe ("links"); nothing else may be in the folder.',
      })
    }
    files.push(path)
  }
  return files.toSorted()
}

async function makeFolder(root: string, path: string): Promise<void> {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  for (let length = 1; length <= parts.length; length++) {
    const folder = join(root, ...parts.slice(0, length))
    await requirePlainFolder(root, parts.slice(0, length).join('/'))
    try {
      await mkdir(folder, { mode: 0o755 })
      await chmod(folder, 0o755)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    }
  }
}

/**
 * A link on the way could lead out of the tree, into files of the building machine.
 * @throws {VmpkgError} `RECIPE_INVALID`
 */
async function requirePlainFolder(root: string, path: string): Promise<void> {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  for (let length = 1; length <= parts.length; length++) {
    const folder = parts.slice(0, length).join('/')
    const facts = await lstat(join(root, folder)).catch(() => undefined)
    if (facts === undefined || facts.isDirectory()) continue
    throw new VmpkgError(
      'RECIPE_INVALID',
      `${JSON.stringify(folder)} is not a folder in the image, so nothing can lie below it`,
      {
        hint: 'Write the path that the link leads to.',
      },
    )
  }
}

/** The path as it lies in the base, which may or may not be merged. Links on the way are followed, the last is not. */
async function findInBase(base: string, path: string): Promise<string | undefined> {
  const candidates = [path, mergeUsr(path), path.replace(/^usr\//, '')]
  for (const candidate of candidates) {
    try {
      await lstat(join(base, candidate))
      return candidate
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')))
        throw error
    }
  }
  return undefined
}

async function findLibrary(base: string, library: string, wantedBy: string): Promise<string> {
  for (const folder of LIBRARY_FOLDERS) {
    for (const path of [`${folder}/${library}`, `usr/${folder}/${library}`]) {
      if ((await findInBase(base, path)) === path) return path
    }
  }
  throw new VmpkgError('BUILD_FAILED', `${wantedBy} needs ${library}, which no package of the recipe has`, {
    hint: 'Add the package of that library to the recipe.',
  })
}

function absent(path: string): VmpkgError {
  return new VmpkgError('BUILD_FAILED', `The packages of the recipe have no ${JSON.stringify(path)}`, {
    hint: 'Correct "keep" in the recipe, or add the package that brings the file.',
  })
}
