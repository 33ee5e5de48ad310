/**
 * The raw material of a build: Debian packages unpacked by mmdebstrap, no maintainer script run. mmdebstrap verifies the
 * archive's signatures through apt and works in its own namespaces (as a user) or its own folder (as root); both give the
 * same tree. Downloaded packages are kept in the cache folder, so that the next build downloads only what changed.
 */
import { chmod, mkdir, readFile, rm } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { VmpkgError } from '../errors.ts'
import type { AptSource } from './apt-sources.ts'
import { type BuildTools, runTool } from './build-tool.ts'
import type { Recipe } from './recipe.ts'

/** One Debian package that went into an image. */
interface SourcePackage {
  readonly name: string
  readonly version: string
}

export interface Bootstrapped {
  /** The unpacked tree; every file belongs to whoever builds. */
  readonly tree: string
  readonly packages: readonly SourcePackage[]
}

/** Where mmdebstrap leaves the list of packages inside the tar. */
const LIST_PATH = 'vmpkg-packages.list'

/**
 * Makes `base.tar` and the unpacked `base/` below `work`.
 * @throws {VmpkgError} `TOOL_MISSING`, `BUILD_FAILED`, `ABORTED`
 */
export async function bootstrap(
  tools: BuildTools,
  recipe: Recipe,
  options: { readonly work: string; readonly cache: string; readonly sources: readonly AptSource[] },
): Promise<Bootstrapped> {
  const archives = join(options.cache, 'archives')
  await mkdir(archives, { recursive: true, mode: 0o755 })
  const tar = join(options.work, 'base.tar')
  const packages = [...new Set([...recipe.packages, recipe.kernel.package])]
  const args = [
    `--variant=${recipe.variant}`,
    `--mode=${userInfo().uid === 0 ? 'root' : 'unshare'}`,
    '--format=tar',
    '--skip=download/empty,essential/unlink',
    `--include=${packages.join(',')}`,
    '--aptopt=APT::Install-Recommends "false"',
    `--setup-hook=mkdir -p "$1"/var/cache/apt/archives`,
    `--setup-hook=sync-in ${quote(archives)} /var/cache/apt/archives`,
    `--extract-hook=${listCommand(packages)}`,
    `--extract-hook=sync-out /var/cache/apt/archives ${quote(archives)}`,
    recipe.suite,
    tar,
    '-',
  ]
  await runTool(tools, 'mmdebstrap', args, {
    input: `${options.sources.join('\n')}\n`,
    ...(tools.environment === undefined ? {} : { env: tools.environment }),
  })
  const tree = join(options.work, 'base')
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
  await rm(tar)
  return { tree, packages: parsePackages(await readFile(join(tree, LIST_PATH), 'utf8'), recipe) }
}

/** Runs in mmdebstrap's hook: apt's own solution, since unpacked packages are in no database. */
function listCommand(packages: readonly string[]): string {
  const names = packages.map(quote).join(' ')
  return `APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get install --simulate --yes ${names} > "$1"/${LIST_PATH}`
}

function parsePackages(text: string, recipe: Recipe): SourcePackage[] {
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

/** A word for `sh`. */
function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}
