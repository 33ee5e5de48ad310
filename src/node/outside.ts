/**
 * The ports for real, gathered for one run of the command line. What implements them is loaded with its first use: most
 * commands start no program and make no request, and got and execa take longer to load than Node itself.
 */
import type { Emit } from '../events.ts'
import type { Outside } from '../operations/workspace.ts'

export function systemOutside({ emit, signal }: { emit: Emit; signal: AbortSignal }): Outside {
  return {
    clock: { now: () => new Date() },
    randomness: { bytes: (count) => crypto.getRandomValues(new Uint8Array(count)) },
    processes: { run: async (...call) => (await import('./processes.ts')).systemProcesses.run(...call) },
    terminal: { attach: async (...call) => (await import('./terminal.ts')).systemTerminal.attach(...call) },
    http: { request: async (...call) => (await import('./http.ts')).gotHttp.request(...call) },
    emit,
    signal,
  }
}
