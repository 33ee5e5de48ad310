/**
 * Which mirrors have failed lately. A fault weighs by its kind and halves every ten minutes, so that a bad mirror is asked
 * last for a while and comes back by itself. Kept in a small file of the cache: losing it loses nothing but time.
 *
 * Source: threats M11, M14. Test oracle: a clock that is set by hand.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { sha256 } from '../model/digest.ts'
import type { Clock } from '../ports.ts'

export type Fault =
  /** Its bytes were not the signed ones, or its metadata did not verify. */
  | 'wrong-bytes'
  | 'stalled'
  /** No answer, a broken line, a busy server. */
  | 'failed'
  /** It lacks a file that the registry names: it is not in step yet. */
  | 'missing'

export interface Penalties {
  /** 0 for a mirror in good standing; the higher, the later it is asked. */
  weightOf(base: URL): number
  blame(base: URL, fault: Fault): void
}

const WEIGHTS: Readonly<Record<Fault, number>> = { 'wrong-bytes': 16, stalled: 4, failed: 2, missing: 1 }
const MOST = 64
const HALF_LIFE_MS = 10 * 60 * 1000
/** Below this a fault is forgiven. */
const FORGIVEN = 0.5
/** Mirrors remembered; the lightest go first. */
const MAX_ENTRIES = 200

interface Entry {
  readonly weight: number
  /** Milliseconds of the epoch. */
  readonly at: number
}

export const noPenalties: Penalties = { weightOf: () => 0, blame: () => {} }

/** @param path of the file; its folder must exist once there is something to blame. */
export function filePenalties(path: string, clock: Clock): Penalties {
  return {
    weightOf: (base) => decayed(read(path).get(keyOf(base)), clock.now().getTime()),
    blame: (base, fault) => {
      const now = clock.now().getTime()
      const entries = read(path)
      const weight = Math.min(MOST, decayed(entries.get(keyOf(base)), now) + WEIGHTS[fault])
      entries.set(keyOf(base), { weight, at: now })
      write(path, entries, now)
    },
  }
}

/** No address and no credentials stand in the file. */
function keyOf({ host, pathname, protocol }: URL): string {
  return sha256(`${protocol}//${host}${pathname}`).slice(0, 16)
}

function decayed(entry: Entry | undefined, now: number): number {
  if (entry === undefined) return 0
  const age = Math.max(0, now - entry.at) // a clock that was set back keeps the penalty as it is
  const weight = entry.weight / 2 ** (age / HALF_LIFE_MS)
  return weight < FORGIVEN ? 0 : weight
}

/** Whatever is not as we write it counts as nothing known. */
function read(path: string): Map<string, Entry> {
  try {
    const found = JSON.parse(readFileSync(path, 'utf8')) as Readonly<Record<string, unknown>>
    return new Map(Object.entries(found).filter((pair): pair is [string, Entry] => isEntry(pair[1])))
  } catch {
    return new Map() // also where it holds `null`, which has no entries
  }
}

function isEntry(value: unknown): value is Entry {
  const { weight, at } = (value ?? {}) as Partial<Record<string, unknown>>
  return [weight, at].every((number) => Number.isFinite(number))
}

function write(path: string, entries: ReadonlyMap<string, Entry>, now: number): void {
  const kept = [...entries]
    .filter(([, entry]) => decayed(entry, now) > 0)
    .toSorted(([, a], [, b]) => decayed(b, now) - decayed(a, now))
    .slice(0, MAX_ENTRIES)
  const temporary = `${path}.${process.pid}.tmp`
  try {
    writeFileSync(temporary, JSON.stringify(Object.fromEntries(kept)), { mode: 0o600 })
    renameSync(temporary, path)
  } catch {
    // A full or read-only cache is no reason to fail a download: the mirror is then asked in its usual place.
  }
}
