/**
 * Which process a number means. Numbers are used again, so a process is named by its number together with the clock
 * tick at which it started, and by the boot in which that tick counts.
 *
 * Source: proc(5), `/proc/PID/stat` fields 1 (pid), 3 (state) and 22 (start time).
 */
import { readFile } from 'node:fs/promises'

export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks since boot. */
  readonly startTime: number
}

export interface ProcessStat extends ProcessIdentity {
  /** One letter; `Z` and `X` are dead. */
  readonly state: string
}

/** `undefined` for anything but a line of `/proc/PID/stat`. The command name may hold blanks and brackets. */
export function parseProcessStat(line: string): ProcessStat | undefined {
  const open = line.indexOf(' (')
  const close = line.lastIndexOf(') ')
  if (open === -1 || close < open) return undefined
  const pid = Number(line.slice(0, open))
  const rest = line
    .slice(close + 2)
    .trim()
    .split(' ') // rest[0] is field 3
  const startTime = Number(rest[19])
  const state = rest[0] ?? ''
  if (!Number.isSafeInteger(pid) || pid < 1 || !Number.isSafeInteger(startTime) || !/^[A-Za-z]$/.test(state)) {
    return undefined
  }
  return { pid, startTime, state }
}

/** True while exactly this process lives; false for a zombie and for another process under its number. */
export async function isProcessAlive(identity: ProcessIdentity): Promise<boolean> {
  const text = await readFile(`/proc/${identity.pid}/stat`, 'utf8').catch(() => '')
  const stat = parseProcessStat(text)
  return stat !== undefined && stat.startTime === identity.startTime && stat.state !== 'Z' && stat.state !== 'X'
}

/** The kernel's random name of this boot. */
export async function readBootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
}
