/**
 * `bundle export`: package versions of one registry with everything that proves them, as one file for hosts that reach no
 * network. The proofs travel whole and as they are: whoever imports it verifies as if it came from the registry itself.
 */
import { open, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { BUNDLE_INFO, writeBundle } from '../archive/bundle-file.ts'
import type { CatalogueEntry } from '../catalogue/catalogue.ts'
import { makeFolder, renameDurably } from '../durable-file.ts'
import { VmpkgError } from '../errors.ts'
import { fetchToFile } from '../fetch/file-download.ts'
import type { MirrorSet } from '../fetch/mirror.ts'
import { fetchDigested, fetchSmallFile, findSmallFile } from '../fetch/small-file.ts'
import { type BinaryFile, MAX_HELD_BYTES } from '../image/binary.ts'
import { readPacks } from '../image/transport-index.ts'
import { formatBundleInfo } from '../model/bundle-info.ts'
import type { Digested } from '../model/digest.ts'
import { parsePackageName } from '../model/name.ts'
import { FILE_LIMITS, parseEnvelope, parseEnvelopeFile } from '../model/registry-schema.ts'
import { resolve as solve } from '../resolve/resolve.ts'
import {
  channelsPath,
  chunkMapPath,
  ENVELOPE_PATH,
  indexPath,
  packagePath,
  rootPath,
  snapshotPath,
  transportPath,
} from '../sources/locations.ts'
import type { Source } from '../sources/source.ts'
import { type OpenCatalogue, openCatalogue } from './catalogue.ts'
import { scratchFolder } from './scratch.ts'
import { mirrorsOfSource, shownUrl, sourceStore } from './sources.ts'
import { updateOne } from './update.ts'
import type { Workspace } from './workspace.ts'

export interface ExportRequest {
  readonly file: string
  /** `name` or `name=version`. */
  readonly packages: readonly string[]
  readonly withDepends: boolean
  /** Needed where there are several. */
  readonly source: string | undefined
  /** Also what is installed here from that source, in its installed versions. */
  readonly fromInstalled: boolean
}

export interface ExportReport {
  readonly file: string
  readonly source: string
  readonly sizeBytes: number
  readonly packages: readonly { readonly name: string; readonly version: string; readonly arch: string }[]
  readonly expiresAt: string
}

/** @throws {VmpkgError} `USAGE` `SOURCE_UNKNOWN` `PACKAGE_UNKNOWN` `RELATION_CONFLICT`, and what fetching and verifying refuse */
export async function exportBundle(workspace: Workspace, request: ExportRequest): Promise<ExportReport> {
  const source = await chooseSource(workspace, request.source)
  const scratch = scratchFolder(workspace)
  try {
    const gathered = new Gathered(workspace, await mirrorsOfSource(workspace, source), scratch)
    const { version, expiresAt } = await gatherLists(gathered, source)
    workspace.instead.set(source.name, pathToFileURL(`${scratch}/`)) // what is written is what is verified
    using catalogue = openCatalogue(workspace)
    await updateOne(workspace, source)
    const entries = choose(workspace, catalogue, source, request)
    workspace.instead.delete(source.name)
    for (const entry of entries) await gatherPackage(gathered, entry)
    const packages = entries.map(({ line: { name, version: of, arch } }) => ({ name, version: of, arch }))
    const { registryId, name } = source
    const info = formatBundleInfo({
      schema: 'vmpkg.bundle/1',
      registryId,
      source: name,
      url: shownUrl(source),
      version,
      packages,
    })
    await gathered.put(BUNDLE_INFO, info)
    const file = resolve(workspace.folder, request.file)
    const sizeBytes = await writeWhole(file, scratch, gathered.paths)
    return { file, source: name, sizeBytes, packages, expiresAt: expiresAt.toISOString() }
  } finally {
    workspace.instead.delete(source.name)
    await rm(scratch, { recursive: true, force: true })
  }
}

async function chooseSource(workspace: Workspace, name: string | undefined): Promise<Source> {
  const store = sourceStore(workspace)
  if (name !== undefined) return store.get(name)
  const [only, ...others] = await store.list()
  if (only !== undefined && others.length === 0) return only
  if (only === undefined) {
    throw new VmpkgError('SOURCE_UNKNOWN', 'There is no source to export from', {
      hint: 'Add one: vmpkg source add NAME URL',
    })
  }
  throw new VmpkgError('USAGE', 'A bundle is of one source, and there are several', {
    hint: `Add --source, one of ${[only, ...others].map((one) => one.name).join(', ')}.`,
  })
}

/** The registry's files so far, under their names below a folder. */
class Gathered {
  readonly workspace: Workspace
  readonly from: MirrorSet
  readonly folder: string
  readonly #paths = new Set<string>()

  constructor(workspace: Workspace, from: MirrorSet, folder: string) {
    this.workspace = workspace
    this.from = from
    this.folder = folder
  }

  get paths(): readonly string[] {
    return [...this.#paths]
  }

  async put(path: string, bytes: Uint8Array): Promise<void> {
    await makeFolder(dirname(join(this.folder, path)))
    await writeFile(join(this.folder, path), bytes)
    this.#paths.add(path)
  }

  /** A file that has to be looked into. */
  async read(path: string, expected: Digested): Promise<BinaryFile> {
    const { signal } = this.workspace.outside
    if (expected.size <= MAX_HELD_BYTES) {
      const bytes = await fetchDigested(this.from, { path, expected, signal })
      await this.put(path, bytes)
      return bytes
    }
    const target = join(this.folder, path)
    await makeFolder(dirname(target))
    if (!this.#paths.has(path)) await fetchToFile(this.from, { path, expected, target, signal })
    this.#paths.add(path)
    return { path: target }
  }

  /** A file of any size, straight to its place. */
  async fetch(path: string, expected: Digested, subject: string): Promise<void> {
    if (this.#paths.has(path)) return
    const { emit, signal } = this.workspace.outside
    const target = join(this.folder, path)
    await makeFolder(dirname(target))
    await fetchToFile(this.from, { path, expected, target, subject, emit, signal })
    this.#paths.add(path)
  }
}

/** Root chain, envelope, index and channels, as the registry has them now. They are verified afterwards, from the folder. */
async function gatherLists(gathered: Gathered, { expiry }: Source): Promise<{ version: number; expiresAt: Date }> {
  const { from, workspace } = gathered
  const { signal } = workspace.outside
  for (let version = 1; ; version++) {
    const file = await findSmallFile(from, { path: rootPath(version), maxBytes: FILE_LIMITS.root, signal })
    if (file === undefined) break
    await gathered.put(rootPath(version), file)
  }
  const path = expiry.kind === 'snapshot' ? snapshotPath(expiry.at) : ENVELOPE_PATH
  const file = await fetchSmallFile(from, { path, maxBytes: FILE_LIMITS.envelopeFile, signal })
  await gathered.put(path, file)
  const { index, channels, version, expiresAt } = parseEnvelope(parseEnvelopeFile(file).payload)
  await gathered.read(indexPath(index.sha256), index)
  await gathered.read(channelsPath(channels.sha256), channels)
  return { version, expiresAt }
}

function choose(
  { installed }: Workspace,
  catalogue: OpenCatalogue,
  { name: source }: Source,
  { packages, fromInstalled, withDepends }: ExportRequest,
): readonly CatalogueEntry[] {
  const here = fromInstalled ? installed.list().filter((one) => one.source === source) : []
  const wanted = [...packages, ...here.map(({ line }) => `${line.name}=${line.version}`)]
  if (wanted.length === 0)
    throw new VmpkgError('USAGE', 'Nothing to export: no package is named', {
      hint: 'Name packages, or add --from-installed.',
    })
  const chosen = new Map<string, CatalogueEntry>()
  for (const text of wanted) {
    const entry = find(catalogue, source, text)
    chosen.set(`${entry.line.name} ${entry.line.version}`, entry)
  }
  if (!withDepends) return [...chosen.values()]
  const wishes = [...chosen.values()].map(({ line }) => ({ name: line.name, version: `= ${line.version}` }))
  const { chosen: all } = solve<CatalogueEntry>(
    { install: wishes, installed: [] },
    {
      available: (name) => catalogue.available(name, { source }),
      providers: (virtual) => catalogue.providers(virtual),
      names: () => catalogue.names(),
    },
  )
  for (const entry of all.values()) chosen.set(`${entry.line.name} ${entry.line.version}`, entry)
  return [...chosen.values()]
}

function find(catalogue: OpenCatalogue, source: string, text: string): CatalogueEntry {
  const [name = '', version] = text.split('=')
  const entry =
    version === undefined
      ? catalogue.candidate(parsePackageName(name), { source })
      : catalogue.versions(parsePackageName(name)).find((one) => one.source === source && one.line.version === version)
  if (entry !== undefined) return entry
  throw new VmpkgError('PACKAGE_UNKNOWN', `Source ${source} has no package ${JSON.stringify(text.slice(0, 100))}`, {
    hint: 'vmpkg search finds what there is.',
  })
}

async function gatherPackage(gathered: Gathered, { line, transport }: CatalogueEntry): Promise<void> {
  const subject = `${line.name} ${line.version}`
  await gathered.fetch(packagePath(line.package.sha256), line.package, subject)
  for (const image of line.images) {
    const travels = transport.images[image.digest]
    if (travels === undefined) {
      throw new VmpkgError('INDEX_INVALID', `The index does not say how image ${image.role} of ${line.name} travels`, {
        hint: 'Ask the publisher to publish it again.',
      })
    }
    const map = await gathered.read(chunkMapPath(image.map.sha256), image.map)
    const index = await gathered.read(transportPath(travels.index.sha256), travels.index)
    for (const pack of await readPacks(map, index))
      await gathered.fetch(`blob/${pack.sha256}`, pack, `${subject} ${image.role}`)
  }
}

async function writeWhole(file: string, folder: string, paths: readonly string[]): Promise<number> {
  const temporary = `${file}.tmp`
  try {
    let size: number
    {
      await using output = await open(temporary, 'w', 0o644)
      await writeBundle(output, folder, paths)
      await output.sync()
      size = (await output.stat()).size
    }
    await renameDurably(temporary, file)
    return size
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
