/**
 * Waiting for a guest: not by sleeping but by asking its agent until it says that it is ready, or until the guest or the
 * deadline ends. A question that was put before the guest opened its channel is simply put again.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { VmpkgError } from '../errors.ts'
import type { Domain } from '../libvirt/domain.ts'
import { LibvirtError } from '../libvirt/error.ts'
import type { Clock, Randomness } from '../ports.ts'
import { AGENT_CHANNEL, type AgentReply, type AgentVerb } from '../router/agent.ts'
import { askAgent } from './agent-client.ts'

/** A guest that is asked too early never answers that question; a busy one answers late: so ask again, ever more patiently. */
const FIRST_ANSWER_MS = 1500
const LAST_ANSWER_MS = 8000
const PAUSE_MS = 100

export interface WaitOptions {
  readonly clock: Clock
  readonly randomness: Randomness
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** What counts as ready; default: the agent says so. */
  readonly isReady?: (reply: AgentReply) => boolean
}

/**
 * The reply in which the guest says that it is ready.
 * @throws {VmpkgError} `GUEST_NOT_READY` when it stopped or the time is over; `ABORTED`.
 */
export async function waitUntilReady(domain: Domain, options: WaitOptions): Promise<AgentReply> {
  const deadline = options.clock.now().getTime() + options.timeoutMs
  const isReady = options.isReady ?? (({ ready }) => ready === true)
  let heard = false
  let lastProblem: LibvirtError | undefined
  let answerMs = FIRST_ANSWER_MS
  while (options.clock.now().getTime() < deadline) {
    throwIfAborted(options.signal)
    const { state } = await domain.getState()
    if (state !== 'running') throw notReady(domain, `it is ${state}, not running`, undefined)
    const leftMs = Math.max(PAUSE_MS, deadline - options.clock.now().getTime())
    const { reply, problem } = await tryAsk(domain, 'status', options, Math.min(answerMs, leftMs))
    lastProblem = problem ?? lastProblem
    if (reply !== undefined && isReady(reply)) return reply
    heard ||= reply !== undefined
    if (reply === undefined) answerMs = Math.min(LAST_ANSWER_MS, answerMs * 2)
    await sleep(PAUSE_MS)
  }
  const waited = `${Math.round(options.timeoutMs / 1000)} s`
  throw notReady(
    domain,
    heard ? `its agent answers, but was not ready within ${waited}` : `its agent did not answer within ${waited}`,
    lastProblem,
  )
}

/** One question, one answer; `undefined` when the guest does not answer or the channel cannot be opened just now. */
export async function askStatus(
  domain: Domain,
  options: Pick<WaitOptions, 'randomness' | 'signal'>,
): Promise<AgentReply | undefined> {
  return ask(domain, 'status', options, LAST_ANSWER_MS)
}

/** The same for any verb. */
export async function ask(
  domain: Domain,
  verb: AgentVerb,
  options: Pick<WaitOptions, 'randomness' | 'signal'>,
  timeoutMs: number,
): Promise<AgentReply | undefined> {
  return (await tryAsk(domain, verb, options, timeoutMs)).reply
}

interface Attempt {
  readonly reply?: AgentReply | undefined
  /** Why the channel could not be opened: it is busy with another reader, the domain just stopped, or worse. */
  readonly problem?: LibvirtError
}

async function tryAsk(
  domain: Domain,
  verb: AgentVerb,
  { randomness, signal }: Pick<WaitOptions, 'randomness' | 'signal'>,
  timeoutMs: number,
): Promise<Attempt> {
  try {
    const channel = await domain.openChannel({ name: AGENT_CHANNEL, timeoutMs })
    return { reply: await askAgent(channel, { verb, randomness, timeoutMs, signal }) }
  } catch (error) {
    if (error instanceof LibvirtError) return { problem: error }
    throw error
  }
}

/** @throws {VmpkgError} `ABORTED` */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new VmpkgError('ABORTED', 'Interrupted', { cause: signal.reason })
}

function notReady(domain: Domain, reason: string, cause: LibvirtError | undefined): VmpkgError {
  return new VmpkgError('GUEST_NOT_READY', `${domain.name} did not become ready: ${reason}`, {
    hint: `See what its console said: vmpkg logs ${domain.name}`,
    cause,
  })
}
