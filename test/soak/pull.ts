/**
 * Downloads that are killed: `vmpkg download` of a package with a large image from a local server, ended by SIGKILL at a
 * random byte, up to three times, then run again to its end. What the server sent is compared with what undisturbed downloads cost, and every
 * object in the store with its digest.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { type Cli, makeCli } from '../support/cli.ts'
import { startCountingServer } from '../support/counting-server.ts'
import { noise } from '../support/disk-image.ts'
import { fixedClock } from '../support/fixed-clock.ts'
import { Random } from '../support/random.ts'
import { buildRegistry } from '../support/registry-builder.ts'

export interface PullRange {
  readonly seed: number
  readonly from: number
  readonly cases: number
  /** Milliseconds of the epoch at which no further case begins; one is tried in any case. */
  readonly until: number
}

export interface PullFigures {
  readonly kills: number
  /** Finished, after up to three kills each. */
  readonly downloads: number
  /** Bytes of one undisturbed download. */
  readonly wholeBytes: number
  /** Bytes that the server sent for all of them. */
  readonly sentBytes: number
  /** Objects under their final names that are not what the name says, seen after a kill or at the end. */
  readonly corrupt: number
  readonly seconds: number
}

/**
 * Each kill loses what is on its way: up to 128 KiB on the line of the counting server and about 200 KiB in buffers of
 * the process where it is slower than the line. An image is small for a virtual machine and large beside that.
 */
const IMAGE_BYTES = 128 * 1024 * 1024
const KILLS_PER_DOWNLOAD = 3

export async function pullAndKill(
  { seed, from, cases, until }: PullRange,
  onDownload?: (figures: Omit<PullFigures, 'seconds'>) => void,
): Promise<PullFigures> {
  const image = noise(`pull ${seed}`, IMAGE_BYTES)
  await using registry = await buildRegistry({
    clock: fixedClock(new Date()),
    packages: [{ name: 'app-large', images: { disk: image } }],
  })
  await using server = await startCountingServer(registry.folder)
  const cli = await makeCli('test:///default')
  try {
    const root = join(registry.folder, 'root', '1.json')
    await cli.ok(['source', 'add', 'test', server.base.href, '--root-file', root])
    await cli.ok(['update'])
    const began = performance.now()
    const wholeBytes = await pull(cli, server)
    let [kills, downloads, sentBytes, corrupt] = [0, 0, 0, 0]
    for (let number = from; number < from + cases && (downloads === 0 || Date.now() < until); ) {
      await clear(cli)
      const before = server.sentBytes
      for (let turn = 0; turn < KILLS_PER_DOWNLOAD; turn++, number++) {
        const random = new Random(seed * 1_000_003 + number)
        // Of what is left, and now and then so little that nothing has been written yet.
        const left = wholeBytes - (server.sentBytes - before)
        const at = server.sentBytes + random.below(Math.floor((left * 2) / (KILLS_PER_DOWNLOAD - turn + 1)))
        const run = cli.start(['download', 'app-large'], '')
        server.onPiece = (sent) => {
          if (sent >= at) run.kill('SIGKILL')
          return sent >= at
        }
        const { status } = await run.done
        server.onPiece = undefined
        if (status === 0) break
        kills++
        corrupt += await countCorrupt(cli)
      }
      await cli.ok(['download', 'app-large'])
      downloads++
      sentBytes += server.sentBytes - before
      corrupt += await countCorrupt(cli)
      onDownload?.({ kills, downloads, wholeBytes, sentBytes, corrupt })
    }
    return { kills, downloads, wholeBytes, sentBytes, corrupt, seconds: (performance.now() - began) / 1000 }
  } finally {
    await cli.close()
  }
}

async function pull(cli: Cli, server: { readonly sentBytes: number }): Promise<number> {
  const before = server.sentBytes
  await cli.ok(['download', 'app-large'])
  return server.sentBytes - before
}

const stores = (cli: Cli): readonly string[] =>
  ['images', 'packages'].map((name) => join(cli.folder, 'root', 'var', 'lib', 'vmpkg', name))

async function clear(cli: Cli): Promise<void> {
  for (const store of stores(cli))
    for (const name of await readdir(store)) await rm(join(store, name), { recursive: true })
}

/** Looks at what has its final name, and at what vmpkg itself found damaged. */
async function countCorrupt(cli: Cli): Promise<number> {
  let corrupt = 0
  for (const store of stores(cli)) {
    for (const name of await readdir(store)) {
      if (name === 'quarantine') corrupt += (await readdir(join(store, name))).length
      if (!/^[0-9a-f]{64}(?:\.vmpkg)?$/.test(name)) continue
      const hash = createHash('sha256')
      await pipeline(createReadStream(join(store, name)), hash)
      if (hash.digest('hex') !== name.slice(0, 64)) corrupt++
    }
  }
  return corrupt
}

export async function soakPull(range: PullRange): Promise<string> {
  const figures = await pullAndKill(range, ({ kills, downloads, wholeBytes, sentBytes, corrupt }) => {
    if (downloads % 10 === 0)
      console.error(`${kills} kills, ${shareOf({ downloads, wholeBytes, sentBytes }).toFixed(2)} %, ${corrupt} corrupt`)
  })
  const { kills, downloads, wholeBytes, corrupt, seconds } = figures
  const share = shareOf(figures)
  if (corrupt > 0 || share > 102) throw new Error(`outside the bounds: ${JSON.stringify(figures)}`)
  const text = (number: number): string => number.toLocaleString('en')
  const next = `--seed ${range.seed} --from ${range.from + kills}`
  return `${text(kills)} kills from case ${range.from} of seed ${range.seed}, in ${text(downloads)} downloads and ${text(Math.round(seconds))} s; the next run goes on with \`${next}\`.

One undisturbed download moves ${(wholeBytes / 2 ** 20).toFixed(1)} MiB. All together the server sent ${share.toFixed(2)} % of ${text(downloads)} such downloads. Corrupt objects: ${corrupt}.`
}

/** What was sent, in percent of as many undisturbed downloads. */
export function shareOf({
  downloads,
  wholeBytes,
  sentBytes,
}: Pick<PullFigures, 'downloads' | 'wholeBytes' | 'sentBytes'>): number {
  return (sentBytes / (downloads * wholeBytes)) * 100
}
