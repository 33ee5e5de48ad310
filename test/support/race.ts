/** Publishers that publish to one registry at once, and what came of it. */
import { copyFile, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { packImage } from '../../src/image/pack-image.ts'
import { pushRegistry } from '../../src/publish/push.ts'
import { addPackages, type PackImage } from '../../src/publish/registry-add.ts'
import { changeRemotely } from '../../src/publish/remote-change.ts'
import { folderTarget } from '../../src/publish/target-folder.ts'
import { type PlaceKind, type PublishPlace, startPlace } from './publish-places.ts'
import { buildRegistry, type TestRegistry } from './registry-builder.ts'
import { refresh } from './registry-client.ts'

/** Builds and packs every package once, whatever number of registries it goes into. */
export class RaceCourse implements AsyncDisposable {
  readonly #builder: TestRegistry
  readonly #built = new Map<string, Promise<string>>()
  readonly #packed = new Map<string, ReturnType<PackImage>>()
  readonly #places = new Map<PlaceKind, Promise<PublishPlace>>()
  #count = 0

  private constructor(builder: TestRegistry) {
    this.#builder = builder
  }

  static async open(): Promise<RaceCourse> {
    return new RaceCourse(await buildRegistry())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const started of await Promise.allSettled(this.#places.values())) {
      if (started.status === 'fulfilled') await started.value[Symbol.asyncDispose]()
    }
    await this.#builder[Symbol.asyncDispose]()
  }

  /**
   * `races` times one registry is published to by `publishers` at once, each with a package of its own.
   *
   * @returns packages that are not there in the end
   */
  async run(kind: PlaceKind, races: number, publishers: number): Promise<readonly string[]> {
    const place = kind === 'folder' ? undefined : await this.#place(kind)
    await using registry = await buildRegistry()
    const name = `registry-${this.#count++}`
    if (place !== undefined) {
      await using target = await place.open(name)
      await pushRegistry({ ...registry, target })
    }
    const expected: string[] = []
    for (let race = 0; race < races; race++) {
      const names = Array.from({ length: publishers }, (_, i) => `app-r${race}-p${i}`)
      expected.push(...names)
      const built = await Promise.all(names.map(async (one) => this.#build(one)))
      await Promise.all(built.map(async (folder, i) => this.#publish(registry, folder, place, name, i)))
    }
    const at = place === undefined ? {} : { base: new URL(`${name}/`, place.base) }
    const { index, envelope } = await refresh({ ...registry, ...at, now: registry.clock.now() })
    const there = index.entries.map(({ line }) => line.name)
    const lost = expected.filter((one) => !there.includes(one))
    // One version each: none was written over.
    return envelope.version === 1 + expected.length ? lost : [...lost, `versions up to ${envelope.version}`]
  }

  /** In a folder every other publisher works in place, as on the server itself; the others through staging folders. */
  async #publish(
    registry: TestRegistry,
    built: string,
    place: PublishPlace | undefined,
    below: string,
    number: number,
  ): Promise<void> {
    const options = { ...registry, packages: [built], publishers: [registry.publisher], pack: this.#pack }
    if (place === undefined && number % 2 === 0) {
      await addPackages(options)
      return
    }
    await using target = place === undefined ? folderTarget(registry.folder) : await place.open(below)
    await changeRemotely({ target }, async (folder) => addPackages({ ...options, folder }))
  }

  async #place(kind: PlaceKind): Promise<PublishPlace> {
    const place = this.#places.get(kind) ?? startPlace(kind)
    this.#places.set(kind, place)
    return place
  }

  async #build(name: string): Promise<string> {
    const built = this.#built.get(name) ?? this.#builder.build({ name })
    this.#built.set(name, built)
    return built
  }

  readonly #pack: PackImage = async ({ file, outDir }) => {
    const store = this.#builder.folder
    const packed = this.#packed.get(file) ?? packImage({ file, outDir: store })
    this.#packed.set(file, packed)
    const { map, transport, ...rest } = (await packed) as Awaited<ReturnType<typeof packImage>>
    const files = [map.file, transport.file, ...transport.packs.map((pack) => pack.file)]
    for (const one of files) {
      const to = join(outDir, one.slice(store.length))
      await mkdir(dirname(to), { recursive: true })
      await copyFile(one, to)
    }
    const { sha256, size, fullBytes } = transport
    return { ...rest, map: { sha256: map.sha256, size: map.size }, transport: { sha256, size, fullBytes } }
  }
}
