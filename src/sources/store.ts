/** The sources of a host: `<name>.yaml` in one folder, and beside it the root files they are pinned to. */
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder, replaceFile, syncFolder } from '../durable-file.ts'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import { sha256 } from '../model/digest.ts'
import { formatSource, hasSecret, parseSource, parseSourceName, type Source } from './source.ts'

export interface SourceFolders {
  readonly sources: string
  readonly roots: string
}

/** How a pinned root file is called. */
const NAMED = /\/[0-9a-f]{64}\.json$/

export class SourceStore {
  readonly #folders: SourceFolders

  constructor(folders: SourceFolders) {
    this.#folders = folders
  }

  /** By name. @throws {VmpkgError} `SOURCE_INVALID` */
  async list(): Promise<readonly Source[]> {
    const names = await readdir(this.#folders.sources).catch(absent)
    const files = (names ?? []).filter((name) => name.endsWith('.yaml')).toSorted()
    return await Promise.all(files.map((file) => this.get(file.slice(0, -'.yaml'.length))))
  }

  /** @throws {VmpkgError} `SOURCE_UNKNOWN`, `SOURCE_INVALID` */
  async get(name: string): Promise<Source> {
    const text = await readFile(this.#pathOf(name), 'utf8').catch(absent)
    if (text === undefined) {
      throw new VmpkgError('SOURCE_UNKNOWN', `There is no source named ${name}`, {
        hint: 'Run vmpkg source list to see the names.',
      })
    }
    return parseSource(name, text)
  }

  /**
   * Writes a new source with the root file that it is pinned to.
   *
   * @throws {VmpkgError} `SOURCE_EXISTS`; `SOURCE_INVALID` where the file is not the pinned one
   */
  async add(source: Source, rootFile: Uint8Array): Promise<void> {
    if (sha256(rootFile) !== source.pin.sha256) {
      throw new VmpkgError('SOURCE_INVALID', `The root file of source ${source.name} is not the one it is pinned to`)
    }
    const path = this.#pathOf(source.name)
    if ((await readFile(path).catch(absent)) !== undefined) {
      throw new VmpkgError('SOURCE_EXISTS', `There is already a source named ${source.name}`, {
        hint: `Choose another name, or remove it first: vmpkg source remove ${source.name}.`,
      })
    }
    await makeFolder(this.#folders.sources)
    await makeFolder(this.#folders.roots)
    await replaceFile(this.#rootPathOf(source), rootFile)
    await this.#write(source)
  }

  /** Writes a changed definition; its root file stays. @throws {VmpkgError} `SOURCE_UNKNOWN` */
  async replace(source: Source): Promise<void> {
    await this.get(source.name)
    await this.#write(source)
  }

  async #write(source: Source): Promise<void> {
    await replaceFile(this.#pathOf(source.name), formatSource(source), { mode: hasSecret(source) ? 0o600 : 0o644 })
  }

  /** The root file a source is pinned to. @throws {VmpkgError} `SOURCE_INVALID` when it is gone or altered */
  async readPinnedRoot(source: Source): Promise<Buffer> {
    const bytes = await readFile(this.#rootPathOf(source)).catch(absent)
    if (bytes === undefined || sha256(bytes) !== source.pin.sha256) {
      throw new VmpkgError('SOURCE_INVALID', `The pinned root file of source ${source.name} is missing or altered`, {
        hint: 'Remove the source and add it again with a root file or fingerprints that you trust.',
      })
    }
    return bytes
  }

  /** From here on it is not trusted; `tidy` then takes away what belonged to it. @throws {VmpkgError} `SOURCE_UNKNOWN` */
  async remove(name: string): Promise<void> {
    await this.get(name)
    await rm(this.#pathOf(name))
    await syncFolder(this.#folders.sources)
  }

  /**
   * Finds what a command that died has left, and what a removed source needs no more: unfinished files, and root files
   * that no source is pinned to. Paths; the caller holds the writer lock.
   *
   * @throws {VmpkgError} `SOURCE_INVALID`
   */
  async findUnused(): Promise<readonly string[]> {
    const pinned = new Set((await this.list()).map((source) => this.#rootPathOf(source)))
    const pathsIn = async (folder: string): Promise<string[]> =>
      ((await readdir(folder).catch(absent)) ?? []).toSorted().map((name) => join(folder, name))
    const [definitions, roots] = await Promise.all([pathsIn(this.#folders.sources), pathsIn(this.#folders.roots)])
    const isUnfinished = (path: string): boolean => path.endsWith('.tmp')
    return [
      ...definitions.filter(isUnfinished),
      ...roots.filter((path) => isUnfinished(path) || (NAMED.test(path) && !pinned.has(path))),
    ]
  }

  /** Removes what `findUnused` finds. @throws {VmpkgError} `SOURCE_INVALID` */
  async tidy(): Promise<readonly string[]> {
    const unused = await this.findUnused()
    for (const path of unused) await rm(path, { force: true })
    return unused
  }

  #pathOf(name: string): string {
    return join(this.#folders.sources, `${parseSourceName(name)}.yaml`)
  }

  #rootPathOf({ pin }: Source): string {
    return join(this.#folders.roots, `${pin.sha256}.json`)
  }
}

function absent(error: unknown): undefined {
  if (systemErrorCode(error) === 'ENOENT') return undefined
  throw error
}
