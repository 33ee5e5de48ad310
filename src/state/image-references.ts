/**
 * Who still needs which image: packages, clones, downloads. An image goes when its last holder has gone, on every
 * connection of the root, since the store is shared (threats L04, decisions 25).
 */
import type { DatabaseSync } from 'node:sqlite'
import type { Sha256 } from '../model/digest.ts'
import type { PackageImage } from '../model/line.ts'
import { inTransaction } from '../sqlite.ts'

/** That somebody needs an image. */
export interface ImageHolder {
  /** Key of the connection. */
  readonly connection: string
  readonly holder: string
  readonly image: Sha256
  /** Digest of its chunk map. */
  readonly map: Sha256
}

export class ImageReferences {
  readonly #database: DatabaseSync
  readonly #connection: string

  constructor(database: DatabaseSync, connection: string) {
    this.#database = database
    this.#connection = connection
  }

  /** Sets what a holder needs, as in `package router-uni` or `clone firefox-1`, in place of what it needed before. */
  hold(holder: string, images: readonly Pick<PackageImage, 'digest' | 'map'>[]): void {
    inTransaction(this.#database, () => {
      this.release(holder)
      const insert = this.#database.prepare(
        'INSERT OR IGNORE INTO image_references (connection, holder, image, map) VALUES (?, ?, ?, ?)',
      )
      for (const { digest, map } of images) insert.run(this.#connection, holder, digest, map.sha256)
    })
  }

  release(holder: string): void {
    this.#database
      .prepare('DELETE FROM image_references WHERE connection = ? AND holder = ?')
      .run(this.#connection, holder)
  }

  /** Everybody who holds something on this connection, by name. */
  holders(): readonly string[] {
    return this.#database
      .prepare('SELECT DISTINCT holder FROM image_references WHERE connection = ? ORDER BY holder')
      .all(this.#connection)
      .map((row) => String(row['holder']))
  }

  /** Who holds an image on this connection, by name. */
  holdersOf(image: Sha256): readonly string[] {
    return this.#database
      .prepare('SELECT holder FROM image_references WHERE connection = ? AND image = ? ORDER BY holder')
      .all(this.#connection, image)
      .map((row) => String(row['holder']))
  }

  /** Everybody's needs, over all connections. */
  list(): readonly ImageHolder[] {
    return this.#database
      .prepare('SELECT connection, holder, image, map FROM image_references ORDER BY connection, holder, image')
      .all()
      .map((row) => ({
        connection: String(row['connection']),
        holder: String(row['holder']),
        image: row['image'] as Sha256,
        map: row['map'] as Sha256,
      }))
  }

  /**
   * What must stay, over all connections: hand it to `ImageStore.removeUnreferenced`.
   * @param without holders of this connection that do not count, to see what goes with them
   */
  referenced(without: readonly string[] = []): {
    readonly images: ReadonlySet<Sha256>
    readonly maps: ReadonlySet<Sha256>
  } {
    const rows = this.list().filter((row) => row.connection !== this.#connection || !without.includes(row.holder))
    return {
      images: new Set(rows.map(({ image }) => image)),
      maps: new Set(rows.map(({ map }) => map)),
    }
  }
}
