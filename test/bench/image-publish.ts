/**
 * Packs a raw image into a registry's folder, with the frames of others and deltas from them, and prints the bytes of a full fetch.
 * Arguments: folder, file, older files, `--no-delta`. A process of its own, for its time and memory. Older images have to be
 * packed there already; their maps and indexes lie beside the folder under the names of the files.
 */
import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseChunkMap } from '../../src/image/chunk-map.ts'
import { makeDelta } from '../../src/image/make-delta.ts'
import { packImage } from '../../src/image/pack-image.ts'
import { parseTransportIndex } from '../../src/image/transport-index.ts'
import { parseSha256 } from '../../src/model/digest.ts'

export interface Published {
  readonly digest: string
  readonly size: number
  readonly map: { readonly sha256: string; readonly size: number; readonly file: string }
  readonly transport: { readonly file: string }
  readonly deltas: readonly {
    readonly from: string
    readonly index: { sha256: string; size: number }
    readonly packBytes: number
  }[]
}

const words = process.argv.slice(2)
const [folder = '', file = '', ...olds] = words.filter((word) => !word.startsWith('--'))

/** Where the facts of a published file stand. */
function factsOf(of: string): string {
  return join(folder, 'facts', `${createHash('sha256').update(of).digest('hex')}.json`)
}

const earlier = []
for (const old of olds) {
  const { digest, map: named, transport } = JSON.parse(await readFile(factsOf(old), 'utf8')) as Published
  const map = parseChunkMap(await readFile(named.file))
  const index = parseTransportIndex(await readFile(transport.file), map)
  earlier.push({ file: old, digest: parseSha256(digest), map, index })
}
const packed = await packImage({ file, outDir: folder, earlier })
const deltas = []
for (const old of words.includes('--no-delta') ? [] : earlier) {
  const made = await makeDelta({ old, image: { digest: packed.digest, file, ...packed.parsed }, outDir: folder })
  if (made !== undefined) deltas.push({ from: made.from, index: made.index, packBytes: made.pack.size })
}
const { digest, size, map, transport } = packed
await mkdir(join(folder, 'facts'), { recursive: true })
const facts: Published = { digest, size, map, transport: { file: transport.file }, deltas }
await writeFile(factsOf(file), JSON.stringify(facts))
console.log(transport.fullBytes)
