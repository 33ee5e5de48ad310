/**
 * Building a package: recipe and files of one folder become what `publish` signs. The output folder has
 * `package/` (what clients get), `images/<role>` (raw bytes), `images.json` and `packages.list`, and appears at once
 * and complete, or not at all. Two builds of the same inputs give the same digests; what the inputs were is recorded.
 */
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VmpkgError } from '../errors.ts'
import type { Emit } from '../events.ts'
import { readRootHash } from '../image/hash-tree.ts'
import type { Sha256 } from '../model/digest.ts'
import type { ImageRole } from '../model/line.ts'
import type { Manifest } from '../model/manifest.ts'
import type { Processes } from '../ports.ts'
import { type AptSource, mirrorAptSources, readHostAptSources } from './apt-sources.ts'
import { findBaseDisk, verifyBaseDisk } from './base-disk.ts'
import { bootstrap, installBase, type SourcePackage } from './bootstrap.ts'
import type { BuildTools } from './build-tool.ts'
import { makeLayer } from './layer.ts'
import { BOOT_PACKAGES, makeBootDisk, makeImages } from './make-images.ts'
import { copyPackageFiles } from './package-files.ts'
import {
  type DebianRecipe,
  epochSeconds,
  hasVerity,
  type LayerRecipe,
  parseRecipe,
  type Recipe,
  type UpstreamRecipe,
} from './recipe.ts'

/** One image as `images.json` lists it; `file` is below the output folder. */
interface BuiltImage {
  readonly role: ImageRole
  readonly format: 'raw'
  readonly digest: Sha256
  readonly size: number
  readonly file: string
  readonly verityRoot?: string
  /** Digest of the base's disk, of a layer. */
  readonly parent?: Sha256
}

export interface BuiltPackage {
  /** `<outDir>/<name>_<version>_<arch>` */
  readonly folder: string
  readonly images: readonly BuiltImage[]
}

export interface BuildOptions {
  readonly packageDir: string
  /** The checked manifest of that folder. */
  readonly manifest: Manifest
  readonly outDir: string
  /** Where built bases of layers are, besides `outDir`. */
  readonly baseDirs?: readonly string[]
  /** Kept between builds: downloaded Debian packages. */
  readonly cacheDir: string
  /** Debian packages may come from this host only. */
  readonly isOffline?: boolean
  /** Debian mirror; by default the host's own apt sources decide. */
  readonly mirror?: URL
  /** Environment for programs that reach the mirror (`http_proxy`). */
  readonly environment?: Readonly<Record<string, string>>
  /** Brings the disk of a vendor's release to `target`, verified, in raw. */
  readonly fetchUpstream?: FetchUpstreamDisk
  readonly processes: Processes
  readonly emit: Emit
  readonly signal?: AbortSignal
}

/** Returns what to write down about where the disk came from, one line each. */
export type FetchUpstreamDisk = (
  recipe: UpstreamRecipe,
  place: { readonly work: string; readonly target: string },
) => Promise<readonly string[]>

const MIB = 1024 * 1024
/** Unpacked packages, their tar and the images, rounded up. */
const NEEDED_BYTES = 900 * MIB

/**
 * Builds one package folder.
 * @throws {VmpkgError} `RECIPE_INVALID`, `MANIFEST_INVALID`, `TOOL_MISSING`, `BUILD_FAILED`, `NO_SPACE`, `ABORTED`
 */
export async function buildPackage(options: BuildOptions): Promise<BuiltPackage> {
  const { manifest, packageDir, outDir, emit } = options
  const recipe = await readRecipe(packageDir, manifest)
  const name = `${manifest.name}_${manifest.version.replace(':', '%3a')}_${manifest.arch}`
  emit({ type: 'stage-started', stage: 'build', subject: name })
  await mkdir(outDir, { recursive: true })
  await mkdir(options.cacheDir, { recursive: true })
  if (recipe !== undefined) {
    await requireSpace(tmpdir(), NEEDED_BYTES)
    await requireSpace(outDir, NEEDED_BYTES / 2)
  }
  const staging = join(outDir, `.staging-${name}-${randomBytes(4).toString('hex')}`)
  const work = await mkdtemp(join(tmpdir(), 'vmpkg-build-'))
  try {
    await mkdir(join(staging, 'images'), { recursive: true, mode: 0o755 })
    const target = join(staging, 'images')
    const { inputs, parent }: Built =
      recipe === undefined ? { inputs: [] } : await buildImages(options, recipe, { work, target })
    await copyPackageFiles(packageDir, manifest, join(staging, 'package'))
    const images = recipe === undefined ? [] : await describeImages(staging, recipe, parent)
    await writeFile(join(staging, 'images.json'), `${JSON.stringify(images, undefined, 2)}\n`)
    await writeFile(join(staging, 'packages.list'), inputs.map((line) => `${line}\n`).join(''))
    await replaceFolder(staging, join(outDir, name))
    emit({ type: 'stage-finished', stage: 'build', subject: name })
    return { folder: join(outDir, name), images }
  } finally {
    await rm(staging, { recursive: true, force: true })
    await removeTree(work)
  }
}

interface Built {
  /** What went into the images, a line each. */
  readonly inputs: readonly string[]
  readonly parent?: Sha256
}

async function buildImages(
  options: BuildOptions,
  recipe: Recipe,
  { work, target }: { readonly work: string; readonly target: string },
): Promise<Built> {
  if (recipe.variant === 'upstream') {
    return { inputs: await fetchDisk(options, recipe, { work, target: join(target, 'disk') }) }
  }
  if (recipe.variant === 'layer') return buildLayer(options, recipe, { work, target: join(target, 'disk') })
  return { inputs: formatPackages(await buildFromDebian(options, recipe, { work, target })) }
}

async function buildLayer(
  options: BuildOptions,
  recipe: LayerRecipe,
  place: { readonly work: string; readonly target: string },
): Promise<Built> {
  const { manifest, packageDir, outDir, baseDirs = [] } = options
  const base = await findBaseDisk({ name: recipe.base, arch: manifest.arch }, [outDir, ...baseDirs])
  await verifyBaseDisk(base)
  const sources = await readSources(options, recipe)
  const job = { ...place, cache: options.cacheDir, sources, recipe, base, packageDir }
  const packages = await makeLayer(toolsOf(options, recipe), job)
  return { inputs: [...formatPackages(packages), `base ${base.name} ${base.version}`], parent: base.digest }
}

async function fetchDisk(
  { fetchUpstream, manifest }: BuildOptions,
  recipe: UpstreamRecipe,
  place: { readonly work: string; readonly target: string },
): Promise<readonly string[]> {
  if (fetchUpstream !== undefined) return fetchUpstream(recipe, place)
  throw new VmpkgError('RECIPE_INVALID', `${manifest.name} is built from a vendor's image, which nobody here can fetch`)
}

async function buildFromDebian(
  options: BuildOptions,
  recipe: DebianRecipe,
  { work, target }: { readonly work: string; readonly target: string },
): Promise<readonly SourcePackage[]> {
  const { manifest, packageDir } = options
  const tools = toolsOf(options, recipe)
  const from = { work, cache: options.cacheDir, sources: await readSources(options, recipe) }
  const job = { packageDir, identity: `${manifest.name} ${manifest.version}`, work, target }
  if (recipe.variant === 'minbase') {
    const installed = await installBase(tools, recipe, from)
    const base = await bootstrap(tools, recipe, { ...from, packages: BOOT_PACKAGES })
    await makeBootDisk(tools, { ...job, recipe, base, installed })
    return [...installed.packages, ...base.packages]
  }
  const base = await bootstrap(tools, recipe, { ...from, packages: recipe.packages })
  await makeImages(tools, { ...job, recipe, base })
  return base.packages
}

function toolsOf({ processes, signal, environment }: BuildOptions, recipe: DebianRecipe | LayerRecipe): BuildTools {
  return {
    processes,
    epoch: epochSeconds(recipe),
    ...(signal === undefined ? {} : { signal }),
    ...(environment === undefined ? {} : { environment }),
  }
}

/** @throws {VmpkgError} `OFFLINE` */
async function readSources(
  { mirror, isOffline = false }: BuildOptions,
  { suite, components }: DebianRecipe | LayerRecipe,
): Promise<readonly AptSource[]> {
  const sources =
    mirror === undefined ? await readHostAptSources(suite, components) : mirrorAptSources(mirror, suite, components)
  if (!isOffline || !sources.some((line) => /\bhttps?:\/\//.test(line))) return sources
  throw new VmpkgError('OFFLINE', 'Building takes Debian packages from a mirror on the network', {
    hint: 'Name one on this host with --mirror file:///FOLDER, or build without --offline.',
  })
}

/** `undefined` for a package without images of its own: its machines live on disks that the user chose. */
export async function readRecipe(packageDir: string, manifest: Manifest): Promise<Recipe | undefined> {
  const path = manifest.images?.recipe
  if (path === undefined) return undefined
  try {
    return parseRecipe(await readFile(join(packageDir, path), 'utf8'), path)
  } catch (cause) {
    if (cause instanceof VmpkgError) throw cause
    throw new VmpkgError('RECIPE_INVALID', `Cannot read the recipe ${JSON.stringify(path)} of ${manifest.name}`, {
      hint: 'Check the path in vmpkg.yaml.',
      cause,
    })
  }
}

async function describeImages(staging: string, recipe: Recipe, parent: Sha256 | undefined): Promise<BuiltImage[]> {
  const images: BuiltImage[] = []
  for (const output of recipe.outputs) {
    const { role } = output
    const file = `images/${role}`
    const hash = createHash('sha256')
    for await (const chunk of createReadStream(join(staging, file))) hash.update(chunk as Buffer)
    await chmod(join(staging, file), 0o644)
    const { size } = await stat(join(staging, file))
    const isVerified = hasVerity({ outputs: [output] })
    const verityRoot = isVerified ? await readRootHash(join(staging, file)) : undefined
    const digest = hash.digest('hex') as Sha256
    images.push({
      role,
      format: 'raw',
      digest,
      size,
      file,
      ...(verityRoot === undefined ? {} : { verityRoot }),
      ...(parent === undefined ? {} : { parent }),
    })
  }
  return images
}

function formatPackages(packages: readonly SourcePackage[]): readonly string[] {
  return [...new Set(packages.map(({ name, version }) => `${name} ${version}`))].toSorted()
}

async function requireSpace(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  const free = bavail * bsize
  if (free >= bytes) return
  throw new VmpkgError(
    'NO_SPACE',
    `${folder} has ${Math.floor(free / MIB)} MiB free; the build needs ${Math.ceil(bytes / MIB)} MiB`,
    {
      hint: 'Free some space, or point TMPDIR and the output folder at a larger file system.',
      details: { folder, freeBytes: free, neededBytes: bytes },
    },
  )
}

/** Puts the finished folder in place of an earlier build of the same version. */
async function replaceFolder(staging: string, target: string): Promise<void> {
  const old = `${staging}-old`
  try {
    await rename(target, old)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
  await rename(staging, target)
  await rm(old, { recursive: true, force: true })
}

/** Unpacked trees may hold folders without write permission for their owner. */
async function removeTree(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 2 })
}
