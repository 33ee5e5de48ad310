/**
 * The supervisor: one small process per connection that looks at its routers again and again, and at once where libvirt
 * tells of something. It holds nothing that others need: killed at any moment, the links stay as they are, and those that
 * it had closed stay closed.
 */

import { mkdir } from 'node:fs/promises'
import { replaceFile } from '../durable-file.ts'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { ConnectionClosed, LibvirtError } from '../libvirt/error.ts'
import { MISSES, SOON_MS } from '../router/supervision.ts'
import { acquireLock, findLockHolder } from '../state/lock.ts'
import { BootQueue } from './boot-queue.ts'
import { privateHostName } from './connection-name.ts'
import { poolsSettled } from './pool-keeper.ts'
import { type RouterReport, RouterWatch } from './supervised-routers.ts'
import { DUTIES, type Duty } from './supervisor-duties.ts'
import { formatSupervisorRecord, supervisorLock, supervisorRecord } from './supervisor-record.ts'
import type { Workspace } from './workspace.ts'

export interface SuperviseOptions {
  /** Between two looks at a router whose LAN is open. */
  readonly intervalMs: number
  /** Until there is a verdict on each router that runs, then no more. */
  readonly once: boolean
}

/** Longest pause between two tries to reach a daemon that is gone. */
const REOPEN_MS = 10_000
/** And between two tries of a duty that fails. */
const RETRY_MS = 3_600_000

/**
 * Runs until the signal, or until the private host has ended.
 * @throws {VmpkgError} `LOCK_HELD` where another supervises this connection; `LIBVIRT_UNREACHABLE` `PRIVATE_HOST_FAILED` at the start
 */
export async function supervise(workspace: Workspace, options: SuperviseOptions): Promise<readonly RouterReport[]> {
  const first = await workspace.reconnect()
  if (first === undefined) throw notRunning(workspace)
  await using _ = await takePlace(workspace)
  const supervisor = new Supervisor(workspace, options)
  let connect: Connect | undefined = first
  while (connect !== undefined) {
    await supervisor.attend(connect)
    if (options.once || workspace.outside.signal.aborted) break
    connect = await reopen(workspace)
  }
  await poolsSettled(workspace)
  return supervisor.reports
}

/** One per connection. */
async function takePlace(workspace: Workspace): Promise<AsyncDisposable> {
  const { connectionPaths, command, outside } = workspace
  await mkdir(connectionPaths.folder, { recursive: true })
  try {
    return await acquireLock({
      path: supervisorLock(connectionPaths),
      command,
      timeoutMs: 0,
      signal: outside.signal,
    })
  } catch (cause) {
    if (!isVmpkgError(cause, 'LOCK_HELD')) throw cause
    const holder = findLockHolder(supervisorLock(connectionPaths))
    const who = holder === undefined ? 'Another process' : `Process ${holder.pid} (${holder.command.slice(0, 200)})`
    throw new VmpkgError('LOCK_HELD', `${who} supervises ${workspace.connectionName} already`, {
      hint: 'One is enough. To replace it, end it first.',
      ...(holder && { details: { pid: holder.pid, command: holder.command } }),
      cause,
    })
  }
}

/** `undefined` once the private host is gone, or at the signal. */
async function reopen(workspace: Workspace): Promise<Connect | undefined> {
  const { emit, signal } = workspace.outside
  emit({ type: 'noted', message: 'The connection to libvirt is lost; waiting for it' })
  for (let pauseMs = 250; !signal.aborted; pauseMs = Math.min(REOPEN_MS, pauseMs * 2)) {
    try {
      const connect = await workspace.reconnect()
      if (connect === undefined)
        emit({ type: 'noted', message: `${workspace.connectionName} has ended, and so does this` })
      else emit({ type: 'noted', message: 'Connected to libvirt again' })
      return connect
    } catch (error) {
      if (!isVmpkgError(error)) throw error
    }
    await pause(pauseMs, signal)
  }
  return undefined
}

class Supervisor {
  readonly #workspace: Workspace
  readonly #options: SuperviseOptions
  readonly #watch: RouterWatch
  readonly #queue: BootQueue
  readonly #doneAt = new Map<Duty, number>()
  readonly #urgent = new Set<Duty>()
  /** In a row: what fails may hold the lock for long, so it comes less and less often. */
  readonly #failures = new Map<Duty, number>()
  /** What was told last of each thing that goes wrong, so that it is told once. */
  readonly #told = new Map<string, string>()
  #record = ''
  #wake: () => void = () => {}
  #isWoken = false

  constructor(workspace: Workspace, options: SuperviseOptions) {
    this.#workspace = workspace
    this.#options = options
    this.#watch = new RouterWatch(workspace, options.intervalMs)
    this.#queue = new BootQueue(workspace, this.#watch)
    const now = workspace.outside.clock.now().getTime()
    for (const duty of DUTIES) this.#doneAt.set(duty, options.once ? Number.NEGATIVE_INFINITY : now)
  }

  get reports(): readonly RouterReport[] {
    return this.#watch.reports
  }

  /** As long as the connection lasts. */
  async attend(connect: Connect): Promise<void> {
    const { signal } = this.#workspace.outside
    this.#watch.hurry()
    for (const duty of DUTIES) if (duty.everyMs === 'interval') this.#urgent.add(duty)
    await using events = connect.emitter()
    const stir = (on: 'machine' | 'network', uuid?: string): void => {
      for (const duty of DUTIES) if (duty.on.includes(on)) this.#urgent.add(duty)
      if (uuid !== undefined) this.#watch.hurry(uuid)
      this.#stir()
    }
    events
      .on('domain.lifecycle', ({ domain }) => stir('machine', domain.uuid))
      .on('network.lifecycle', () => stir('network'))
      .on('closed', () => this.#stir())
      .on('error', (error) => this.#tell('events', `libvirt tells of no events: ${error.message}`))
    const onAbort = (): void => this.#stir()
    signal.addEventListener('abort', onAbort)
    try {
      for (let looks = 1; !signal.aborted && connect.closed === undefined; looks++) {
        const nextMs = await this.#round(connect)
        if (this.#options.once && (this.#isDecided() || looks >= MISSES)) return
        await this.#rest(this.#options.once ? Math.min(nextMs, SOON_MS) : nextMs)
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** @returns milliseconds until the next one */
  async #round(connect: Connect): Promise<number> {
    if (this.#options.once) this.#watch.hurry()
    this.#isWoken = false
    let nextMs = SOON_MS
    try {
      nextMs = await this.#watch.look(connect)
      await this.#writeRecord()
      if (await this.#queue.advance(connect)) nextMs = Math.min(nextMs, SOON_MS)
      this.#told.delete('look')
    } catch (error) {
      this.#forgive('look', error)
    }
    for (const duty of DUTIES) {
      if (!(await this.#perform(duty, connect))) nextMs = Math.min(nextMs, SOON_MS)
    }
    return nextMs
  }

  /** False where it is due and has to wait for a command. */
  async #perform(duty: Duty, connect: Connect): Promise<boolean> {
    const { signal, clock } = this.#workspace.outside
    const failures = this.#failures.get(duty) ?? 0
    const plainMs = duty.everyMs === 'interval' ? this.#options.intervalMs : duty.everyMs
    const everyMs = failures === 0 ? plainMs : Math.max(plainMs, Math.min(RETRY_MS, plainMs * 2 ** failures))
    const now = clock.now().getTime()
    const isDue = this.#urgent.has(duty) || now - (this.#doneAt.get(duty) ?? now) >= everyMs
    if (!isDue || signal.aborted || connect.closed !== undefined) return true
    try {
      if (await duty.isNeeded(this.#workspace, connect)) {
        if (duty.needs === 'lock' && !(await this.#workspace.tryLock())) return false
        try {
          await duty.run(this.#workspace, connect)
        } finally {
          await this.#workspace.unlock()
        }
      }
      this.#told.delete(duty.name)
      this.#failures.delete(duty)
    } catch (error) {
      this.#failures.set(duty, failures + 1)
      this.#forgive(duty.name, error)
    }
    this.#urgent.delete(duty)
    this.#doneAt.set(duty, now)
    return true
  }

  /** What goes wrong in one look is no reason to stop looking. */
  #forgive(what: string, error: unknown): void {
    if (error instanceof ConnectionClosed || this.#workspace.outside.signal.aborted) return
    if (!(error instanceof LibvirtError) && !isVmpkgError(error)) throw error
    this.#tell(what, error.message, error)
  }

  #tell(what: string, message: string, error?: unknown): void {
    if (this.#told.get(what) === message) return
    this.#told.set(what, message)
    const hint = isVmpkgError(error) ? error.hint : undefined
    const code = isVmpkgError(error) ? error.code : 'LIBVIRT_FAILED'
    this.#workspace.outside.emit({
      type: 'warned',
      code,
      message: `${what}: ${message}`,
      ...(hint === undefined ? {} : { hint }),
    })
  }

  /** For `--once`: nothing would change by asking again. */
  #isDecided(): boolean {
    return this.reports.every(
      ({ link, verdict }) => link === 'down' || (verdict !== 'unanswered' && verdict !== 'deaf'),
    )
  }

  async #writeRecord(): Promise<void> {
    const text = formatSupervisorRecord(this.#watch.closed)
    if (text === this.#record) return
    await replaceFile(supervisorRecord(this.#workspace.connectionPaths), text, { mode: 0o600 })
    this.#record = text
  }

  #stir(): void {
    this.#isWoken = true
    this.#wake()
  }

  /** Until the time is over, or something happened since the round began. */
  async #rest(ms: number): Promise<void> {
    if (this.#isWoken || ms <= 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, ms)
    this.#wake = resolve
    await promise
    clearTimeout(timer)
    this.#wake = () => {}
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { setTimeout: sleep } = await import('node:timers/promises')
  await sleep(ms, undefined, { signal }).catch(() => {})
}

function notRunning({ connectionName }: Workspace): VmpkgError {
  const name = privateHostName(connectionName) ?? connectionName
  return new VmpkgError('PRIVATE_HOST_FAILED', `Private host ${name} is not running`, {
    hint: `vmpkg host private start ${name}`,
  })
}
