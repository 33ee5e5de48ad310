/**
 * What the largest images take of memory, in processes of their own that begin as `vmpkg` does: their maps and indexes made,
 * read, and the first of their frames fetched by four threads, also beside another image of that size. See `image-large.ts`.
 * The images have to fit: an xfs of 24 TiB in a sparse file in memory, in a mount namespace, so it needs root.
 */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatTable, type Report, runProgram } from './measure.ts'

const CHILD = join(import.meta.dirname, 'image-large.ts')
/** TiB of data; 16 is the most that an image may have. */
const SIZES = [2, 16]
const MIB = 2 ** 20
/** As the first line of `src/bin.ts` has it. */
const START = ['env', 'MALLOC_MMAP_THRESHOLD_=131072', process.execPath, CHILD]
const VOLUME =
  'mount -t tmpfs -o size=8G vmpkg-bench "$1" && truncate -s 24T "$1/xfs" && mkfs.xfs -q -K -l size=64m "$1/xfs" && ' +
  'mkdir "$1/volume" && mount -o loop "$1/xfs" "$1/volume" && shift && exec "$@"'

interface Took {
  readonly seconds: number
  readonly peakMib: number
  readonly chunks: number
  readonly frames: number
  readonly mapBytes: number
  readonly indexBytes: number
}

export async function measureImageMemory(): Promise<Report> {
  // A folder that keeps what takes longest, for the next run.
  const kept = process.env['VMPKG_BENCH_LARGE']
  const folder = kept ?? (await mkdtemp(join(tmpdir(), 'vmpkg-bench-')))
  try {
    await mkdir(join(folder, 'mount'), { recursive: true })
    const rows = SIZES.map((tib) => measureSize(folder, tib))
    const header = [
      'TiB',
      'chunks',
      'frames',
      'map and index, MiB',
      'made, peak MiB',
      'read, peak MiB',
      'fetched, peak MiB',
      'beside another, peak MiB',
    ]
    return {
      title: 'Memory for the largest images',
      about:
        'Chunks of 3.25 MiB, frames of 6.5 MiB. Made: chunk map and transport index by the publisher’s own code, without the data. Read: ' +
        'both from their files, as `repo verify`, `gc`, `mirror` and `push` and `bundle export` do. Fetched: into the store by four ' +
        'threads, until 256 frames have come and the source ends; beside another: where an image of that size lies in the store whose every chunk is looked for. Run from source, whose types Node ' +
        'strips, which takes some 50 MiB.',
      table: formatTable(header, rows),
    }
  } finally {
    await rm(kept === undefined ? folder : join(folder, 'mount'), { recursive: true, force: true })
  }
}

function measureSize(folder: string, tib: number): readonly string[] {
  const place = join(folder, String(tib))
  const made = make(place, tib)
  make(join(place, 'other'), tib)
  const read = took(runProgram(START[0] ?? '', [...START.slice(1), 'verify', place]))
  const fetched = onVolume(folder, 'fetch', place)
  const beside = onVolume(folder, 'alike', place)
  const { chunks, frames, mapBytes, indexBytes } = read
  return [
    String(tib),
    String(chunks),
    String(frames),
    ((mapBytes + indexBytes) / MIB).toFixed(0),
    ...[made, read, fetched, beside].map((one) => one?.peakMib.toFixed(0) ?? ''),
  ]
}

/** Nothing where an earlier run did. */
function make(place: string, tib: number): Took | undefined {
  if (existsSync(join(place, 'facts.json'))) return undefined
  return took(runProgram(START[0] ?? '', [...START.slice(1), 'make', place, String(tib)]))
}

function onVolume(folder: string, mode: string, place: string): Took {
  const mount = join(folder, 'mount')
  const inside = ['sh', '-c', VOLUME, 'sh', mount, ...START, mode, place, join(mount, 'volume', 'store')]
  return took(runProgram('unshare', ['--mount', ...inside]))
}

function took(text: string): Took {
  return JSON.parse(text.trim().split('\n').at(-1) ?? '') as Took
}
