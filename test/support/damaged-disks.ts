/** File systems with bytes changed at random, as a guest could write them, and what the readers have to do with them. */
import assert from 'node:assert/strict'
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type DiskKind, makeFilesystem, run } from './guest-disk.ts'
import { Random } from './random.ts'
import { openRaw } from './reading-sandbox.ts'

export const DISK_KINDS: readonly DiskKind[] = ['ext', 'xfs', 'btrfs', 'ntfs', 'fat']
const STATES = ['file', 'directory', 'link', 'special', 'absent', 'unreadable'] as const
const HEAD_BYTES = 8 * 1024 ** 2
const PATH = '/notes'

/** The disk that is damaged; its path. */
export function makeOriginal(folder: string, kind: DiskKind): string {
  const file = join(folder, `${kind}-original.raw`)
  makeFilesystem(kind, file, { [PATH]: 'text'.repeat(3000), '/other': 'x' })
  return file
}

/**
 * Reads damaged copies and at last the original in one sandbox. The damage follows from seed and number.
 * @returns how often the file was what
 */
export async function readDamaged(
  original: string,
  { kind, seed, from, cases }: { kind: DiskKind; seed: number; from: number; cases: number },
): Promise<ReadonlyMap<string, number>> {
  const used = usedBytes(original)
  const copies = Array.from({ length: cases }, (_, index) => {
    const file = `${original}.${from + index}`
    run('cp', ['--sparse=always', original, file])
    damage(file, used, new Random(seed * 1_000_003 + from + index))
    return file
  })
  try {
    const begun = performance.now()
    await using open = await openRaw([...copies, original])
    const entries = await open.readers.look(open.places, PATH, { maxSize: 1024 ** 2 })
    for (const place of open.places) if (place !== undefined) await open.readers.of(place.filesystem).list(place, '/')
    assert.ok(performance.now() - begun < 60_000 + cases * 30_000, `${kind} from ${from}`)
    assert.equal(entries.length, cases + 1)
    assert.equal(entries.at(-1)?.state, 'file', `${kind} from ${from}: the last one is not damaged`)
    const counts = new Map<string, number>()
    for (const { state } of entries.slice(0, -1)) {
      assert.ok(STATES.includes(state))
      counts.set(state, (counts.get(state) ?? 0) + 1)
    }
    return counts
  } finally {
    for (const file of copies) rmSync(file)
  }
}

/** Few bytes in most, hundreds in some. */
function damage(file: string, used: readonly number[], random: Random): void {
  const descriptor = openSync(file, 'r+')
  for (let left = 1 + random.below(2 ** (1 + random.below(9))); left > 0; left--) {
    writeSync(descriptor, Buffer.of(random.below(256)), 0, 1, random.pick(used))
  }
  closeSync(descriptor)
}

/** Where metadata is: bytes of the beginning that are not zero. */
function usedBytes(file: string): readonly number[] {
  const descriptor = openSync(file, 'r')
  const bytes = Buffer.alloc(HEAD_BYTES)
  const length = readSync(descriptor, bytes, 0, HEAD_BYTES, 0)
  closeSync(descriptor)
  const used: number[] = []
  for (let at = 0; at < length; at++) if (bytes[at] !== 0) used.push(at)
  return used
}
