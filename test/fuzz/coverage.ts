/**
 * Which blocks of `src` ran, by V8's own counters (the inspector's precise coverage): the guidance of the fuzzer. A
 * native fuzzer would bring a compiled part for one platform; this needs nothing but Node.
 */
import { Session } from 'node:inspector'

interface Range {
  readonly startOffset: number
  readonly endOffset: number
  readonly count: number
}

interface Coverage {
  readonly result: readonly {
    readonly url: string
    readonly functions: readonly { readonly ranges: readonly Range[] }[]
  }[]
}

export class CoverageMeter {
  readonly #session = new Session()
  readonly #seen = new Set<string>()

  constructor() {
    this.#session.connect()
    this.#session.post('Profiler.enable')
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  /** Blocks seen so far. */
  get size(): number {
    return this.#seen.size
  }

  /** How many blocks ran since the last call that never ran before. */
  takeNew(): number {
    let found = 0
    this.#session.post('Profiler.takePreciseCoverage', (error, coverage: unknown) => {
      if (error !== null) throw error
      for (const { url, functions } of (coverage as Coverage).result) {
        if (!url.includes('/src/')) continue
        for (const { startOffset, endOffset, count } of functions.flatMap(({ ranges }) => ranges)) {
          // How often, in steps of powers of two: a loop that runs longer is news as well.
          const key = `${url.slice(-40)} ${startOffset} ${endOffset} ${Math.min(8, Math.ceil(Math.log2(count + 1)))}`
          if (count === 0 || this.#seen.has(key)) continue
          this.#seen.add(key)
          found++
        }
      }
    })
    return found
  }

  close(): void {
    this.#session.disconnect()
  }
}
