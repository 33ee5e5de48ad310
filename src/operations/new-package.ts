/** `new`: begins a package from one that is there, so that the first draft already builds, lints and boots. */
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { readPackageFolder } from '../archive/read-folder.ts'
import { VmpkgError } from '../errors.ts'
import { manifestJsonSchema, parseManifest } from '../model/manifest-schema.ts'
import { packageName } from '../model/shape.ts'
import { type Draft, draftManifest, SCHEMA_FILES, SCHEMA_FOLDER, withSchema } from '../publish/draft-package.ts'
import { recipeJsonSchema } from '../publish/recipe.ts'
import { type LintReport, lintPackages } from './lint.ts'
import type { Workspace } from './workspace.ts'

/** The packages that come with vmpkg. */
const SHIPPED = join(import.meta.dirname, '..', '..', 'templates')
const MANIFEST = 'vmpkg.yaml'
const RECIPE = 'recipe.yaml'

export interface Base {
  readonly name: string
  readonly kind: string
  readonly summary: string
  readonly folder: string
}

export interface NewRequest extends Draft {
  /** A shipped package's name, or the path of a package folder (with a slash in it). */
  readonly from: string
  /** Folder in which the package's folder is made. */
  readonly out: string
  readonly dryRun: boolean
}

export interface NewPackage {
  readonly folder: string
  readonly from: string
  /** Paths below the package's folder. */
  readonly files: readonly string[]
  /** Files and folders beside it that were made too. */
  readonly beside: readonly string[]
  readonly findings: LintReport['findings']
}

/** What `from` may name, by name. */
export async function listBases(): Promise<readonly Base[]> {
  const bases: Base[] = []
  for (const name of (await readdir(SHIPPED)).toSorted()) {
    const folder = join(SHIPPED, name)
    if (!existsSync(join(folder, MANIFEST))) continue
    const { kind, summary } = parseManifest(await readFile(join(folder, MANIFEST), 'utf8'))
    bases.push({ name, kind, summary, folder })
  }
  return bases
}

/**
 * Makes the folder of a new package; all of it or nothing.
 * @throws {VmpkgError} `USAGE` for a name or a base that cannot be and a folder that is there; `MANIFEST_INVALID`
 */
export async function newPackage(workspace: Workspace, request: NewRequest): Promise<NewPackage> {
  const { name, from, dryRun } = request
  requireName(name)
  const out = resolve(workspace.folder, request.out)
  const folder = join(out, name)
  if (existsSync(folder)) {
    throw new VmpkgError('USAGE', `${JSON.stringify(folder)} exists`, {
      hint: 'Choose another name, or another folder with --out.',
    })
  }
  const base = await findBase(workspace, from)
  const files = new Map<string, string | Uint8Array>()
  for (const [path, { bytes }] of await readPackageFolder(base)) files.set(path, bytes)
  files.set(MANIFEST, draftManifest(textOf(files.get(MANIFEST)), request))
  const recipe = files.get(RECIPE)
  if (recipe !== undefined) files.set(RECIPE, withSchema(textOf(recipe), RECIPE))
  const shared = sharedFolders(textOf(recipe)).filter((one) => !existsSync(join(out, 'shared', one)))
  const beside = [...shared.map((one) => `shared/${one}`), ...Object.values(SCHEMA_FILES).map(inSchemas)]
  const result = { folder, from: base, files: [...files.keys()].toSorted(), beside }
  if (dryRun) return { ...result, findings: [] }

  await mkdir(out, { recursive: true })
  const work = await mkdtemp(join(out, `.${name}-`))
  try {
    for (const [path, content] of files) {
      await mkdir(dirname(join(work, 'package', path)), { recursive: true })
      await writeFile(join(work, 'package', path), content)
    }
    for (const one of shared) {
      await mkdir(join(out, 'shared'), { recursive: true })
      await cp(join(base, '..', 'shared', one), join(out, 'shared', one), { recursive: true, errorOnExist: true })
    }
    await writeSchemas(out)
    await rename(join(work, 'package'), folder)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  const [report] = await lintPackages(workspace, { packages: [folder], registry: undefined })
  return { ...result, findings: report?.findings ?? [] }
}

function requireName(name: string): void {
  const checked = packageName.safeParse(name)
  if (checked.success) return
  throw new VmpkgError('USAGE', `${JSON.stringify(name.slice(0, 60))} cannot be the name of a package`, {
    hint: 'Lower-case letters, digits, + - and ., beginning with a letter or digit, such as app-editor.',
  })
}

async function findBase(workspace: Workspace, from: string): Promise<string> {
  if (from.includes('/')) return resolve(workspace.folder, from)
  const bases = await listBases()
  const found = bases.find(({ name }) => name === from)
  if (found !== undefined) return found.folder
  throw new VmpkgError('USAGE', `No package ${JSON.stringify(from.slice(0, 60))} comes with vmpkg`, {
    hint: `Begin with one of ${bases.map(({ name }) => name).join(', ')}, or name a package folder, such as ./${from}.`,
  })
}

/** Folders that the recipe takes from beside the package. */
function sharedFolders(recipe: string): readonly string[] {
  return [...new Set([...recipe.matchAll(/\bshared:([a-z0-9-]+)/g)].map(([, name = '']) => name))]
}

function inSchemas(file: string): string {
  return `${SCHEMA_FOLDER}/${file}`
}

/** They follow the program: those that are there already are written anew. */
async function writeSchemas(out: string): Promise<void> {
  await mkdir(join(out, SCHEMA_FOLDER), { recursive: true })
  const schemas = { 'vmpkg.yaml': manifestJsonSchema(), 'recipe.yaml': recipeJsonSchema() }
  for (const [file, name] of Object.entries(SCHEMA_FILES)) {
    const schema = schemas[file as keyof typeof SCHEMA_FILES]
    await writeFile(join(out, inSchemas(name)), `${JSON.stringify(schema, undefined, 2)}\n`)
  }
}

function textOf(content: string | Uint8Array | undefined): string {
  return typeof content === 'string' ? content : Buffer.from(content ?? []).toString('utf8')
}
