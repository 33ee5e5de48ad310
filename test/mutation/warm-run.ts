/** Turns mutants on in a warm child process, which is started anew after one that hangs it. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Outcome } from './report.ts'

export interface WarmResult {
  readonly outcomes: ReadonlyMap<number, Outcome>
  /** Indexes that need a process of their own: they work while the module loads. */
  readonly static: readonly number[]
}

export interface WarmOptions {
  /** By `performance.now()`; what is not tried by then stays without outcome. */
  readonly deadline: number
  /** Of tests for one mutant, as measured without one. */
  readonly budgetMs: number
  readonly tell: (index: number, outcome: Outcome) => void
}

interface Message {
  readonly type: 'ready' | 'loaded' | 'outcome' | 'end'
  readonly static?: readonly number[]
  readonly index?: number
  readonly outcome?: Outcome
  readonly isSound?: boolean
}

/** While the tests are timed, and while a mutant is on: longer than any one test takes. */
const SILENCE_MS = { loading: 180_000, running: 15_000 }

/** `indexes` in order. */
export async function runWarm(
  top: string,
  sources: readonly string[],
  tests: readonly string[],
  indexes: readonly number[],
  { deadline, budgetMs, tell }: WarmOptions,
): Promise<WarmResult> {
  const outcomes = new Map<number, Outcome>()
  let fixed: readonly number[] = []
  while (indexes.some((index) => !outcomes.has(index) && !fixed.includes(index)) && performance.now() < deadline) {
    const left = (): readonly number[] => indexes.filter((index) => !outcomes.has(index) && !fixed.includes(index))
    const before = outcomes.size
    const tested = await runOnce(top, [String(budgetMs), sources.join(), ...tests], left, deadline, (message) => {
      if (message.type === 'loaded') fixed = message.static ?? []
      const { index, outcome } = message
      if (index !== undefined && outcome !== undefined) {
        outcomes.set(index, outcome)
        tell(index, outcome)
      }
      if (message.type === 'outcome' && outcomes.size % 25 === 0) console.error(`${outcomes.size} of ${indexes.length}`)
    })
    const [hanging] = left()
    if (tested === 'silent' && hanging !== undefined) {
      outcomes.set(hanging, 'timed out')
      tell(hanging, 'timed out')
    }
    if (tested === 'broken' && outcomes.size === before)
      throw new Error(`the tests of ${sources.join()} cannot be run warm`)
    if (tested === 'done') break
  }
  return { outcomes, static: fixed.filter((index) => indexes.includes(index)) }
}

async function runOnce(
  top: string,
  args: readonly string[],
  left: () => readonly number[],
  deadline: number,
  use: (message: Message) => void,
): Promise<'done' | 'silent' | 'broken'> {
  const program = join(top, 'test', 'mutation', 'children', 'warm.ts')
  const child = spawn(process.execPath, [program, ...args], {
    cwd: top,
    env: { ...process.env, VMPKG_TEST_CONTROLS: 'none' },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  child.stdin.on('error', () => undefined) // it may have ended
  let isLoaded = false
  let ended: 'done' | 'silent' | 'broken' = 'broken'
  let timer = setTimeout(() => undefined, 0)
  const watch = (): void => {
    clearTimeout(timer)
    timer = setTimeout(
      () => {
        ended = isLoaded ? 'silent' : 'broken'
        child.kill('SIGKILL')
      },
      SILENCE_MS[isLoaded ? 'running' : 'loading'],
    )
  }
  const next = (): void => {
    const [index] = left()
    if (index === undefined || performance.now() > deadline) child.stdin.end()
    else child.stdin.write(`${index}\n`)
  }
  watch()
  for await (const line of createInterface({ input: child.stdout })) {
    watch()
    if (!line.startsWith('{"type":')) continue
    const message = JSON.parse(line) as Message
    use(message)
    if (message.type === 'loaded') isLoaded = true
    if (message.type === 'loaded' || message.type === 'outcome') next()
    if (message.type === 'end') {
      if (message.isSound !== true) console.error('the tests do not pass after all mutants were off again')
      ended = 'done'
    }
  }
  clearTimeout(timer)
  return ended
}
