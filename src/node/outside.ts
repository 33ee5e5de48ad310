/**
 * The ports for real, gathered for one run of the command line. What implements them is loaded with its first use: most
 * commands start no program and make no request, and got and execa take longer to load than Node itself.
 */
import type { Emit } from '../events.ts'
import type { Outside } from '../operations/workspace.ts'
import type { Http } from '../ports.ts'

export interface OutsideOptions {
  readonly emit: Emit
  readonly signal: AbortSignal
  readonly env: Readonly<Record<string, string | undefined>>
  /** Nothing is asked of any server. */
  readonly offline: boolean
}

export function systemOutside({ emit, signal, env, offline }: OutsideOptions): Outside {
  let http: Http | undefined
  const loadHttp = async (): Promise<Http> => {
    const { offlineHttp, systemHttp } = await import('./http.ts')
    http ??= offline ? offlineHttp : systemHttp(env)
    return http
  }
  return {
    clock: { now: () => new Date() },
    randomness: { bytes: (count) => crypto.getRandomValues(new Uint8Array(count)) },
    processes: { run: async (...call) => (await import('./processes.ts')).systemProcesses.run(...call) },
    terminal: { attach: async (...call) => (await import('./terminal.ts')).systemTerminal.attach(...call) },
    http: { request: async (...call) => (await loadHttp()).request(...call) },
    isOffline: offline,
    emit,
    signal,
  }
}
