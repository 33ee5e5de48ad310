/** The `Processes` port for tests: real programs, no shell. */
import { spawn } from 'node:child_process'
import { Readable } from 'node:stream'
import { VmpkgError } from '../../src/errors.ts'
import type { Processes, RunOptions, RunResult } from '../../src/ports.ts'

export const realProcesses: Processes = {
  run(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return new Promise((resolve, reject) => {
      const child = spawn(program, args, {
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
        ...(options.env === undefined ? {} : { env: options.env }),
        ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs, killSignal: 'SIGKILL' as const }),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      })
      let stdout = ''
      let stderr = ''
      const taken = options.output?.(child.stdout).catch((error: unknown) => {
        child.kill('SIGKILL')
        reject(error)
      })
      if (taken === undefined)
        child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
          stdout += chunk
          options.onOutput?.(chunk)
        })
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
      child.stdin.on('error', () => {}) // a program may end without reading its input
      if (options.input instanceof Readable) options.input.pipe(child.stdin)
      else child.stdin.end(options.input)
      child.on('error', (cause: NodeJS.ErrnoException) => {
        const code = cause.code === 'ENOENT' ? 'TOOL_MISSING' : 'ABORTED'
        reject(new VmpkgError(code, `Cannot run ${program}`, { cause }))
      })
      child.on('close', (exitCode) => {
        void Promise.resolve(taken).then(() => resolve({ exitCode: exitCode ?? -1, stdout, stderr }))
      })
    })
  },
}
