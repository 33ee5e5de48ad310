/**
 * Running one build tool: fixed locale, time zone and search path, so that neither the user's settings nor the day
 * change a byte of what comes out; a failure carries the end of what the tool said.
 */
import { VmpkgError } from '../errors.ts'
import type { Processes, RunResult } from '../ports.ts'

const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const TAIL_LINES = 15

/** What every step of one build shares. */
export interface BuildTools {
  readonly processes: Processes
  readonly signal?: AbortSignal
  /** Seconds since 1970. */
  readonly epoch: number
  /** Further environment for programs that reach the mirror, such as `http_proxy`. */
  readonly environment?: Readonly<Record<string, string>>
}

/**
 * Runs a program to its successful end.
 * @throws {VmpkgError} `TOOL_MISSING`, `BUILD_FAILED`, `ABORTED`
 */
export async function runTool(
  tools: BuildTools,
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly input?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<RunResult> {
  const { env, ...rest } = options
  const result = await tools.processes.run(program, args, {
    ...rest,
    env: { PATH: SEARCH_PATH, LC_ALL: 'C.UTF-8', TZ: 'UTC', SOURCE_DATE_EPOCH: String(tools.epoch), ...env },
    ...(tools.signal === undefined ? {} : { signal: tools.signal }),
  })
  if (result.exitCode !== 0) {
    throw new VmpkgError('BUILD_FAILED', `${program} failed with status ${result.exitCode}: ${tail(result)}`, {
      hint: 'Read the last lines of the program above; the build folder is left as it was.',
      details: { program, exitCode: result.exitCode },
    })
  }
  return result
}

function tail(result: RunResult): string {
  const lines = `${result.stdout}\n${result.stderr}`.split('\n').filter((line) => line.trim() !== '')
  return JSON.stringify(lines.slice(-TAIL_LINES).join('\n').slice(-2000))
}
