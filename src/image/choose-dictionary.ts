/**
 * Which chunks of an old image say most about a group of chunks that are new: those that share features of content, wherever
 * they lie, then those that lay at the same place or beside the same neighbours. Pure.
 *
 * Source: design images 5.1 and 5.2.
 */
import { type ChunkMap, chunkLength } from './chunk-map.ts'
import { MAX_DICTIONARY_BYTES } from './delta-index.ts'
import type { Numbers } from './paged.ts'
import type { SketchTable } from './sketch.ts'
import type { ChunkRun } from './transport-index.ts'

/** What is taken by place alone, without any likeness. */
const MAX_BYTES_BY_PLACE = 1024 * 1024
/** What more parts have in common is common to everything. */
const MOST_PARTS = 16

export interface DictionaryChoice {
  readonly map: ChunkMap
  readonly old: ChunkMap
  /** Of the chunks of the old image. */
  readonly table: SketchTable
  /** Where each chunk of the new image first lies. */
  readonly places: Numbers
}

export class DictionaryChooser {
  readonly #choice: DictionaryChoice

  constructor(choice: DictionaryChoice) {
    this.#choice = choice
  }

  /** @param features of the chunks of the group */
  choose(runs: readonly ChunkRun[], features: readonly Uint32Array[]): readonly ChunkRun[] {
    const { old } = this.#choice
    const chosen = new Set<number>()
    let bytes = 0
    const take = (chunk: number, limit: number): void => {
      const length = chunkLength(old, chunk)
      if (chosen.has(chunk) || bytes + length > limit) return
      chosen.add(chunk)
      bytes += length
    }
    for (const chunk of this.#alike(features)) take(chunk, MAX_DICTIONARY_BYTES)
    const byPlace = Math.min(MAX_DICTIONARY_BYTES, bytes + MAX_BYTES_BY_PLACE)
    for (const chunk of this.#samePlace(runs)) take(chunk, byPlace)
    return toRuns([...chosen].toSorted((a, b) => a - b))
  }

  /** Old chunks by how many features they share, the most first. */
  #alike(features: readonly Uint32Array[]): readonly number[] {
    const { table, old } = this.#choice
    const votes = new Map<number, number>()
    for (const own of features) {
      for (const feature of own) {
        const parts = table.find(feature, MOST_PARTS)
        for (const part of parts) votes.set(part, (votes.get(part) ?? 0) + 1 / parts.length)
      }
    }
    const weight = ([chunk, count]: readonly [number, number]): number => count / (old.lengths.at(chunk) ?? 1)
    return [...votes].toSorted((a, b) => weight(b) - weight(a) || a[0] - b[0]).map(([chunk]) => chunk)
  }

  /** Old chunks at the offsets of the group, and the one before and after. */
  #samePlace(runs: readonly ChunkRun[]): readonly number[] {
    const { old, map, places } = this.#choice
    const found: number[] = []
    for (const { first, count } of runs) {
      const start = places.at(first) ?? 0
      const last = first + count - 1
      const end = (places.at(last) ?? 0) + chunkLength(map, last)
      const from = Math.max(0, lowerBound(old.offsets, start) - 2)
      for (let at = from; at < old.offsets.length && (old.offsets.at(at) ?? 0) <= end; at++)
        found.push(old.chunks.at(at) ?? 0)
    }
    return found
  }
}

/** The first index whose value is not below `value`. */
function lowerBound(values: Numbers, value: number): number {
  let [low, high] = [0, values.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((values.at(middle) ?? 0) < value) low = middle + 1
    else high = middle
  }
  return low
}

function toRuns(chunks: readonly number[]): readonly ChunkRun[] {
  const runs: { first: number; count: number }[] = []
  for (const chunk of chunks) {
    const last = runs.at(-1)
    if (last !== undefined && last.first + last.count === chunk) last.count++
    else runs.push({ first: chunk, count: 1 })
  }
  return runs
}
