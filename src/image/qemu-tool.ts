/**
 * Runs QEMU's tools on files that may be hostile: with limits and, where the host allows it, in namespaces without network
 * (threats A05, A07 to A09). What they say is turned into codes.
 *
 * Source: qemu-img(1), qemu-io(1), prlimit(1), unshare(1).
 */
import { stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { VmpkgError } from '../errors.ts'
import type { Processes, RunResult } from '../ports.ts'

export interface ToolOptions {
  readonly processes: Processes
  readonly signal?: AbortSignal | undefined
  /** The file that it is about, for messages and for the rights that are needed. */
  readonly file: string
  /** Bytes that a file may get which the tool writes. */
  readonly maxFileBytes: number
  /** Of the disk: the larger it is, the longer the tool may compute. */
  readonly diskBytes?: number | undefined
  readonly input?: Readable | undefined
  readonly onOutput?: ((text: string) => void) | undefined
  readonly cwd?: string | undefined
  /** A server, which a `kill -9` of this process must not leave behind. */
  readonly diesWithUs?: boolean
  /** Files that the tool opens, for a long chain. */
  readonly openFiles?: number | undefined
}

const TOOL_MEMORY = 2 * 2 ** 30
const CPU_SECONDS = 3600
/** The slowest compression on the slowest processor. */
const BYTES_PER_CPU_SECOND = 2 ** 20
const ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C.UTF-8' }

export type Tool = 'qemu-img' | 'qemu-io' | 'qemu-nbd' | 'fallocate'

const PACKAGES: Readonly<Record<Tool, string>> = {
  'qemu-img': 'qemu-utils',
  'qemu-io': 'qemu-utils',
  'qemu-nbd': 'qemu-utils',
  fallocate: 'util-linux',
}

/** Whatever the exit status is. @throws {VmpkgError} `TOOL_MISSING` `ABORTED` */
export async function runTool(tool: Tool, args: readonly string[], options: ToolOptions): Promise<RunResult> {
  const { processes, signal, file, maxFileBytes, diskBytes = 0, input, onOutput, cwd } = options
  const { openFiles = 0, diesWithUs = false } = options
  const limits = [
    `--fsize=${maxFileBytes}`,
    `--as=${TOOL_MEMORY}`,
    `--cpu=${CPU_SECONDS + Math.ceil(diskBytes / BYTES_PER_CPU_SECOND)}`,
    `--nofile=${64 + openFiles}`,
    '--core=0',
    '--',
    ...(diesWithUs ? ['setpriv', '--pdeathsig', 'KILL'] : []),
    tool,
  ]
  const shared = { env: ENVIRONMENT, ...(signal === undefined ? {} : { signal }) }
  const run = {
    ...shared,
    ...(input === undefined ? {} : { input }),
    ...(onOutput === undefined ? {} : { onOutput }),
    ...(cwd === undefined ? {} : { cwd }),
  }
  // In a user namespace root has no rights over files of others, as those of running guests are.
  const isOwn = (await stat(file).catch(() => undefined))?.uid === process.geteuid?.()
  const isRoot = process.geteuid?.() === 0
  const apart = [...(isRoot && !isOwn ? [] : ['--user', '--map-current-user']), '--net', '--ipc', '--']
  // Some hosts forbid user namespaces; the checks before this hold without them.
  const canBeApart = (await processes.run('unshare', [...apart, 'true'], shared)).exitCode === 0
  const result = canBeApart
    ? await processes.run('unshare', [...apart, 'prlimit', ...limits, ...args], run)
    : await processes.run('prlimit', [...limits, ...args], run)
  // As shells say it, and those that run a program in their own place: it is not there, or may not be run.
  const { exitCode } = result
  if (exitCode !== 126 && exitCode !== 127) return result
  const trouble = exitCode === 127 ? 'is not there' : 'cannot be run'
  throw new VmpkgError('TOOL_MISSING', `The program ${tool} ${trouble}`, {
    hint: `Install it with: apt install ${PACKAGES[tool]}`,
  })
}

/** Runs and fails with the tool's own words. @throws {VmpkgError} `IMAGE_IN_USE` `NO_SPACE` `IMAGE_INVALID`, as `runTool` */
export async function needTool(tool: Tool, args: readonly string[], options: ToolOptions): Promise<RunResult> {
  const result = await runTool(tool, args, options)
  if (result.exitCode === 0) return result
  throw explainFailure(tool, options.file, result)
}

export function explainFailure(tool: Tool, file: string, { exitCode, stdout, stderr }: RunResult): VmpkgError {
  const name = JSON.stringify(file)
  const words = (stderr.trim() === '' ? stdout : stderr).trim()
  if (/Is another process using the image|Failed to (?:get|lock)/.test(words)) {
    return new VmpkgError('IMAGE_IN_USE', `Another process has the image ${name} open`, {
      hint: 'Stop the machine or the program that uses it, and run the command again.',
      details: { file },
    })
  }
  if (/No space left on device|Disk quota exceeded/.test(words)) {
    return new VmpkgError('NO_SPACE', `The disk became full while ${tool} was at work on ${name}`, {
      hint: 'Nothing was changed. Free some space, or write to another disk.',
    })
  }
  return new VmpkgError('IMAGE_INVALID', `${tool} cannot work on ${name}: ${lastLine(words)}`, {
    hint: 'It is damaged, or not of the format that was declared.',
    details: { exitCode },
  })
}

function lastLine(text: string): string {
  return JSON.stringify(text.split('\n').at(-1)?.slice(-300) ?? '')
}

/** Turns what `-p` prints into events: `(12.50/100%)`. */
export function percentReader(report: (share: number) => void): (text: string) => void {
  return (text) => {
    const last = [...text.matchAll(/\((\d{1,3}\.\d{2})\/100%\)/g)].at(-1)?.[1]
    if (last !== undefined) report(Math.min(1, Number(last) / 100))
  }
}
