/**
 * Files under tags of an OCI repository (format 6): written, read, listed, withdrawn. Servers that delete nothing get a mark
 * under the tag instead, which every reader here takes for "not there".
 */
import { type Digested, sha256 } from '../model/digest.ts'
import { EMPTY_CONFIG, formatManifest, type OciLayer, parseManifest, pathOfTag, tagOf } from '../model/oci.ts'
import { inParallel } from './in-parallel.ts'
import type { OciRepository } from './oci-repository.ts'
import { uploadBlob } from './oci-upload.ts'
import { targetFailed, tooLarge } from './target.ts'

export const OCI_PARALLEL = 8
const EMPTY = { sha256: sha256(EMPTY_CONFIG), size: EMPTY_CONFIG.length }
const WITHDRAWN_TAG = 'withdrawn'
const WITHDRAWN = formatManifest(WITHDRAWN_TAG, [{ ...EMPTY, path: WITHDRAWN_TAG }])

export class OciArtifacts {
  readonly repository: OciRepository
  #hasEmpty = false

  constructor(repository: OciRepository) {
    this.repository = repository
  }

  /** The file's digest and size, and what the server has under its tag; `undefined` where it is not there. */
  async find(path: string): Promise<(Digested & { readonly manifest: Uint8Array }) | undefined> {
    const manifest = await this.repository.readManifest(tagOf(path))
    if (manifest === undefined || Buffer.compare(manifest, WITHDRAWN) === 0) return undefined
    return { ...parseManifest(manifest)[0], manifest }
  }

  /** @throws {VmpkgError} `TARGET_FAILED` `REGISTRY_INVALID` */
  async read(path: string, maxBytes: number): Promise<{ bytes: Buffer; manifest: Uint8Array } | undefined> {
    const found = await this.find(path)
    if (found === undefined) return undefined
    const { name } = this.repository
    if (found.size > maxBytes) throw tooLarge(name, path, found.size)
    const bytes = await this.repository.readBlob(found.sha256, maxBytes)
    if (bytes === undefined) throw targetFailed(name, `read ${path}`, 'its tag is there and its bytes are not')
    return { bytes, manifest: found.manifest }
  }

  /** @param kept what the server must not collect while this tag is there */
  async write(path: string, bytes: Uint8Array, kept: readonly OciLayer[] = []): Promise<void> {
    const layer = await this.prepare(path, bytes)
    await this.put(tagOf(path), [layer, ...kept])
  }

  /** Uploads the file without naming it. */
  async prepare(path: string, bytes: Uint8Array): Promise<OciLayer> {
    const layer = { path, sha256: sha256(bytes), size: bytes.length }
    if ((await this.repository.blobSize(layer.sha256)) === undefined) {
      await uploadBlob(this.repository, { ...layer, open: (start, end) => bytes.subarray(start, end) })
    }
    return layer
  }

  /** Names what is there already. */
  async put(tag: string, layers: readonly OciLayer[], timeoutMs?: number): Promise<void> {
    await this.#putManifest(tag, formatManifest(tag, layers), timeoutMs)
  }

  /** A tag that says nothing but that it is there. */
  async mark(tag: string): Promise<void> {
    await this.put(tag, [{ ...EMPTY, path: tag }])
  }

  /** From here on it is not there for anybody who reads tags by `find` or `list`. */
  async withdraw(tag: string): Promise<void> {
    if (await this.delete(tag)) return
    await this.#putManifest(WITHDRAWN_TAG, WITHDRAWN)
    await this.#putManifest(tag, WITHDRAWN)
  }

  /** False where the server does not do that, and nothing changed. */
  async delete(tag: string): Promise<boolean> {
    const manifest = await this.repository.readManifest(tag)
    if (manifest === undefined || Buffer.compare(manifest, WITHDRAWN) === 0) return true
    return this.repository.deleteManifest(sha256(manifest))
  }

  /** Paths of the files in those folders. */
  async list(folders: readonly string[]): Promise<readonly string[]> {
    const tags = await this.repository.listTags()
    const paths = folders.flatMap((folder) =>
      tags.map((tag) => pathOfTag(folder, tag)).filter((path) => path !== undefined),
    )
    if (!tags.includes(WITHDRAWN_TAG)) return paths
    const present = new Set<string>()
    await inParallel(OCI_PARALLEL, paths, async (path) => {
      if ((await this.find(path)) !== undefined) present.add(path)
    })
    return paths.filter((path) => present.has(path))
  }

  async #putManifest(tag: string, manifest: Uint8Array, timeoutMs?: number): Promise<void> {
    if (!this.#hasEmpty) await this.prepare('config', EMPTY_CONFIG)
    this.#hasEmpty = true
    await this.repository.putManifest(tag, manifest, timeoutMs)
  }
}
