/**
 * Publisher side: a delta from one image to another. The chunks that the old image lacks, in groups of about a frame, each
 * compressed with the parts of the old image that are most like it as its dictionary.
 *
 * Source: design images 5. Test oracle: `assemble.ts` giving the image back from old image and delta.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Digested, Sha256 } from '../model/digest.ts'
import { DictionaryChooser } from './choose-dictionary.ts'
import { type ChunkMap, chunkDigest, chunkLength, distinctBytes } from './chunk-map.ts'
import { formatDeltaIndex, MAX_DELTA_CHUNKS, MAX_DELTA_INDEX_BYTES } from './delta-index.ts'
import { DigestTable } from './digest-table.ts'
import { oldParts } from './fetch-frames.ts'
import { FramePool } from './frame-pool.ts'
import type { DeltaFrame } from './frame-table.ts'
import {
  bytesOf,
  DEFAULT_LEVEL,
  defaultFrameBytes,
  groupChunks,
  readRuns,
  spellRecipe,
  writeNamed,
} from './pack-image.ts'
import { type FrameDraft, writePack } from './pack-writer.ts'
import type { Numbers } from './paged.ts'
import { firstPlaces } from './places.ts'
import { costOfFetch } from './plan-fetch.ts'
import { FEATURE_BITS, SketchTable } from './sketch.ts'
import type { ChunkRun, TransportIndex } from './transport-index.ts'

interface RawImage {
  readonly digest: Sha256
  /** The raw bytes; they must not change meanwhile. */
  readonly file: string
  readonly map: ChunkMap
}

export interface MakeDeltaOptions {
  readonly old: RawImage
  readonly image: RawImage & { readonly index: TransportIndex }
  /** The registry's folder. */
  readonly outDir: string
  readonly level?: number
  readonly frameBytes?: number
  readonly threads?: number
  readonly signal?: AbortSignal | undefined
}

export interface MadeDelta {
  readonly from: Sha256
  readonly index: Digested
  readonly pack: Digested
  /** What somebody who has the old image would fetch without it. */
  readonly plainBytes: number
  readonly journal: string
}

/** A delta has to be this much smaller than the frames that it stands for (design images 5.3). */
const WORTH_IT = 0.9
const SKETCH_BYTES = 4 * 1024 * 1024
/** Of content; beyond it fewer features are sampled, so that the table stays small. */
const FINE_BYTES = 2 * 1024 ** 3

/** `undefined` where it would not be worth its bytes; what was written for it then goes with `repo gc`. */
export async function makeDelta(options: MakeDeltaOptions): Promise<MadeDelta | undefined> {
  const { old, image, outDir, level = DEFAULT_LEVEL, threads, signal } = options
  const frameBytes = options.frameBytes ?? defaultFrameBytes(image.map.cutting)
  const counts = [image.map.chunkCount, old.map.chunkCount, image.index.frames.length]
  if (old.map.chunkCount === 0 || counts.some((count) => count > MAX_DELTA_CHUNKS)) return undefined
  const isHad = findShared(image.map, old.map)
  const { bytes: plainBytes } = costOfFetch(image.index.frames, isHad)
  const groups = [...groupChunks(image.map, isHad, frameBytes)]
  if (groups.length === 0) return undefined
  await using oldFile = await open(old.file, 'r')
  await using file = await open(image.file, 'r')
  await using pool = new FramePool(threads)
  const places = firstPlaces(image.map)
  const oldPlaces = firstPlaces(old.map)
  const bits = featureBits(old.map)
  const all = [{ first: 0, count: old.map.chunkCount }]
  const features = await sketchAll(pool, oldFile, { map: old.map, places: oldPlaces, runs: all, bits })
  const chooser = new DictionaryChooser({ map: image.map, old: old.map, table: new SketchTable(features), places })
  const own = await sketchAll(pool, file, { map: image.map, places, runs: groups.flat(), bits })
  const dictionaries: (readonly ChunkRun[])[] = []
  let at = 0
  for (const runs of groups) {
    const count = runs.reduce((sum, run) => sum + run.count, 0)
    dictionaries.push(chooser.choose(runs, own.slice(at, at + count)))
    at += count
  }
  const drafts = groups.map(
    (runs, number): FrameDraft => ({
      rawSize: bytesOf(image.map, runs),
      read: async () => readRuns(file, { map: image.map, runs, places, file: image.file }),
      dictionary: oldParts({ file: oldFile, map: old.map, places: oldPlaces }, dictionaries[number] ?? []),
    }),
  )
  const written = await writePack({
    folder: join(outDir, 'blob'),
    recipe: spellRecipe(`delta ${old.digest} ${image.digest}`, [...groups, ...dictionaries]),
    drafts,
    pool,
    level,
    subject: image.file,
    signal,
  })
  if (written === undefined) return undefined
  const frames = [...written.frames].map((frame, number): DeltaFrame => {
    const runs = groups[number] ?? []
    return { ...frame, pack: 0, rawSize: bytesOf(image.map, runs), runs, dictionary: dictionaries[number] ?? [] }
  })
  const pack = { sha256: written.sha256, size: written.size }
  const bytes = formatDeltaIndex({ pack, frames })
  if (pack.size + bytes.length > plainBytes * WORTH_IT || bytes.length > MAX_DELTA_INDEX_BYTES) return undefined
  const { sha256, size } = await writeNamed(join(outDir, 'transport'), [bytes])
  return { from: old.digest, index: { sha256, size }, pack, plainBytes, journal: written.journal }
}

/** 1 for each chunk of the image that the old one has. */
function findShared(map: ChunkMap, old: ChunkMap): Uint8Array {
  const known = new DigestTable(old.digests)
  const isShared = new Uint8Array(map.chunkCount)
  for (let chunk = 0; chunk < map.chunkCount; chunk++) isShared[chunk] = known.find(chunkDigest(map, chunk)) < 0 ? 0 : 1
  return isShared
}

function featureBits(map: ChunkMap): number {
  return FEATURE_BITS + Math.max(0, Math.ceil(Math.log2(distinctBytes(map) / FINE_BYTES)))
}

/** Features of each chunk of the runs, in their order. */
async function sketchAll(
  pool: FramePool,
  file: FileHandle,
  { map, places, runs, bits }: { map: ChunkMap; places: Numbers; runs: readonly ChunkRun[]; bits: number },
): Promise<readonly Uint32Array[]> {
  const answers: Promise<readonly Uint32Array[]>[] = []
  let parts: { offset: number; length: number }[] = []
  let bytes = 0
  const send = (): void => {
    const job = { kind: 'sketch', fd: file.fd, parts, bits } as const
    const answer = pool.submit(job).then((value) => {
      if (value.kind === 'sketched') return value.features
      throw new Error(`a sketch was ${value.kind} instead`, { cause: value })
    })
    answer.catch(() => {}) // awaited below
    answers.push(answer)
    parts = []
    bytes = 0
  }
  for (const { first, count } of runs) {
    for (let chunk = first; chunk < first + count; chunk++) {
      const length = chunkLength(map, chunk)
      parts.push({ offset: places.at(chunk) ?? 0, length })
      bytes += length
      if (bytes < SKETCH_BYTES) continue
      await pool.ready()
      send()
    }
  }
  if (parts.length > 0) send()
  return (await Promise.all(answers)).flat()
}
