/**
 * Reaches the daemon's socket, and starts the user's own daemon where none runs (libvirt leaves that to its clients).
 * A second daemon started at the same moment loses the pid file's lock and leaves, so no lock is taken here.
 */
import { mkdirSync } from 'node:fs'
import { connect as connectSocket, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Surroundings } from './daemon-sockets.ts'
import { ConnectionClosed, refuse } from './error.ts'
import type { UnixTarget } from './uri.ts'

const SPAWN_WAIT_MS = 5000
const RETRY_MS = 10
/** What a fresh daemon inherits. */
const KEPT_ENVIRONMENT = /^(PATH|HOME|USER|LOGNAME|LANG|LC_.*|TMPDIR|XDG_.*)$/
const SBIN = ['/usr/sbin', '/sbin', '/usr/local/sbin']

/**
 * Connects to the first socket that answers, starting a session daemon if the target allows it.
 * @throws {ConnectionClosed} when none answers.
 */
export async function dialUnix(
  target: UnixTarget,
  around: Surroundings,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  const reached = await dialAny(target.sockets, signal)
  if (!(reached instanceof Error)) return reached
  if (!target.spawn || !isAbsent(reached)) throw unreachable(target, reached)
  await startDaemon(target, around)
  const deadline = Date.now() + SPAWN_WAIT_MS
  for (;;) {
    const again = await dialAny(target.sockets, signal)
    if (!(again instanceof Error)) return again
    if (!isAbsent(again) || Date.now() > deadline) throw unreachable(target, again)
    await sleep(RETRY_MS, undefined, signal === undefined ? {} : { signal })
  }
}

async function dialAny(sockets: readonly string[], signal: AbortSignal | undefined): Promise<Socket | Error> {
  let first: Error | undefined
  for (const path of sockets) {
    signal?.throwIfAborted()
    const reached = await dialOne(path, signal)
    if (!(reached instanceof Error)) return reached
    if (!isAbsent(reached)) return reached
    first ??= reached
  }
  return first ?? new Error('no socket to try')
}

function dialOne(path: string, signal: AbortSignal | undefined): Promise<Socket | Error> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket({ path })
    const settle = (result: Socket | Error) => {
      signal?.removeEventListener('abort', abort)
      socket.off('error', settle)
      resolve(result)
    }
    const abort = () => {
      socket.off('error', settle).on('error', () => {})
      socket.destroy()
      reject(signal?.reason as Error)
    }
    signal?.addEventListener('abort', abort, { once: true })
    socket.on('error', settle)
    socket.once('connect', () => settle(socket))
  })
}

async function startDaemon(target: UnixTarget, around: Surroundings): Promise<void> {
  const program = findDaemon(target.programs, around)
  if (program === undefined)
    throw refuse(
      'noServer',
      `no libvirt daemon answers at ${target.sockets.join(' or ')}, and ${target.programs.join(' or ')} is not installed to start`,
    )
  mkdirSync(dirname(target.sockets[0] ?? ''), { recursive: true, mode: 0o700 })
  const { spawn } = await import('node:child_process')
  const env = Object.fromEntries(Object.entries(around.env).filter(([name]) => KEPT_ENVIRONMENT.test(name)))
  const daemon = spawn(program, ['--timeout=120'], { cwd: '/', detached: true, env, stdio: 'ignore' })
  daemon.on('error', () => {})
  daemon.unref()
}

function findDaemon(names: readonly string[], { env, exists }: Surroundings): string | undefined {
  const folders = [env['VIRTD_PATH'], env['LIBVIRTD_PATH'], ...(env['PATH'] ?? '').split(':'), ...SBIN].filter(
    (folder) => !!folder,
  )
  return names.flatMap((name) => folders.map((folder) => join(folder ?? '', name))).find((program) => exists(program))
}

function unreachable(target: UnixTarget, cause: Error): ConnectionClosed {
  return new ConnectionClosed(`cannot reach libvirt at ${target.sockets.join(' or ')}: ${cause.message}`, { cause })
}

function isAbsent(error: Error): boolean {
  return 'code' in error && (error.code === 'ENOENT' || error.code === 'ECONNREFUSED')
}
