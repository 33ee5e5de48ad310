/** Whether a case notices a mutant: alone, or where the lines that stand before it are out as well. */
import type { Lab } from './lab.ts'
import { isShared, type LeakCase, type State } from './leak-case.ts'
import type { Mutant } from './mutants.ts'
import type { Change, RouterFiles } from './router-files.ts'
import { type Outcome, runScene } from './scene.ts'

export type Verdict =
  | { readonly kind: 'caught' | 'caught in depth'; readonly by: readonly string[] }
  | { readonly kind: 'survived' }

/** Cases whose acts load rules several times, or wait for init; asked only when the others notice nothing. */
const SLOW = new Set(['A5', 'A8', 'H5', 'N1', 'O4', 'V5', 'V8', 'V9', 'Q5', 'Q8'])

export class MutantRunner {
  readonly #lab: Lab
  readonly #files: RouterFiles
  readonly #rounds: readonly (readonly LeakCase[])[]
  readonly #reloads: readonly LeakCase[]
  readonly #baselines = new Map<string, Promise<Outcome>>()

  constructor(lab: Lab, files: RouterFiles, cases: readonly LeakCase[]) {
    this.#lab = lab
    this.#files = files
    const up = cases.filter((one) => one.states.includes('U') && isShared(one))
    this.#rounds = [up.filter(({ id }) => !SLOW.has(id)), up.filter(({ id }) => SLOW.has(id))]
    this.#reloads = cases.filter(({ states }) => states.length === 1 && states[0] === 'R')
  }

  async run({ change, behind }: Mutant): Promise<Verdict> {
    if (behind.length === 0) {
      for (const cases of this.#rounds.filter(({ length }) => length > 0)) {
        const { failures } = await this.#scene(cases, [change])
        if (failures.size > 0) return { kind: 'caught', by: [...failures.keys()] }
      }
      if (this.#reloads.length === 0) return { kind: 'survived' }
      const { failures } = await this.#scene(this.#reloads, [change], 'R')
      return failures.size > 0 ? { kind: 'caught', by: [...failures.keys()] } : { kind: 'survived' }
    }
    const [cases = []] = this.#rounds
    const key = JSON.stringify(behind)
    const baseline = this.#baselines.get(key) ?? this.#scene(cases, behind)
    this.#baselines.set(key, baseline)
    const { signs: known } = await baseline
    const { signs } = await this.#scene(cases, [change, ...behind])
    const fresh = [...signs].filter((sign) => !known.has(sign)).map((sign) => sign.split(':')[0] ?? sign)
    return fresh.length > 0 ? { kind: 'caught in depth', by: [...new Set(fresh)] } : { kind: 'survived' }
  }

  #scene(cases: readonly LeakCase[], changes: readonly Change[], state: State = 'U'): Promise<Outcome> {
    return runScene(this.#lab, this.#files, { state, cases, changes })
  }
}
