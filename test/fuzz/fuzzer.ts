/**
 * Coverage-guided mutation of one target: inputs that reach a block that none reached before join the corpus. Findings
 * are inputs that end in anything but a value or a `VmpkgError`, or take longer than any honest input could.
 */
import { isVmpkgError } from '../../src/errors.ts'
import { Random } from '../support/random.ts'
import type { CoverageMeter } from './coverage.ts'
import { mutate } from './mutate.ts'
import type { Target } from './targets.ts'

export interface Finding {
  readonly target: string
  readonly problem: string
  readonly input: Uint8Array
}

export interface Outcome {
  readonly target: string
  readonly runs: number
  readonly accepted: number
  readonly corpus: number
  readonly findings: readonly Finding[]
  /** Milliseconds of the slowest input. */
  readonly slowestMs: number
}

/** Asking for the counters costs as much as some hundred small inputs. */
const BATCH = 64
/** What a parser may take for 256 KiB; honest inputs take a hundredth. */
const MAX_MS = 4000
const MAX_FINDINGS = 5
/** What other inputs of a batch were asked again for, at most. */
const MAX_CORPUS = 2000

export async function fuzzTarget(
  target: Target,
  { meter, seed, until }: { readonly meter: CoverageMeter; readonly seed: number; readonly until: number },
): Promise<Outcome> {
  const random = new Random(seed)
  const corpus: Uint8Array[] = [...target.seeds]
  const findings: Finding[] = []
  let [runs, accepted, slowestMs] = [0, 0, 0]
  const tryOne = async (input: Uint8Array): Promise<void> => {
    const before = performance.now()
    const problem = await problemOf(target, input)
    const took = performance.now() - before
    runs++
    slowestMs = Math.max(slowestMs, took)
    if (problem === undefined) accepted++
    else if (problem !== '') findings.push({ target: target.name, problem, input })
    else if (took > MAX_MS) findings.push({ target: target.name, problem: `took ${took} ms`, input })
  }
  for (const input of corpus) await tryOne(input)
  meter.takeNew()
  while (Date.now() < until && findings.length < MAX_FINDINGS) {
    const batch = Array.from({ length: BATCH }, () => {
      // Newer inputs reach deeper.
      const at = Math.max(random.below(corpus.length), random.below(corpus.length))
      return mutate(random, corpus[at] ?? Buffer.alloc(0), corpus, target.words)
    })
    for (const input of batch) await tryOne(input)
    if (meter.takeNew() === 0) continue
    // Something in the batch was new, but its blocks are known now: the whole batch may be worth going on from.
    if (corpus.length < MAX_CORPUS) corpus.push(...batch.filter(() => random.chance(0.25)))
  }
  return { target: target.name, runs, accepted, corpus: corpus.length, findings, slowestMs }
}

/** `undefined`: accepted; `''`: refused as it should be; else what went wrong. */
export async function problemOf({ run }: Pick<Target, 'run'>, input: Uint8Array): Promise<string | undefined> {
  try {
    await run(input)
    return undefined
  } catch (error) {
    if (isVmpkgError(error) && error.code !== 'INTERNAL') return ''
    return error instanceof Error ? (error.stack ?? error.message) : String(error)
  }
}
