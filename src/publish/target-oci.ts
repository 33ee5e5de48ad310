/**
 * A repository of an OCI registry as a place to publish to (format 6). Files that are named by their digest are blobs, which
 * no reader needs a manifest for. Others are artifacts under tags, and so is each package version: its manifest is what
 * keeps its files when the server collects garbage. The envelope's tag is moved last, in a turn of its own
 * (`oci-turn.ts`). Adding one package writes its own manifest and the envelope's, however many packages there are.
 */
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import { OciSession } from '../fetch/oci-session.ts'
import type { BinaryFile } from '../image/binary.ts'
import { sha256 } from '../model/digest.ts'
import type { PackageLine, Transport } from '../model/line.ts'
import { parsePackageLine } from '../model/line-schema.ts'
import { type OciLayer, ociName, packageTag, tagOf } from '../model/oci.ts'
import type { Envelope, IndexEntry } from '../model/registry.ts'
import {
  FILE_LIMITS,
  formatIndexEntry,
  parseEnvelope,
  parseEnvelopeFile,
  parseSignedFile,
  parseSubmission,
} from '../model/registry-schema.ts'
import type { Http } from '../ports.ts'
import { MAX_INDEX_BYTES, readIndexEntries } from '../trust/package-index.ts'
import { entryFiles } from './entry-files.ts'
import { inParallel } from './in-parallel.ts'
import { isOfPromoter } from './incoming.ts'
import { OCI_PARALLEL, OciArtifacts } from './oci-artifacts.ts'
import { findOciLogin, type OciCredentialsOptions } from './oci-credentials.ts'
import { OciRepository } from './oci-repository.ts'
import { withOciTurn } from './oci-turn.ts'
import { uploadBlob } from './oci-upload.ts'
import { contentPath, ENVELOPE_PATH, findLargeFile, findRegistryFile } from './registry-folder.ts'
import { type FetchedFile, type PublishTarget, registryChanged, targetFailed } from './target.ts'
import { areEqual } from './target-folder.ts'
import type { OciTargetPlace } from './target-location.ts'

/** Maps and indexes that are larger are not read beside others. */
const MAX_PARALLEL_BYTES = 1024 * 1024

export interface OciTargetOptions extends OciCredentialsOptions {
  readonly http: Http
  readonly signal?: AbortSignal | undefined
}

/** @throws {VmpkgError} `SOURCE_INVALID` for an `auth.conf` that others may read */
export async function ociTarget(name: string, place: OciTargetPlace, options: OciTargetOptions): Promise<OciTarget> {
  const { http, signal } = options
  const session = new OciSession({ place, http, login: await findOciLogin(place, options) })
  const repository = new OciRepository({ name, session, http, mountFrom: place.mountFrom, signal })
  return new OciTarget(name, new OciArtifacts(repository), signal)
}

export class OciTarget implements PublishTarget {
  readonly name: string
  readonly artifacts: OciArtifacts
  readonly #signal: AbortSignal | undefined
  /** Folder of this host with each file that was uploaded: need not be read again. */
  readonly #local = new Map<string, string>()
  /** The last of the large files that are read. */
  #large: Promise<unknown> = Promise.resolve()

  constructor(name: string, artifacts: OciArtifacts, signal: AbortSignal | undefined) {
    this.name = name
    this.artifacts = artifacts
    this.#signal = signal
  }

  async sizes(paths: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const found = new Map<string, number>()
    await inParallel(OCI_PARALLEL, paths, async (path) => {
      const file = ociName(path)
      const size =
        'digest' in file
          ? await this.artifacts.repository.blobSize(file.digest)
          : (await this.artifacts.find(path))?.size
      if (size !== undefined) found.set(path, size)
    })
    return found
  }

  async list(folders: readonly string[]): Promise<readonly string[]> {
    return this.artifacts.list(folders)
  }

  async fetch(files: readonly FetchedFile[], into: string): Promise<void> {
    await inParallel(OCI_PARALLEL, files, async ({ path, maxBytes }) => {
      const file = ociName(path)
      if ('digest' in file) {
        await this.artifacts.repository.saveBlob(file.digest, maxBytes, join(into, path))
        return
      }
      const bytes = await this.read(path, maxBytes)
      if (bytes === undefined) return
      await mkdir(dirname(join(into, path)), { recursive: true })
      await writeFile(join(into, path), bytes)
    })
  }

  /** @throws {VmpkgError} `TARGET_FAILED` `REGISTRY_INVALID` */
  async read(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
    const file = ociName(path)
    if ('digest' in file) return this.artifacts.repository.readBlob(file.digest, maxBytes)
    return (await this.artifacts.read(path, maxBytes))?.bytes
  }

  async store(folder: string, paths: readonly string[], onStored: (path: string) => void): Promise<void> {
    const isBlob = (path: string): boolean => 'digest' in ociName(path)
    await inParallel(OCI_PARALLEL, paths.filter(isBlob), async (path) => {
      await this.#storeBlob(folder, path)
      onStored(path)
    })
    for (const path of paths.filter((one) => !isBlob(one))) {
      const bytes = await readFile(join(folder, path))
      await this.artifacts.write(path, bytes, await this.#present(await this.#namedBy(path, bytes)))
      onStored(path)
    }
  }

  async #storeBlob(folder: string, path: string): Promise<void> {
    const file = ociName(path)
    if (!('digest' in file)) return
    const local = join(folder, path)
    const open = (start: number, end: number) =>
      start === end ? new Uint8Array() : createReadStream(local, { start, end: end - 1 })
    await uploadBlob(this.artifacts.repository, { sha256: file.digest, size: (await stat(local)).size, open })
    this.#local.set(path, folder)
  }

  async remove(paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      if ('tag' in ociName(path)) await this.artifacts.withdraw(tagOf(path))
    }
  }

  async swapEnvelope(before: Uint8Array | undefined, after: Uint8Array): Promise<void> {
    const envelope = parseEnvelope(parseEnvelopeFile(after).payload)
    const wanted = await this.#keepPackages(await this.readEntries(envelope))
    const layers = [await this.artifacts.prepare(ENVELOPE_PATH, after), ...listsOf(envelope)]
    const turn = { artifacts: this.artifacts, before, signal: this.#signal }
    await withOciTurn(turn, async (lease, manifest) => {
      const tags = new Set(await this.artifacts.repository.listTags())
      // `repo gc` had its turn since they were written.
      if (wanted.some((tag) => !tags.has(tag))) throw registryChanged(this.name)
      try {
        await this.artifacts.put(tagOf(ENVELOPE_PATH), layers, lease.remaining())
      } catch (error) {
        // An answer that was lost on its way says nothing.
        if (!isVmpkgError(error, 'TARGET_FAILED') || !(await this.#has(after))) throw error
      }
      if (!(await this.#has(after))) throw registryChanged(this.name)
      if (manifest !== undefined) await this.#forget(manifest)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** @throws {VmpkgError} `TARGET_FAILED` `INDEX_INVALID` */
  async readEntries({ index }: Pick<Envelope, 'index'>): Promise<readonly IndexEntry[]> {
    const path = contentPath('index', index.sha256)
    const folder = this.#local.get(path)
    const here = folder === undefined ? undefined : await findRegistryFile(folder, path, MAX_INDEX_BYTES)
    const file = here ?? (await this.read(path, MAX_INDEX_BYTES))
    if (file === undefined) throw targetFailed(this.name, `read ${path}`, 'it is not there')
    return readIndexEntries(file, index)
  }

  async #has(envelope: Uint8Array): Promise<boolean> {
    return areEqual((await this.artifacts.read(ENVELOPE_PATH, envelope.length))?.bytes, envelope)
  }

  /** Nothing names a former manifest any more; its version has an artifact under `history`. */
  async #forget(manifest: Uint8Array): Promise<void> {
    await this.artifacts.repository.deleteManifest(sha256(manifest)).catch(() => false)
  }

  /** Writes the artifacts of package versions that have none yet. @returns the tags of all that are there */
  async #keepPackages(entries: readonly IndexEntry[]): Promise<readonly string[]> {
    const tags = new Set(await this.artifacts.repository.listTags())
    const wanted: string[] = []
    await inParallel(OCI_PARALLEL, entries, async (entry) => {
      const line = parsePackageLine(entry.line)
      const tag = packageTag(line, formatIndexEntry(entry))
      if (!tags.has(tag)) {
        // In a copy of a few packages the others are named and not there.
        if ((await this.artifacts.repository.blobSize(line.package.sha256)) === undefined) return
        await this.artifacts.put(tag, await this.#layersOf(line, entry.transport))
      }
      wanted.push(tag)
    })
    return wanted
  }

  /** What else must stay while a file of a folder is there. */
  async #namedBy(path: string, bytes: Uint8Array): Promise<readonly OciLayer[]> {
    if (path.startsWith('history/') || path.startsWith('snapshot/')) {
      return listsOf(parseEnvelope(parseEnvelopeFile(bytes).payload))
    }
    if (!path.startsWith('incoming/')) return []
    const files: OciLayer[] = []
    for (const { line, transport } of submittedEntries(bytes)) {
      files.push(...(await this.#layersOf(parsePackageLine(line), transport)))
    }
    return [...new Map(files.map((file) => [file.sha256, file])).values()]
  }

  async #present(layers: readonly OciLayer[]): Promise<readonly OciLayer[]> {
    const sizes = await this.sizes(layers.map(({ path }) => path))
    return layers.filter(({ path }) => sizes.has(path))
  }

  /** Of a package version. Large ones come one after the other: each takes as much memory as one may. */
  async #layersOf(line: PackageLine, transport: Transport): Promise<readonly OciLayer[]> {
    const indexes = Object.values(transport.images).map(({ index }) => index)
    const isLarge = [...line.images.map(({ map }) => map), ...indexes].some(({ size }) => size > MAX_PARALLEL_BYTES)
    if (!isLarge) return this.#readLayers(line, transport)
    const read = this.#large.then(async () => this.#readLayers(line, transport))
    this.#large = read.catch(() => undefined)
    return read
  }

  async #readLayers(line: PackageLine, transport: Transport): Promise<readonly OciLayer[]> {
    const folder = await mkdtemp(join(tmpdir(), 'vmpkg-read-'))
    try {
      return layersOf(await entryFiles(line, transport, { find: async (...wanted) => this.#find(folder, ...wanted) }))
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  /** Where it was uploaded from, or by way of a folder. */
  async #find(into: string, path: string, maxBytes: number): Promise<BinaryFile | undefined> {
    const folder = this.#local.get(path)
    const here = folder === undefined ? undefined : await findLargeFile(folder, path, maxBytes)
    if (here !== undefined) return here
    await this.fetch([{ path, maxBytes }], into)
    return findLargeFile(into, path, maxBytes)
  }
}

function listsOf({ index, channels }: Envelope): readonly OciLayer[] {
  return [
    { path: contentPath('index', index.sha256), sha256: index.sha256, size: index.size },
    { path: contentPath('channels', channels.sha256), sha256: channels.sha256, size: channels.size },
  ]
}

function layersOf(files: readonly { readonly path: string; readonly size: number }[]): readonly OciLayer[] {
  return files.map(({ path, size }) => {
    const file = ociName(path)
    if ('digest' in file) return { path, size, sha256: file.digest }
    throw new VmpkgError('REGISTRY_INVALID', `${path} is not named by its digest`)
  })
}

/** Of a submission; a promoter's has none, and `repo merge` says what is wrong with another. */
function submittedEntries(file: Uint8Array): readonly IndexEntry[] {
  try {
    const signed = parseSignedFile(file, 'REGISTRY_INVALID', 'The submission', FILE_LIMITS.submission)
    return isOfPromoter(signed) ? [] : parseSubmission(signed.payload).entries
  } catch (error) {
    if (error instanceof VmpkgError) return []
    throw error
  }
}
