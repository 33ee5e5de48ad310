/** The reader of each file system; one path at many points, whatever file system each has. */
import type { Entry, Filesystem, Limits, Place, Reader } from './entry.ts'
import { extReader } from './ext.ts'
import { grubReader } from './grub.ts'
import type { Sandbox } from './sandbox.ts'

export class Readers {
  readonly #ext: Reader
  readonly #grub: Reader

  constructor(sandbox: Sandbox) {
    this.#ext = extReader(sandbox)
    this.#grub = grubReader(sandbox)
  }

  of(filesystem: Filesystem): Reader {
    return filesystem === 'ext' ? this.#ext : this.#grub
  }

  /** `absent` where there is no file system. */
  async look(places: readonly (Place | undefined)[], path: string, limits: Limits): Promise<readonly Entry[]> {
    const entries: Entry[] = places.map(() => ({ state: 'absent' }))
    const byReader = Map.groupBy([...places.entries()], ([, place]) =>
      place === undefined ? undefined : this.of(place.filesystem),
    )
    for (const [reader, members] of byReader) {
      if (reader === undefined) continue
      const own = members.flatMap(([, place]) => (place === undefined ? [] : [place]))
      const found = await reader.look(own, path, limits)
      for (const [at, [index]] of members.entries()) entries[index] = found[at] ?? { state: 'absent' }
    }
    return entries
  }
}
