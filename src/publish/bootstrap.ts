/**
 * The raw material of a build, made by mmdebstrap: packages unpacked without running their maintainer scripts, or (minbase)
 * installed with them inside mmdebstrap's namespaces. mmdebstrap verifies the archive's signatures through apt and works
 * in its own namespaces (as a user) or its own folder (as root); both give the same tree. Downloaded packages are kept in
 * the cache folder, so that the next build downloads only what changed.
 */
import { chmod, mkdir, readFile, rm } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { VmpkgError } from '../errors.ts'
import type { AptSource } from './apt-sources.ts'
import { type BuildTools, runTool } from './build-tool.ts'
import { type Ownerships, readOwnerships } from './ownership.ts'
import type { DebianRecipe, LayerRecipe } from './recipe.ts'

/** One Debian package that went into an image. */
export interface SourcePackage {
  readonly name: string
  readonly version: string
}

export interface Bootstrapped {
  /** The unpacked tree; every file belongs to whoever builds. */
  readonly tree: string
  readonly packages: readonly SourcePackage[]
}

export interface Installed extends Bootstrapped {
  /** What the files of whoever builds cannot say; by path below the tree. */
  readonly ownerships: Ownerships
}

export interface BootstrapOptions {
  readonly work: string
  readonly cache: string
  readonly sources: readonly AptSource[]
}

/** Where mmdebstrap leaves the list of packages inside the tar. */
const LIST_PATH = 'vmpkg-packages.list'
/** Makes /bin, /lib and /sbin links before anything is installed, instead of a package that moves files afterwards. */
const MERGED_USR_HOOKS = '/usr/share/mmdebstrap/hooks/merged-usr'
/** Said by the machine that builds, or about its mirror. */
export const MACHINE_FILES: readonly string[] = [
  'etc/apt/apt.conf.d/99mmdebstrap',
  'etc/apt/sources.list',
  'etc/hostname',
  'etc/machine-id',
  'etc/resolv.conf',
  // Belongs to whoever owns the cache; apt makes it anew.
  'var/cache/apt/archives',
]

/**
 * Makes the unpacked `base/` below `work`: `packages` and what they depend on, the kernel among them.
 * @throws {VmpkgError} `TOOL_MISSING`, `BUILD_FAILED`, `ABORTED`
 */
export async function bootstrap(
  tools: BuildTools,
  recipe: DebianRecipe,
  options: BootstrapOptions & { readonly packages: readonly string[] },
): Promise<Bootstrapped> {
  const packages = [...new Set([...options.packages, recipe.kernel.package])]
  const tar = await runMmdebstrap(tools, recipe, options, [
    '--variant=extract',
    `--include=${packages.join(',')}`,
    `--extract-hook=${listCommand(packages)}`,
    `--extract-hook=sync-out /var/cache/apt/archives ${quote(archivesOf(options))}`,
  ])
  const tree = await unpack(tools, tar, join(options.work, 'base'))
  await rm(tar)
  return { tree, packages: parsePackages(await readFile(join(tree, LIST_PATH), 'utf8'), recipe) }
}

/**
 * Makes the installed `root/` below `work`: a minimal Debian with the recipe's packages, and without what the building
 * machine said in it.
 * @throws {VmpkgError} `TOOL_MISSING`, `BUILD_FAILED`, `ABORTED`
 */
export async function installBase(
  tools: BuildTools,
  recipe: DebianRecipe,
  options: BootstrapOptions,
): Promise<Installed> {
  const packages = [...new Set([...recipe.packages, 'usr-is-merged'])]
  const tar = await runMmdebstrap(tools, recipe, options, [
    '--variant=minbase',
    `--hook-dir=${MERGED_USR_HOOKS}`,
    `--include=${packages.join(',')}`,
    `--customize-hook=sync-out /var/cache/apt/archives ${quote(archivesOf(options))}`,
  ])
  const tree = await unpack(tools, tar, join(options.work, 'root'))
  const ownerships = await readOwnerships(tar)
  await rm(tar)
  for (const path of MACHINE_FILES) await rm(join(tree, path), { force: true, recursive: true })
  return { tree, ownerships, packages: parseStatus(await readFile(join(tree, 'var/lib/dpkg/status'), 'utf8')) }
}

/**
 * Makes `root/` below `work`: the base's files with the recipe's packages installed over them by apt, which takes what is
 * there as it is. What the building machine said in it is still in `MACHINE_FILES`.
 * @throws {VmpkgError} `TOOL_MISSING`, `BUILD_FAILED`, `ABORTED`
 */
export async function installOver(
  tools: BuildTools,
  recipe: LayerRecipe,
  options: BootstrapOptions & { readonly baseTar: string },
): Promise<Installed> {
  const words = ['--yes', 'install', ...recipe.packages].map(quote).join(' ')
  const tar = await runMmdebstrap(tools, recipe, options, [
    '--variant=custom',
    '--skip=check/empty',
    `--setup-hook=tar-in ${quote(options.baseTar)} /`,
    `--customize-hook=APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get -o DPkg::Chroot-Directory="$1" ${words}`,
    `--customize-hook=sync-out /var/cache/apt/archives ${quote(archivesOf(options))}`,
  ])
  const tree = await unpack(tools, tar, join(options.work, 'root'))
  const ownerships = await readOwnerships(tar)
  await rm(tar)
  return { tree, ownerships, packages: parseStatus(await readFile(join(tree, 'var/lib/dpkg/status'), 'utf8')) }
}

function archivesOf({ cache }: BootstrapOptions): string {
  return join(cache, 'archives')
}

async function runMmdebstrap(
  tools: BuildTools,
  { suite }: Pick<DebianRecipe, 'suite'>,
  options: BootstrapOptions,
  variant: readonly string[],
): Promise<string> {
  const archives = archivesOf(options)
  await mkdir(archives, { recursive: true, mode: 0o755 })
  const tar = join(options.work, 'made.tar')
  const args = [
    `--mode=${userInfo().uid === 0 ? 'root' : 'unshare'}`,
    '--format=tar',
    '--skip=download/empty,essential/unlink',
    '--aptopt=APT::Install-Recommends "false"',
    ...variant,
    `--setup-hook=mkdir -p "$1"/var/cache/apt/archives`,
    `--setup-hook=sync-in ${quote(archives)} /var/cache/apt/archives`,
    suite,
    tar,
    '-',
  ]
  await runTool(tools, 'mmdebstrap', args, {
    input: `${options.sources.join('\n')}\n`,
    ...(tools.environment === undefined ? {} : { env: tools.environment }),
  })
  return tar
}

async function unpack(tools: BuildTools, tar: string, tree: string): Promise<string> {
  await mkdir(tree)
  await runTool(tools, 'tar', [
    '--extract',
    `--file=${tar}`,
    `--directory=${tree}`,
    '--no-same-owner',
    '--preserve-permissions',
    '--delay-directory-restore',
    '--exclude=./dev/*',
  ])
  await chmod(tree, 0o755)
  return tree
}

/** Runs in mmdebstrap's hook: apt's own solution, since unpacked packages are in no database. */
function listCommand(packages: readonly string[]): string {
  const names = packages.map(quote).join(' ')
  return `APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get install --simulate --yes ${names} > "$1"/${LIST_PATH}`
}

function parsePackages(text: string, recipe: DebianRecipe): SourcePackage[] {
  const packages: SourcePackage[] = []
  for (const line of text.split('\n')) {
    const match = /^Inst (\S+) (?:\[\S+\] )?\((\S+) /.exec(line)
    if (match !== null) packages.push({ name: match[1] ?? '', version: match[2] ?? '' })
  }
  if (!packages.some(({ name }) => name === recipe.kernel.package)) {
    throw new VmpkgError(
      'BUILD_FAILED',
      `apt did not report ${recipe.kernel.package} among the packages of the build`,
      {
        hint: 'Check that the mirror has the recipe’s kernel package.',
      },
    )
  }
  return packages.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** Installed packages of a dpkg status file. */
function parseStatus(text: string): SourcePackage[] {
  const packages: SourcePackage[] = []
  for (const stanza of text.split('\n\n')) {
    const name = /^Package: (\S+)$/m.exec(stanza)?.[1]
    const version = /^Version: (\S+)$/m.exec(stanza)?.[1]
    const isInstalled = /^Status: install ok installed$/m.test(stanza)
    if (isInstalled && name !== undefined && version !== undefined) packages.push({ name, version })
  }
  return packages
}

/** A word for `sh`. */
function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}
