/**
 * The package that `render` is about: one that is installed, one that a source offers, a template folder or a built
 * package. The images of folders need not exist: their paths are where the store would have them.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { openPackage } from '../archive/load-package.ts'
import { VmpkgError } from '../errors.ts'
import { type Sha256, sha256 } from '../model/digest.ts'
import type { PackageImage, PackageLine } from '../model/line.ts'
import type { Manifest, ParameterValues } from '../model/manifest.ts'
import { isPackageName } from '../model/name.ts'
import { VERITY_BLOCK_BYTES } from '../model/verity.ts'
import { readBuiltPackage } from '../publish/built-package.ts'
import { readShipped } from '../publish/package-files.ts'
import { hasVerity, parseRecipe } from '../publish/recipe.ts'
import { resolveChanges } from './candidates.ts'
import { fetchArchive } from './download.ts'
import { type LoadedPackage, loadPackage } from './package-store.ts'
import type { Workspace } from './workspace.ts'

export interface RenderedPackage {
  readonly pkg: LoadedPackage
  /** Name of the source, `folder` for one. */
  readonly source: string
  /** Values that were set at installation. */
  readonly before: ParameterValues
  /** Path where it is a folder. */
  readonly folder?: string
}

type ListedImage = Pick<PackageImage, 'role' | 'digest' | 'size' | 'verityRoot'>

/** @param target a package's name (with `=version`), or a folder's path: with a slash, or the name of no package */
export async function findRenderedPackage(workspace: Workspace, target: string): Promise<RenderedPackage> {
  const folder = resolve(workspace.folder, target)
  if (!isPackageName(target.split('=')[0] ?? '') || existsSync(join(workspace.folder, target, 'vmpkg.yaml'))) {
    return { pkg: await readFolder(folder), source: 'folder', before: {}, folder }
  }
  const installed = workspace.installed.find(target)
  if (installed !== undefined) {
    const { line, source, parameters } = installed
    return { pkg: await loadPackage(workspace, line), source, before: parameters }
  }
  const { changes } = resolveChanges(workspace, { install: [target], upgrade: [], reinstall: true })
  const [name = ''] = target.split('=')
  const entry = changes.find((change) => change.name === name)?.target?.entry
  if (entry === undefined) throw new TypeError(`no candidate of ${target}`)
  return {
    pkg: await fetchArchive(workspace, entry),
    source: entry.source,
    before: workspace.keptValues.find(name) ?? {},
  }
}

/** @throws {VmpkgError} `USAGE` no package, and what a package folder is refused for */
async function readFolder(folder: string): Promise<LoadedPackage> {
  if (existsSync(join(folder, 'images.json'))) {
    const { contents, archive, images } = await readBuiltPackage(folder)
    const listed = images.map(({ file: _file, ...image }) => image)
    return { ...contents, line: lineOf(contents.manifest, sha256(archive), archive.length, listed) }
  }
  if (!existsSync(join(folder, 'vmpkg.yaml'))) {
    throw new VmpkgError('USAGE', `${JSON.stringify(folder)} is neither a package nor a folder with vmpkg.yaml`, {
      hint: 'Name an installed or offered package, or the folder of a template: ./my-app.',
    })
  }
  const { manifest, files } = await readShipped(folder)
  const images = await imagineImages(folder, manifest)
  return { ...openPackage(files), line: lineOf(manifest, sha256(''), 0, images) }
}

/** Those that the recipe will make, as empty as they can be. */
async function imagineImages(folder: string, { name, images }: Manifest): Promise<readonly ListedImage[]> {
  if (images === undefined) return []
  const recipe = parseRecipe(await readFile(join(folder, images.recipe), 'utf8'), images.recipe)
  return recipe.outputs.map((output) => {
    const image = { role: output.role, digest: sha256(`image ${name} ${output.role}`) }
    const isVerified = hasVerity({ outputs: [output] })
    return isVerified
      ? { ...image, size: VERITY_BLOCK_BYTES, verityRoot: sha256(`root hash ${name}`) }
      : { ...image, size: 0 }
  })
}

function lineOf(manifest: Manifest, digest: Sha256, size: number, images: readonly ListedImage[]): PackageLine {
  const { name, version, arch, kind, summary, layer, depends, recommends, provides, conflicts, replaces } = manifest
  return {
    name,
    version,
    arch,
    kind,
    summary,
    depends,
    recommends,
    provides,
    conflicts,
    replaces,
    ...(layer === undefined ? {} : { layer }),
    capabilities: manifest.capabilities,
    images: images.map((image) => ({ ...image, format: 'raw', map: { sha256: image.digest, size: 0 } })),
    package: { sha256: digest, size },
  }
}
