/**
 * Images that come while something goes wrong: installs in full, upgrades by delta and installs by chunks of another image, each
 * killed up to three times at random bytes or moments, or on a disk that is too small or becomes full at a random byte.
 * `children/image-trouble.ts` runs them.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface ImagesRange {
  readonly seed: number
  readonly from: number
  readonly cases: number
  /** Milliseconds of the epoch at which no further case begins; the first always does. */
  readonly until: number
}

export interface ImageCase {
  readonly number: number
  readonly way: string
  readonly kills: number
  /** How often a full disk was told. */
  readonly refusals: number
  /** Bytes that the server sent until it was done, and that it sends undisturbed. */
  readonly sent: number
  readonly whole: number
}

const CHILD = join(import.meta.dirname, 'children', 'image-trouble.ts')

/** @throws {Error} with the words of the case that met what may not be */
export async function troubleImages(
  range: ImagesRange,
  onCase?: (one: ImageCase) => void,
): Promise<readonly ImageCase[]> {
  const words = [...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']), '--mount']
  const child = spawn('unshare', [...words, process.execPath, CHILD, JSON.stringify(range)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const cases: ImageCase[] = []
  const errors: string[] = []
  createInterface(child.stdout).on('line', (line) => {
    const one = JSON.parse(line) as ImageCase
    cases.push(one)
    onCase?.(one)
  })
  createInterface(child.stderr).on('line', (line) => errors.push(line))
  const { promise, resolve, reject } = Promise.withResolvers<number | null>()
  child.once('error', reject)
  child.once('close', resolve)
  const status = await promise
  if (status !== 0) throw new Error(`image-trouble.ts ended with status ${status}\n${errors.join('\n')}`)
  return cases
}

export async function soakImages(range: ImagesRange): Promise<string> {
  const began = performance.now()
  const cases = await troubleImages(range, ({ number }) => {
    if (number % 20 === 19) console.error(`case ${number}`)
  })
  const seconds = (performance.now() - began) / 1000
  const text = (count: number): string => count.toLocaleString('en')
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
  const rows = [...Map.groupBy(cases, ({ way }) => way)]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([way, of]) => {
      const killed = of.filter(({ kills }) => kills > 0)
      const share = (sum(killed.map(({ sent }) => sent)) / sum(killed.map(({ whole }) => whole))) * 100
      const counts = [of.length, sum(of.map(({ kills }) => kills)), sum(of.map(({ refusals }) => refusals))].map(text)
      return `| ${way} | ${counts.join(' | ')} | ${((of[0]?.whole ?? 0) / 2 ** 20).toFixed(2)} | ${share.toFixed(1)} % |`
    })
  const last = cases.at(-1)?.number ?? range.from - 1
  return `Cases ${text(range.from)} to ${text(last)} of seed ${range.seed} in ${text(Math.round(seconds))} s; the next run goes on with \`--seed ${range.seed} --from ${last + 1}\`.

| way | cases | kills | told that the disk is full | MiB undisturbed | sent where killed, of that |
| --- | ---: | ---: | ---: | ---: | ---: |
${rows.join('\n')}

Corrupt objects, mixes of old and new, files that nobody knows of: 0.`
}
