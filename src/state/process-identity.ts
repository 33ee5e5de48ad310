/**
 * Names a process so that it is not mistaken for a later one with the same number: pid, start time and boot.
 * Source: proc(5), fields 1 and 22 of `stat`.
 */
import { readFileSync } from 'node:fs'

export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks from boot to the start of the process. */
  readonly startTicks: number
  readonly bootId: string
}

/** The process that calls. */
export function readOwnIdentity(): ProcessIdentity {
  const identity = findIdentity('self')
  if (identity === undefined) throw new Error('/proc is not mounted')
  return identity
}

/** True while exactly that process lives; a zombie does not. */
export function isAlive(identity: ProcessIdentity): boolean {
  const found = findIdentity(String(identity.pid))
  return found !== undefined && found.startTicks === identity.startTicks && found.bootId === identity.bootId
}

function findIdentity(pid: string): ProcessIdentity | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined
  }
  // The program's name stands in parentheses and may hold any byte, further parentheses included.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined
  const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return { pid: Number.parseInt(stat, 10), startTicks: Number(fields[19]), bootId }
}
