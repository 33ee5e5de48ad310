/** The `Processes` port by `execa`, as agreed: no shell, bounded output, and a hint which Debian package has the program. */
import { execa } from 'execa'
import { systemErrorCode, VmpkgError } from '../errors.ts'
import type { Processes, RunOptions } from '../ports.ts'
import { debianPackages } from './debian-packages.ts'

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024

export const systemProcesses: Processes = {
  async run(program, args, { cwd, env, input, onOutput, output, signal, timeoutMs } = {}) {
    const child = execa(program, args, {
      reject: false,
      stripFinalNewline: false,
      maxBuffer: MAX_OUTPUT_BYTES,
      ...(output !== undefined && { buffer: { stdout: false } }),
      ...(input === undefined ? { stdin: 'ignore' } : { input }),
      ...(cwd !== undefined && { cwd }),
      ...(env !== undefined && { env, extendEnv: false }),
      ...(signal && { cancelSignal: signal }),
      ...(timeoutMs !== undefined && { timeout: timeoutMs }),
    })
    if (onOutput !== undefined) child.stdout?.setEncoding('utf8').on('data', onOutput)
    const [result] = await Promise.all([child, output === undefined ? undefined : hand(child, output)])
    if (result.isCanceled) throw new VmpkgError('ABORTED', `${program} was interrupted`, { cause: result })
    const code = systemErrorCode(result.cause)
    if (result.exitCode === undefined && (code === 'ENOENT' || code === 'EACCES')) throw missing(program, result)
    // As a shell reports it: 124 after a timeout, 128 and more after a signal.
    const exitCode = result.exitCode ?? (result.timedOut ? 124 : 137)
    return { exitCode, stdout: result.stdout ?? '', stderr: result.stderr }
  },
}

interface Running {
  readonly stdout: AsyncIterable<Uint8Array> | null
  kill(signal: 'SIGKILL'): boolean
}

async function hand(child: Running, output: NonNullable<RunOptions['output']>): Promise<void> {
  try {
    if (child.stdout !== null) await output(child.stdout)
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
}

function missing(program: string, cause: unknown): VmpkgError {
  const debianPackage = debianPackages[program.slice(program.lastIndexOf('/') + 1)]
  return new VmpkgError('TOOL_MISSING', `The program ${program} is not there`, {
    hint: debianPackage === undefined ? 'Install it.' : `Install it with: apt install ${debianPackage}`,
    cause,
    details: { program, ...(debianPackage !== undefined && { debianPackage }) },
  })
}
