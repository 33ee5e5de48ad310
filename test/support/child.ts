/** Runs a script of `test/` in a process of its own, to be watched, waited for and killed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

export interface Child {
  /** Resolves with the next line the child prints, or `undefined` when it ended. */
  line(): Promise<string | undefined>
  kill(signal: NodeJS.Signals): Promise<void>
  /** Resolves with the exit code, `null` after a signal. */
  readonly ended: Promise<number | null>
  readonly process: ChildProcess
}

/** `script` is relative to `test/`. The child never outlives the test. */
export function runChild(t: Pick<TestContext, 'after'>, script: string, args: readonly string[]): Child {
  const file = fileURLToPath(new URL(`../${script}`, import.meta.url))
  const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit').then(([code]) => code as number | null)
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  t.after(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return {
    process: child,
    ended,
    async line() {
      const { value, done } = await lines.next()
      return done === true ? undefined : value
    },
    async kill(signal) {
      child.kill(signal)
      await ended
    },
  }
}
