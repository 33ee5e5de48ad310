/** The `Processes` port over `node:child_process`, for tests that run real tools. */
import { spawn } from 'node:child_process'
import { VmpkgError } from '../../src/errors.ts'
import type { Processes } from '../../src/ports.ts'

export const spawnedProcesses: Processes = {
  run: (program, args, options = {}) =>
    new Promise((resolve, reject) => {
      const child = spawn(program, args, {
        cwd: options.cwd,
        env: options.env ?? process.env,
        stdio: ['pipe', 'pipe', 'pipe'],
        ...(options.signal === undefined ? {} : { signal: options.signal }),
        ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
      })
      const stdout: Buffer[] = []
      const stderr: Buffer[] = []
      child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
      child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
      child.stdin.on('error', () => {})
      child.on('error', (cause) => {
        const missing = 'code' in cause && cause.code === 'ENOENT'
        reject(new VmpkgError(missing ? 'TOOL_MISSING' : 'ABORTED', `Cannot run ${program}`, { cause }))
      })
      child.on('close', (code) => {
        const text = { stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }
        resolve({ exitCode: code ?? -1, ...text })
      })
      child.stdin.end(options.input)
    }),
}
