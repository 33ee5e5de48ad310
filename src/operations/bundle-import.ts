/**
 * `bundle import` and `install --from`: a bundle, or a copy of a registry in a folder, stands in for the addresses of its
 * source. Nothing else changes: root chain, envelope, high-water marks, expiry and digests are verified as by `update` and
 * `install`, so a bundle can neither roll a source back nor bring in what its publisher has not signed.
 */
import { readFile, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { BUNDLE_INFO, listBundle, unpackBundle } from '../archive/bundle-file.ts'
import type { CatalogueEntry } from '../catalogue/catalogue.ts'
import { makeFolder } from '../durable-file.ts'
import { isVmpkgError, systemErrorCode, VmpkgError } from '../errors.ts'
import { type BundleInfo, parseBundleInfo } from '../model/bundle-info.ts'
import { parsePackageName } from '../model/name.ts'
import { parseEnvelope, parseEnvelopeFile } from '../model/registry-schema.ts'
import { ENVELOPE_PATH, packagePath, rootPath } from '../sources/locations.ts'
import type { Source } from '../sources/source.ts'
import { openCatalogue } from './catalogue.ts'
import { downloadForLater } from './download.ts'
import { scratchFolder } from './scratch.ts'
import { addSource } from './source-add.ts'
import { removeSource } from './source-remove.ts'
import { sourceStore } from './sources.ts'
import { updateOne } from './update.ts'
import type { Workspace } from './workspace.ts'

export interface ImportRequest {
  readonly file: string
  /** Name of the source, where it is a new one or several are of that registry. */
  readonly source: string | undefined
  /** For a registry that is not a source yet, as `source add` takes them. */
  readonly rootFile: string | undefined
  readonly fingerprints: readonly string[]
  readonly url: string | undefined
  readonly expiry: string | undefined
}

export interface ImportReport {
  readonly source: string
  /** True where the source was added by this. */
  readonly added: boolean
  readonly version: number
  readonly packages: readonly { readonly name: string; readonly version: string; readonly arch: string }[]
}

/** @throws {VmpkgError} `ARCHIVE_INVALID` `ARCHIVE_ENTRY_REFUSED` `SOURCE_UNKNOWN`, and what `update` and `install` refuse */
export async function importBundle(workspace: Workspace, request: ImportRequest): Promise<ImportReport> {
  const scratch = scratchFolder(workspace)
  try {
    const { info, names } = await unpack(workspace, request.file, scratch)
    const known = await findSource(workspace, info.registryId, request.source)
    const source = known ?? (await addFromBundle(workspace, request, info, scratch))
    try {
      const version = await standIn(workspace, source, scratch)
      const entries = presentEntries(workspace, source, info, new Set(names))
      await downloadForLater(workspace, entries)
      const packages = entries.map(({ line: { name, version: of, arch } }) => ({ name, version: of, arch }))
      return { source: source.name, added: known === undefined, version, packages }
    } catch (error) {
      // A source that came with the bundle goes with it.
      if (known === undefined) await removeSource(workspace, source.name, { forget: true })
      throw error
    } finally {
      workspace.instead.delete(source.name)
    }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** For one command: fetch from a bundle or a folder in place of the source's addresses. Dispose of it afterwards. */
export async function fetchInstead(workspace: Workspace, path: string): Promise<AsyncDisposable> {
  const place = resolve(workspace.folder, path)
  const isFolder = (await statPlace(place)).isDirectory()
  const folder = isFolder ? place : scratchFolder(workspace)
  const clear = async (): Promise<void> => {
    workspace.instead.clear()
    if (!isFolder) await rm(folder, { recursive: true, force: true })
  }
  try {
    const registryId = isFolder ? await readRegistryId(folder) : (await unpack(workspace, path, folder)).info.registryId
    const source = await findSource(workspace, registryId, undefined)
    if (source === undefined) throw notYetASource(path)
    await standIn(workspace, source, folder)
    return { [Symbol.asyncDispose]: clear }
  } catch (error) {
    await clear()
    throw error
  }
}

/** What a bundle says of itself; nothing of it is verified. @throws {VmpkgError} `ARCHIVE_INVALID` `ARCHIVE_ENTRY_REFUSED` */
export async function showBundle(
  workspace: Workspace,
  file: string,
): Promise<BundleInfo & { readonly files: number; readonly sizeBytes: number }> {
  const path = resolve(workspace.folder, file)
  await statPlace(path)
  const { info, entries } = await listBundle(path, workspace.outside.signal)
  return {
    ...parseBundleInfo(info),
    files: entries.length,
    sizeBytes: entries.reduce((sum, { size }) => sum + size, 0),
  }
}

async function unpack(
  workspace: Workspace,
  file: string,
  scratch: string,
): Promise<{ readonly info: BundleInfo; readonly names: readonly string[] }> {
  const path = resolve(workspace.folder, file)
  await statPlace(path)
  await makeFolder(scratch, { mode: 0o700 })
  const names = await unpackBundle(path, scratch, workspace.outside.signal)
  return { info: parseBundleInfo(await readFile(join(scratch, BUNDLE_INFO))), names }
}

async function statPlace(path: string): ReturnType<typeof stat> {
  return stat(path).catch((cause: unknown) => {
    throw new VmpkgError(
      'ARCHIVE_INVALID',
      `Cannot read ${JSON.stringify(path)} (${systemErrorCode(cause) ?? 'unknown'})`,
      {
        hint: 'Name a file that vmpkg bundle export wrote.',
        cause,
      },
    )
  })
}

async function readRegistryId(folder: string): Promise<string> {
  const file = await readFile(join(folder, ENVELOPE_PATH)).catch((cause: unknown) => {
    throw new VmpkgError(
      'REGISTRY_INVALID',
      `${JSON.stringify(folder)} is no copy of a registry: it has no ${ENVELOPE_PATH}`,
      {
        hint: 'Name a bundle, or a folder that vmpkg repo mirror made.',
        cause,
      },
    )
  })
  return parseEnvelope(parseEnvelopeFile(file).payload).registryId
}

/** By what the bundle says; whether it is of that registry, its root chain then has to prove. */
async function findSource(
  workspace: Workspace,
  registryId: string,
  name: string | undefined,
): Promise<Source | undefined> {
  const sources = (await sourceStore(workspace).list()).filter((one) => one.registryId === registryId)
  const found = name === undefined ? sources : sources.filter((one) => one.name === name)
  const [only, ...others] = found
  if (others.length === 0) return only
  throw new VmpkgError('USAGE', 'Several sources are of the registry of this bundle', {
    hint: `Add --source, one of ${found.map((one) => one.name).join(', ')}.`,
  })
}

async function addFromBundle(
  workspace: Workspace,
  { file, source, rootFile, fingerprints, url, expiry }: ImportRequest,
  info: BundleInfo,
  scratch: string,
): Promise<Source> {
  if (rootFile === undefined && fingerprints.length === 0) throw notYetASource(file)
  const { name } = await addSource(workspace, {
    name: source ?? info.source,
    url: url ?? info.url,
    rootFile: rootFile ?? join(scratch, rootPath(1)), // accepted only with exactly the fingerprints named
    fingerprints,
    expiry,
  })
  return sourceStore(workspace).get(name)
}

/** Lets a folder stand in for the source's addresses and takes its package list. Returns the registry's version. */
async function standIn(workspace: Workspace, source: Source, folder: string): Promise<number> {
  workspace.instead.set(source.name, pathToFileURL(`${folder}/`))
  try {
    return (await updateOne(workspace, source)).version
  } catch (error) {
    if (!isVmpkgError(error, 'ENVELOPE_EXPIRED', 'ROOT_EXPIRED')) throw error
    throw new VmpkgError(error.code, error.message, {
      hint:
        'Export a new bundle where there is a network. If this host can have none in time, decide how long an old one is ' +
        `good here: vmpkg source set ${source.name} --expiry 'grace 30 days'`,
      cause: error,
      details: error.details,
    })
  }
}

function presentEntries(
  workspace: Workspace,
  source: Source,
  { packages }: BundleInfo,
  names: ReadonlySet<string>,
): readonly CatalogueEntry[] {
  using catalogue = openCatalogue(workspace)
  const wanted = [...new Set(packages.map(({ name }) => parsePackageName(name)))]
  return wanted
    .flatMap((name) => catalogue.versions(name))
    .filter((entry) => entry.source === source.name && names.has(packagePath(entry.line.package.sha256)))
}

function notYetASource(path: string): VmpkgError {
  return new VmpkgError(
    'SOURCE_UNKNOWN',
    `${JSON.stringify(path.slice(0, 200))} is of a registry that this host does not trust`,
    {
      hint: 'Add --root-file FILE or the --fingerprint of every root key to vmpkg bundle import, from a place other than the bundle.',
    },
  )
}
