/**
 * The internal snapshots that a qcow2 file lists. Pure; the bytes may be hostile, so a table that does not fit gives none
 * of its further rows.
 *
 * Source: QEMU docs/interop/qcow2.rst, "Snapshots". Test oracle: `qemu-img snapshot -l`.
 */

export interface InternalSnapshot {
  /** QEMU's own number, as text. */
  readonly id: string
  readonly name: string
  readonly time: Date
}

/** Where the table is and how many rows it has: two fields of the header. */
export function snapshotTable(header: Buffer): { readonly count: number; readonly offset: number } {
  if (header.length < 72) return { count: 0, offset: 0 }
  return { count: Math.min(header.readUInt32BE(60), MAX_SNAPSHOTS), offset: Number(header.readBigUInt64BE(64)) }
}

const MAX_SNAPSHOTS = 1024
const ROW = 40
/** Enough for every row with a name and extra data of usual length. */
export const SNAPSHOT_TABLE_BYTES = 256 * 1024

export function parseSnapshots(table: Buffer, count: number): readonly InternalSnapshot[] {
  const found: InternalSnapshot[] = []
  let at = 0
  for (let row = 0; row < count && at + ROW <= table.length; row++) {
    const [idLength, nameLength] = [table.readUInt16BE(at + 12), table.readUInt16BE(at + 14)]
    const seconds = table.readUInt32BE(at + 16)
    const nanoseconds = table.readUInt32BE(at + 20)
    const start = at + ROW + table.readUInt32BE(at + 36)
    const end = start + idLength + nameLength
    if (end > table.length) break
    found.push({
      id: table.toString('utf8', start, start + idLength),
      name: table.toString('utf8', start + idLength, end),
      time: new Date(seconds * 1000 + Math.trunc(nanoseconds / 1_000_000)),
    })
    at = Math.ceil(end / 8) * 8
  }
  return found
}
