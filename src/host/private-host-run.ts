/**
 * Runs programs inside a living private host: what virt-manager needs to show a guest's screen, what tests need to
 * stand on the host's networks.
 *
 * Source: nsenter(1); `--preserve-credentials` keeps the caller's id, which the user namespace shows as root.
 */
import type { Processes, RunOptions, RunResult } from '../ports.ts'
import type { PrivateHost } from './private-host-record.ts'
import { SYSTEM_PATH } from './tools.ts'

/** The words to put before a command so that it runs inside; the command begins in the folder `/`. */
export function privateHostPrefix(host: PrivateHost): readonly [string, ...string[]] {
  const user = host.rootless ? ['--user', '--preserve-credentials'] : []
  return ['nsenter', ...user, '--mount', '--net', '--pid', '--uts', '--ipc', '--target', String(host.pid), '--']
}

/** Runs one command inside to its end. @throws {VmpkgError} `TOOL_MISSING`, `ABORTED` */
export function runInPrivateHost(
  host: PrivateHost,
  argv: readonly [string, ...string[]],
  processes: Processes,
  options: RunOptions = {},
): Promise<RunResult> {
  const [program, ...prefix] = privateHostPrefix(host)
  return processes.run(program, [...prefix, ...argv], { env: { PATH: SYSTEM_PATH, LANG: 'C' }, ...options })
}
