/**
 * Talks to the agent inside a guest over its virtio-serial channel: one request, one reply with the same nonce. Lines meant
 * for an earlier reader are kept by QEMU and arrive first, so only the nonce says which line is ours (guests, fact 5). One
 * client at a time: the channel is closed after each exchange.
 */
import type { Duplex } from 'node:stream'
import type { Randomness } from '../ports.ts'
import { type AgentReply, type AgentVerb, findReply, formatRequest, MAX_REPLY_BYTES } from '../router/agent.ts'

export interface AskOptions {
  readonly verb: AgentVerb
  /** A word for the verb. */
  readonly argument?: string
  readonly randomness: Randomness
  /** Milliseconds to wait for the reply. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal
  /** Where the same was asked before, and a slow guest may only now be answering that. */
  readonly earlier?: EarlierQuestions
}

export interface EarlierQuestions {
  /** Of every question so far; this one's is added. */
  readonly nonces: Set<string>
  /** Whether a late reply will do, too. */
  readonly isEnough: (reply: AgentReply) => boolean
}

/** The guest's reply, or `undefined` when none came in time or the channel closed. */
export async function askAgent(channel: Duplex, options: AskOptions): Promise<AgentReply | undefined> {
  const nonce = Buffer.from(options.randomness.bytes(16)).toString('hex')
  const { earlier } = options
  const isOurs = (reply: AgentReply | undefined): boolean => {
    if (reply === undefined) return false
    return reply.nonce === nonce || (earlier?.nonces.has(reply.nonce) === true && earlier.isEnough(reply))
  }
  const { promise, resolve } = Promise.withResolvers<AgentReply | undefined>()
  let pending = ''
  const onData = (chunk: Buffer): void => {
    pending += chunk.toString('latin1')
    const lines = pending.split('\n')
    pending = (lines.pop() ?? '').slice(-MAX_REPLY_BYTES)
    const reply = lines.map(findReply).find(isOurs)
    if (reply !== undefined) resolve(reply)
  }
  const give = (): void => resolve(undefined)
  const timer = setTimeout(give, options.timeoutMs)
  options.signal?.addEventListener('abort', give, { once: true })
  channel.on('data', onData).once('end', give).once('close', give).once('error', give)
  try {
    channel.write(formatRequest(options.verb, nonce, options.argument))
    return await promise
  } finally {
    earlier?.nonces.add(nonce)
    clearTimeout(timer)
    options.signal?.removeEventListener('abort', give)
    channel.off('data', onData)
    channel.on('error', () => {}) // a late error of a channel that nobody reads any more
    channel.destroy()
  }
}
