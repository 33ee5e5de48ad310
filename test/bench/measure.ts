/**
 * The one timer of all benchmarks: contenders take turns in every round, so that what else the machine does falls on all
 * of them alike, and the ratio is the median of the rounds' ratios. Also the Markdown that the figures become.
 */
import { spawnSync } from 'node:child_process'

/** Milliseconds of each round, by contender. */
export type Timings<Name extends string> = Readonly<Record<Name, readonly number[]>>

/** Runs every contender once a round, after one round that does not count. A contender may time itself and return ms. */
export async function interleave<Name extends string>(
  rounds: number,
  contenders: Readonly<Record<Name, () => Promise<number | void> | number | void>>,
): Promise<Timings<Name>> {
  const names = Object.keys(contenders) as Name[]
  const timings = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, number[]>
  for (let round = 0; round <= rounds; round++) {
    for (const name of names) {
      const began = performance.now()
      const told = await contenders[name]()
      if (round > 0) timings[name].push(typeof told === 'number' ? told : performance.now() - began)
    }
  }
  return timings
}

/** Runs a program to its end and fails with its own words; what it prints goes through a pipe, as in a script. */
export function runProgram(
  program: string,
  args: readonly string[],
  options: { readonly input?: string; readonly env?: NodeJS.ProcessEnv } = {},
): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    env: process.env,
    ...options,
  })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} exited ${status}\n${stderr}`)
  return stdout
}

export interface Row {
  readonly what: string
  readonly milliseconds: readonly number[]
  /** What it is held against. */
  readonly peer?: { readonly name: string; readonly milliseconds: readonly number[] }
  /** The highest ratio that is good enough. */
  readonly goal?: number
}

export interface Report {
  readonly title: string
  /** What was measured, on what, in one paragraph. */
  readonly about: string
  readonly table: string
}

/** Medians and least values, and the ratio to the peer of the same round. */
export function formatRows(rows: readonly Row[]): string {
  const lines = rows.map(({ what, milliseconds, peer, goal }) => {
    const ratio = peer === undefined ? '' : ratioOf(milliseconds, peer.milliseconds).toFixed(2)
    const against = peer === undefined ? '' : `${peer.name}: ${formatMs(median(peer.milliseconds))}`
    const held = goal === undefined ? '' : `<= ${goal}`
    return [what, formatMs(median(milliseconds)), formatMs(Math.min(...milliseconds)), against, ratio, held]
  })
  return formatTable(['', 'median', 'least', 'against (median)', 'ratio', 'goal'], lines)
}

/** As `formatRows`, with the middle and the slow end of both: for what a person waits for every time. */
export function formatSpread(rows: readonly Row[]): string {
  const spread = (values: readonly number[]): readonly string[] => [
    formatMs(quantile(values, 0.5)),
    formatMs(quantile(values, 0.95)),
  ]
  const lines = rows.map(({ what, milliseconds, peer, goal }) => [
    what,
    ...spread(milliseconds),
    ...(peer === undefined ? ['', '', '', ''] : [peer.name, ...spread(peer.milliseconds)]),
    ...(peer === undefined ? [] : [ratioOf(milliseconds, peer.milliseconds).toFixed(2)]),
    goal === undefined ? '' : `<= ${goal}`,
  ])
  return formatTable(['', 'p50', 'p95', 'against', 'its p50', 'its p95', 'ratio', 'goal'], lines)
}

export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

export function formatMs(milliseconds: number): string {
  return milliseconds >= 1000 ? `${(milliseconds / 1000).toFixed(2)} s` : `${milliseconds.toPrecision(3)} ms`
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** Nearest rank, as in `quantile(values, 0.95)`. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

function ratioOf(values: readonly number[], peers: readonly number[]): number {
  return median(values.map((value, round) => value / (peers[round] ?? Number.NaN)))
}
