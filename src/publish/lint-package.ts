/**
 * `lint` of one folder: a template folder, whose files are sorted into those that travel, those the build uses and those
 * that are neither; or a built package, which is exactly what travels.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { openPackage } from '../archive/load-package.ts'
import type { ImageRole } from '../model/line.ts'
import type { Manifest } from '../model/manifest.ts'
import { parseManifest } from '../model/manifest-schema.ts'
import type { Partials } from '../render/environment.ts'
import { readBuiltPackage } from './built-package.ts'
import { findingsOf, type LintFinding, lintError, lintWarning } from './lint-finding.ts'
import { lintManifest } from './lint-manifest.ts'
import { lintTemplates } from './lint-templates.ts'
import { readShipped } from './package-files.ts'
import { hasVerity, parseRecipe, type Recipe } from './recipe.ts'
import { looksSecret } from './secrets.ts'

export interface PackageLint {
  readonly folder: string
  /** Absent where `vmpkg.yaml` cannot be read. */
  readonly manifest?: Manifest
  /** Files that clients get, images aside. */
  readonly travels: readonly { readonly path: string; readonly size: number }[]
  /** Files that stay: the build's sources, and what nothing uses. */
  readonly stays: readonly string[]
  readonly findings: readonly LintFinding[]
}

const MAX_FILES = 20_000

/** Never throws for what is wrong with the package. */
export async function lintPackage(folder: string, partials: Partials): Promise<PackageLint> {
  const names = await readdir(folder).catch((): string[] => [])
  const isBuilt = names.includes('images.json')
  return isBuilt ? lintBuilt(folder, partials) : lintTemplate(folder, partials)
}

async function lintBuilt(folder: string, partials: Partials): Promise<PackageLint> {
  try {
    const { contents, listing, images } = await readBuiltPackage(folder)
    const roles = images.map(({ role }) => role)
    const verified = images.some(({ verityRoot }) => verityRoot !== undefined)
    const lint = { contents, roles, hasVerity: verified, partials }
    const findings = [...lintManifest(contents.manifest), ...lintTemplates(lint)]
    return { folder, manifest: contents.manifest, travels: listing, stays: [], findings }
  } catch (error) {
    return { folder, travels: [], stays: [], findings: findingsOf(error, 'package') }
  }
}

async function lintTemplate(folder: string, partials: Partials): Promise<PackageLint> {
  const findings: LintFinding[] = []
  const attempt = async <T>(subject: string, run: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await run()
    } catch (error) {
      findings.push(...findingsOf(error, subject))
      return undefined
    }
  }
  const manifest = await attempt('vmpkg.yaml', async () => {
    const text = await readFile(join(folder, 'vmpkg.yaml'), 'utf8').catch(() => undefined)
    if (text === undefined) findings.push(lintError('MANIFEST_INVALID', 'vmpkg.yaml', 'there is none'))
    return text === undefined ? undefined : parseManifest(text)
  })
  const paths = await listAll(folder)
  if (manifest === undefined) return { folder, travels: [], stays: paths, findings }
  const recipe = await attempt('recipe', async () => readRecipe(folder, manifest, findings))
  const shipped = await attempt('files', async () => readShipped(folder))
  findings.push(...lintManifest(manifest))
  if (shipped !== undefined) {
    const contents = await attempt('files', async () => openPackage(shipped.files))
    const roles: readonly ImageRole[] = recipe?.outputs.map(({ role }) => role) ?? []
    const verified = recipe !== undefined && hasVerity(recipe)
    if (contents !== undefined) findings.push(...lintTemplates({ contents, roles, hasVerity: verified, partials }))
  }
  const travels = [...(shipped?.files ?? [])].map(([path, { bytes }]) => ({ path, size: bytes.length }))
  const stays = paths.filter((path) => !travels.some((one) => one.path === path))
  findings.push(...(await lintStaying(folder, manifest, recipe, shipped === undefined ? [] : stays)))
  return { folder, manifest, travels, stays, findings }
}

async function readRecipe(folder: string, manifest: Manifest, findings: LintFinding[]): Promise<Recipe | undefined> {
  const path = manifest.images?.recipe
  if (path === undefined) return undefined // its machines live on disks that the user chose
  const text = await readFile(join(folder, path), 'utf8').catch(() => undefined)
  if (text !== undefined) return parseRecipe(text, path)
  findings.push(lintError('RECIPE_INVALID', path, 'the manifest names this recipe, and it is not there'))
  return undefined
}

/** The recipe and its sources have a use, and their contents end up in images; what else lies there was forgotten. */
async function lintStaying(
  folder: string,
  manifest: Manifest,
  recipe: Recipe | undefined,
  stays: readonly string[],
): Promise<readonly LintFinding[]> {
  const sources = recipe === undefined || recipe.variant === 'upstream' ? [] : recipe.files.map(({ from }) => from)
  const findings: LintFinding[] = []
  for (const path of stays) {
    if (path === manifest.images?.recipe) continue
    const isSource = sources.some((from) => path.startsWith(`${from}/`))
    // Dot files belong into a system; a private key belongs nowhere.
    const bytes = await readFile(join(folder, path))
    if (isSource && looksSecret('source', bytes)) {
      findings.push(lintError('SECRET_REFUSED', path, 'would be in the image, and looks like a secret'))
    } else if (!isSource) {
      const word = looksSecret(path, bytes) ? 'looks like a secret; it does not travel' : 'does not travel'
      findings.push(lintWarning('file-unlisted', path, `${word}, and the recipe does not use it`))
    }
  }
  return findings
}

/** Plain files below the folder, in order. */
async function listAll(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => entry.isFile())
    .slice(0, MAX_FILES)
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .toSorted()
}
