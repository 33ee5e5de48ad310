/** Runs test files in one child process that stops at the first failure. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'

export type ProgramResult = 'passed' | 'failed' | 'timed out'

export async function runTests(
  top: string,
  tests: readonly string[],
  env: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<ProgramResult> {
  const hook = join(top, 'test', 'support', 'disable-check.ts')
  const runner = join(top, 'test', 'mutation', 'children', 'run-tests.ts')
  const child = spawn(process.execPath, ['--import', hook, runner, ...tests.map((test) => join(top, test))], {
    cwd: top,
    env: { ...process.env, ...env, NODE_OPTIONS: `--import=${hook}`, VMPKG_TEST_CONTROLS: 'none' },
    stdio: 'ignore',
    detached: true, // a group of its own, so that its children end with it
  })
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    endGroup(child.pid)
  }, timeoutMs)
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  clearTimeout(timer)
  if (timedOut) return 'timed out'
  return status === 0 ? 'passed' : 'failed'
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // it has just ended by itself
  }
}
