/**
 * Which immutable files versions of a registry need: by envelope, index, lines, chunk maps and transport indexes down to
 * the packs. What `repo gc` keeps and `repo verify` looks for. Reads every map and transport index once.
 */
import { sha256 } from '../model/digest.ts'
import type { PackageLine, Transport } from '../model/line.ts'
import { parsePackageLine } from '../model/line-schema.ts'
import type { Envelope, IndexEntry } from '../model/registry.ts'
import { verifyContent } from '../trust/content.ts'
import { MAX_INDEX_BYTES, readIndexEntries } from '../trust/package-index.ts'
import { entryFiles } from './entry-files.ts'
import { contentPath, findLargeFile, findRegistryFile, rootPath } from './registry-folder.ts'
import { transportFiles } from './transport-files.ts'

export class RegistryReferences {
  readonly #folder: string
  readonly #paths = new Set<string>()
  readonly #seenLines = new Set<string>()
  readonly #seenTransports = new Set<string>()

  constructor(folder: string) {
    this.#folder = folder
  }

  has(path: string): boolean {
    return this.#paths.has(path)
  }

  /**
   * Everything that an envelope leads to. An index that is not there leads nowhere; a damaged one is an error, because
   * what it named is not known.
   *
   * @throws {VmpkgError} `DIGEST_MISMATCH` `INDEX_INVALID` `IMAGE_INVALID`
   */
  async addVersion(envelope: Envelope): Promise<void> {
    const path = contentPath('index', envelope.index.sha256)
    this.#paths.add(rootPath(envelope.root.version))
    this.#paths.add(contentPath('channels', envelope.channels.sha256))
    if (this.#paths.has(path)) return
    this.#paths.add(path)
    const file = await findRegistryFile(this.#folder, path, MAX_INDEX_BYTES)
    if (file === undefined) return
    await this.addEntries(readIndexEntries(verifyContent(file, envelope.index, path), envelope.index))
  }

  /** @throws {VmpkgError} `IMAGE_INVALID` */
  async addEntries(entries: readonly IndexEntry[]): Promise<void> {
    for (const { line, transport } of entries) {
      const indexes = Object.values(transport.images).flatMap(transportFiles)
      const key = [sha256(line), ...indexes].join(' ')
      if (this.#seenLines.has(key)) continue // nearly all lines of one version stand in the next
      this.#seenLines.add(key)
      await this.#addLine(parsePackageLine(line), transport)
    }
  }

  async #addLine(line: PackageLine, transport: Transport): Promise<void> {
    const files = await entryFiles(line, transport, {
      find: async (path, maxBytes) => findLargeFile(this.#folder, path, maxBytes),
      isKnown: (index) => this.#seenTransports.has(index),
    })
    for (const { path } of files) this.#paths.add(path)
    for (const { index } of Object.values(transport.images)) this.#seenTransports.add(index.sha256)
  }
}
