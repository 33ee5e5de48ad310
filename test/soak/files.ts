/** Damaged file systems, read as `file history` reads them: each answered or refused, in bounded time, the next one too. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DISK_KINDS, makeOriginal, readDamaged } from '../support/damaged-disks.ts'

export interface FilesSoak {
  readonly seed: number
  readonly from: number
  readonly cases: number
  /** Milliseconds since the epoch; no further case begins after it. */
  readonly until: number
}

const BATCH = 20

export async function soakFiles({ seed, from, cases, until }: FilesSoak): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-damaged-'))
  const counts = new Map<string, Map<string, number>>()
  let done = 0
  try {
    const originals = new Map(DISK_KINDS.map((kind) => [kind, makeOriginal(folder, kind)]))
    while (done < cases && Date.now() < until) {
      for (const kind of DISK_KINDS) {
        const batch = { kind, seed, from: from + done, cases: BATCH }
        const found = await readDamaged(originals.get(kind) ?? '', batch)
        const sums = counts.get(kind) ?? new Map<string, number>()
        for (const [state, count] of found) sums.set(state, (sums.get(state) ?? 0) + count)
        counts.set(kind, sums)
      }
      done += BATCH
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  const states = ['file', 'absent', 'unreadable', 'directory', 'link', 'special']
  const rows = [...counts].map(
    ([kind, sums]) => `| ${kind} | ${states.map((state) => sums.get(state) ?? 0).join(' | ')} |`,
  )
  return [
    `Cases ${from} to ${from + done - 1} of seed ${seed} for each file system; the next run goes on with \`--seed ${seed} --from ${from + done}\`.`,
    'After each 20 the undamaged disk was read in the same sandbox, and was whole.',
    [`| file system | ${states.join(' | ')} |`, `| --- |${' ---: |'.repeat(states.length)}`, ...rows].join('\n'),
  ].join('\n\n')
}
