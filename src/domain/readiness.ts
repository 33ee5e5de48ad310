/**
 * Waiting for a guest: not by sleeping but by asking its agent until it says that it is ready, or until the guest or the
 * deadline ends. It is asked once libvirt says that it has opened its channel; a question that was lost is put again. A
 * guest that is emulated may need longer for one answer than anybody foresees, so answers that come late count, too.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { VmpkgError } from '../errors.ts'
import type { Domain } from '../libvirt/domain.ts'
import { LibvirtError } from '../libvirt/error.ts'
import type { Clock, Randomness } from '../ports.ts'
import { AGENT_CHANNEL, type AgentReply, type AgentVerb } from '../router/agent.ts'
import { findElements, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { askAgent, type EarlierQuestions } from './agent-client.ts'

/** A guest answers every question, also when nobody waits any more: one that is asked often falls behind. */
const FIRST_ANSWER_MS = 20_000
const LAST_ANSWER_MS = 60_000
const OPEN_MS = 10_000
/** Longer than the supervisor keeps the channel for one question. */
const BUSY_MS = 15_000
const PAUSE_MS = 100
/** After a look comes a pause this many times as long: where looking takes long, the guest needs the processor more. */
const PAUSE_FACTOR = 5

/** Of a domain what is needed to ask it. */
export type AskedDomain = Pick<Domain, 'name' | 'getState' | 'getXMLDesc' | 'openChannel'>

export interface WaitOptions {
  readonly clock: Clock
  readonly randomness: Randomness
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** What counts as ready; default: the agent says so. */
  readonly isReady?: (reply: AgentReply) => boolean
  /** How long an answer may take before the question is put again, in case that it was lost; twice as long each time. */
  readonly answerMs?: number
}

/**
 * The reply in which the guest says that it is ready.
 * @throws {VmpkgError} `GUEST_NOT_READY` when it stopped or the time is over; `ABORTED`.
 */
export async function waitUntilReady(domain: AskedDomain, options: WaitOptions): Promise<AgentReply> {
  const { clock, signal } = options
  const deadline = clock.now().getTime() + options.timeoutMs
  const isReady = options.isReady ?? (({ ready }) => ready === true)
  let heard = false
  const earlier: EarlierQuestions = {
    nonces: new Set(),
    isEnough: (reply) => {
      heard = true
      return isReady(reply)
    },
  }
  let lastProblem: LibvirtError | undefined
  let answerMs = options.answerMs ?? FIRST_ANSWER_MS
  while (clock.now().getTime() < deadline) {
    throwIfAborted(signal)
    const began = clock.now().getTime()
    const { state } = await domain.getState()
    if (state !== 'running') throw notReady(domain, `it is ${state}, not running`, undefined)
    const isListening = isAgentListening(await domain.getXMLDesc())
    let pauseMs = PAUSE_FACTOR * (clock.now().getTime() - began)
    if (isListening) {
      const asked = clock.now().getTime()
      const leftMs = Math.max(PAUSE_MS, deadline - asked)
      const { reply, problem } = await tryAsk(domain, 'status', {
        ...options,
        earlier,
        timeoutMs: Math.min(answerMs, leftMs),
      })
      lastProblem = problem ?? lastProblem
      if (reply !== undefined && isReady(reply)) return reply
      heard ||= reply !== undefined
      if (reply === undefined && problem === undefined) answerMs = Math.min(LAST_ANSWER_MS, answerMs * 2)
      else if (reply !== undefined) pauseMs = clock.now().getTime() - asked // it has more to do than to answer
    }
    await sleep(Math.max(PAUSE_MS, pauseMs), undefined, { signal }).catch(() => {})
  }
  const waited = `${Math.round(options.timeoutMs / 1000)} s`
  throw notReady(
    domain,
    heard ? `its agent answers, but was not ready within ${waited}` : `its agent did not answer within ${waited}`,
    lastProblem,
  )
}

/** One question, one answer; `undefined` when the guest does not answer in time or the channel cannot be opened. */
export async function askStatus(
  domain: AskedDomain,
  options: Pick<WaitOptions, 'randomness' | 'signal' | 'timeoutMs'>,
): Promise<AgentReply | undefined> {
  const isListening = isAgentListening(await domain.getXMLDesc())
  return isListening ? ask(domain, 'status', options) : undefined
}

/** The same for any verb. Another reader, as the supervisor, has the channel for seconds at most: it is waited for. */
export async function ask(
  domain: AskedDomain,
  verb: AgentVerb,
  options: Pick<WaitOptions, 'randomness' | 'signal' | 'timeoutMs'> & { readonly argument?: string },
): Promise<AgentReply | undefined> {
  for (let waitedMs = 0; ; waitedMs += PAUSE_MS) {
    const { reply, problem } = await tryAsk(domain, verb, options)
    if (
      problem?.is('operationFailed') !== true ||
      waitedMs >= Math.min(BUSY_MS, options.timeoutMs) ||
      options.signal.aborted
    )
      return reply
    await sleep(PAUSE_MS, undefined, { signal: options.signal }).catch(() => {})
  }
}

/**
 * What one question to a guest gave. `deaf`: it has not opened its channel (yet); `silent`: it has, and said nothing in time;
 * `busy`: somebody else has the channel.
 */
export type Answer =
  | { readonly kind: 'reply'; readonly reply: AgentReply }
  | { readonly kind: 'deaf' | 'silent' | 'busy' }

/**
 * One question by somebody who asks again and again.
 * @param xml of the running domain
 * @param options.earlier a late reply to one of those counts where it is enough
 */
export async function askAgain(
  domain: AskedDomain,
  xml: string,
  options: Pick<WaitOptions, 'randomness' | 'signal' | 'timeoutMs'> & { readonly earlier: EarlierQuestions },
): Promise<Answer> {
  if (!isAgentListening(xml)) return { kind: 'deaf' }
  const { reply, problem } = await tryAsk(domain, 'status', options)
  if (reply === undefined) return { kind: problem === undefined ? 'silent' : 'busy' }
  options.earlier.nonces.clear()
  return { kind: 'reply', reply }
}

/** A question that is put before the guest has opened its end is lost. True where libvirt does not tell. */
function isAgentListening(xml: string): boolean {
  const ends = findElements(parseXml(xml).root, 'devices/channel/target')
  const end = ends.find((target) => getAttribute(target, 'name') === AGENT_CHANNEL)
  return end === undefined || getAttribute(end, 'state') !== 'disconnected'
}

interface Attempt {
  readonly reply?: AgentReply | undefined
  /** Why the channel could not be opened: it is busy with another reader, the domain just stopped, or worse. */
  readonly problem?: LibvirtError
}

async function tryAsk(
  domain: AskedDomain,
  verb: AgentVerb,
  {
    earlier,
    ...options
  }: Pick<WaitOptions, 'randomness' | 'signal' | 'timeoutMs'> & {
    readonly earlier?: EarlierQuestions
    readonly argument?: string
  },
): Promise<Attempt> {
  try {
    const channel = await domain.openChannel({ name: AGENT_CHANNEL, timeoutMs: OPEN_MS })
    return { reply: await askAgent(channel, { verb, ...options, ...(earlier && { earlier }) }) }
  } catch (error) {
    if (error instanceof LibvirtError) return { problem: error }
    throw error
  }
}

/** @throws {VmpkgError} `ABORTED` */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new VmpkgError('ABORTED', 'Interrupted', { cause: signal.reason })
}

function notReady({ name }: AskedDomain, reason: string, cause: LibvirtError | undefined): VmpkgError {
  return new VmpkgError('GUEST_NOT_READY', `${name} did not become ready: ${reason}`, {
    hint: `See what its console said: vmpkg logs ${name}. A slow host may need longer: vmpkg start ${name} --timeout 600.`,
    cause,
  })
}
