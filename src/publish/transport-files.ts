/** The small files that say how an image travels. Pure. */
import type { Sha256 } from '../model/digest.ts'
import type { ImageTransport } from '../model/line.ts'

/** Digests of its transport index and of the indexes of its deltas. */
export function transportFiles({ index, deltas = [] }: ImageTransport): readonly Sha256[] {
  return [index.sha256, ...deltas.map((delta) => delta.index.sha256)]
}
