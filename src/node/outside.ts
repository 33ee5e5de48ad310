/** The ports for real, gathered for one run of the command line. */
import { randomBytes } from 'node:crypto'
import type { Emit } from '../events.ts'
import type { Outside } from '../operations/workspace.ts'
import { gotHttp } from './http.ts'
import { systemProcesses } from './processes.ts'
import { systemTerminal } from './terminal.ts'

export function systemOutside({ emit, signal }: { emit: Emit; signal: AbortSignal }): Outside {
  return {
    clock: { now: () => new Date() },
    randomness: { bytes: (count) => randomBytes(count) },
    processes: systemProcesses,
    terminal: systemTerminal,
    http: gotHttp,
    emit,
    signal,
  }
}
