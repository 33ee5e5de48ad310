/**
 * Which chunks images have in common. Chunks of all of them go through a database of SQLite that is a file without a name and
 * ends with it: SQLite sorts on disk, so memory does not grow with the images. Test oracle: sets of digests.
 */
import { DatabaseSync } from 'node:sqlite'
import { type ChunkMap, chunkDigest, chunkLength } from '../image/chunk-map.ts'

/** Images by their number, ascending, and bytes of the chunks that just these have; each chunk counts once. */
export interface SharedChunks {
  readonly images: readonly number[]
  readonly bytes: number
}

/** Above every number of a chunk (`MAX_MAP_CHUNKS`). */
const CHUNK_NUMBERS = 2 ** 23

/** A chunk has as many bytes as in the first image that has it. Sets come in the order in which an image first has a chunk of them. */
const SHARED = `
  WITH shared AS (
    -- With min(), SQLite takes the other columns from the row that has it.
    SELECT group_concat(image) AS images, min(image) AS first, number, length
    FROM (SELECT * FROM chunk ORDER BY digest, image) GROUP BY digest HAVING count(*) > 1
  )
  SELECT images, sum(length) AS bytes FROM shared GROUP BY images ORDER BY min(first * ${CHUNK_NUMBERS} + number)`

export class ChunkSets implements Disposable {
  readonly #database = new DatabaseSync('')

  constructor() {
    // Nobody reads it after a crash.
    this.#database.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = FILE')
    this.#database.exec('CREATE TABLE chunk (digest BLOB, image INTEGER, number INTEGER, length INTEGER)')
  }

  /** @param image its number, which no other has */
  add(image: number, map: ChunkMap): void {
    const insert = this.#database.prepare('INSERT INTO chunk VALUES (?, ?, ?, ?)')
    this.#database.exec('BEGIN')
    for (let chunk = 0; chunk < map.chunkCount; chunk++) {
      insert.run(chunkDigest(map, chunk), image, chunk, chunkLength(map, chunk))
    }
    this.#database.exec('COMMIT')
  }

  *shared(): Generator<SharedChunks> {
    for (const { images, bytes } of this.#database.prepare(SHARED).iterate()) {
      yield {
        images: String(images)
          .split(',')
          .map(Number)
          .toSorted((a, b) => a - b),
        bytes: Number(bytes),
      }
    }
  }

  [Symbol.dispose](): void {
    this.#database.close()
  }
}
