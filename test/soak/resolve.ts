/** Random universes for the resolver, each held against brute force: solutions, their smallness, and every named fact. */
import fc from 'fast-check'
import { checkCase, randomCase } from '../support/random-universe.ts'

export interface ResolveSoak {
  readonly seed: number
  readonly from: number
  readonly cases: number
  /** Milliseconds since the epoch; no further case begins after it. */
  readonly until: number
}

const BATCH = 1000

export async function soakResolve({ seed, from, cases, until }: ResolveSoak): Promise<string> {
  let [solved, refused] = [0, 0]
  for (let at = from; at < from + cases && Date.now() < until; at += BATCH) {
    fc.assert(
      fc.property(randomCase, (one) => {
        if (checkCase(one)) solved++
        else refused++
      }),
      { seed: seed * 1_000_003 + at, numRuns: Math.min(BATCH, from + cases - at) },
    )
  }
  return `Resolver: ${solved + refused} random universes, ${solved} with a solution and ${refused} without, each as brute force says.`
}
