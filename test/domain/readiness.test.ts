import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { Duplex } from 'node:stream'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type AskedDomain, ask, askAgain, askStatus, waitUntilReady } from '../../src/domain/readiness.ts'
import { isVmpkgError } from '../../src/errors.ts'
import { refuse } from '../../src/libvirt/error.ts'

const outside = {
  clock: { now: () => new Date() },
  randomness: { bytes: (count: number) => randomBytes(count) },
  signal: new AbortController().signal,
}

interface GuestOptions {
  /** How often libvirt is asked before the guest has opened its end. */
  readonly opensAfter?: number
  /** For one answer; it gives one after the other. */
  readonly answerMs?: number
  /** How many times it says that it is not ready yet. */
  readonly readyAfter?: number
  readonly state?: 'running' | 'shutoff'
  /** How often somebody else has the channel. */
  readonly busyFor?: number
}

/** A guest behind a channel: like QEMU, it keeps an answer for the next reader where its own has left. */
class Guest implements AskedDomain {
  readonly name = 'router'
  /** How often somebody opened the channel. */
  channels = 0
  /** When each question came. */
  readonly questions: number[] = []
  readonly #options: GuestOptions
  #looks = 0
  #reader: Duplex | undefined
  #kept = ''
  #work: Promise<void> = Promise.resolve()

  constructor(options: GuestOptions) {
    this.#options = options
  }

  readonly getState = (async () => ({
    state: this.#options.state ?? 'running',
    reason: 1,
  })) as unknown as AskedDomain['getState']

  readonly getXMLDesc = (async () => {
    this.#looks += 1
    const state = this.#isOpen ? 'connected' : 'disconnected'
    return `<domain><devices><channel type='unix'><target name='org.qemu.guest_agent.0' state='connected'/></channel>
      <channel type='unix'><target type='virtio' name='org.vmpkg.agent.0' state='${state}'/></channel></devices></domain>`
  }) as AskedDomain['getXMLDesc']

  readonly openChannel = (async () => {
    this.channels += 1
    if (this.channels <= (this.#options.busyFor ?? 0)) throw refuse('operationFailed', 'Active channel stream exists')
    const channel = new Duplex({
      read() {},
      write: (chunk: Buffer, _encoding, done) => {
        if (this.#isOpen) this.#take(chunk.toString())
        done()
      },
      destroy: (error, done) => {
        this.#reader = undefined
        done(error)
      },
    })
    this.#reader = channel
    if (this.#kept !== '') channel.push(this.#kept)
    this.#kept = ''
    return channel
  }) as unknown as AskedDomain['openChannel']

  get #isOpen(): boolean {
    return this.#looks > (this.#options.opensAfter ?? 0)
  }

  #take(request: string): void {
    const [verb = '', nonce = ''] = request.trim().split(' ')
    const ready = this.questions.push(performance.now()) > (this.#options.readyAfter ?? 0)
    this.#work = this.#answer(this.#work, `${JSON.stringify({ vmpkg: 1, nonce, verb, ok: true, ready })}\n`)
  }

  async #answer(earlier: Promise<void>, line: string): Promise<void> {
    await earlier
    await sleep(this.#options.answerMs ?? 0, undefined, { ref: false })
    if (this.#reader === undefined) this.#kept += line
    else this.#reader.push(line)
  }
}

describe('waitUntilReady', () => {
  test('asks once the guest has opened its channel, and no more than once', async () => {
    const guest = new Guest({ opensAfter: 3 })
    const reply = await waitUntilReady(guest, { ...outside, timeoutMs: 20_000 })
    assert.equal(reply.ready, true)
    assert.deepEqual([guest.channels, guest.questions.length], [1, 1])
  })

  test('takes the answer of a guest that needs longer for it than anybody waits at first', async () => {
    const guest = new Guest({ answerMs: 1000 })
    const began = performance.now()
    const reply = await waitUntilReady(guest, { ...outside, timeoutMs: 20_000, answerMs: 600 })
    assert.equal(reply.ready, true)
    assert.ok(performance.now() - began < 1800, 'the answer to the first question has to do')
    assert.equal(guest.questions.length, 2)
  })

  test('leaves a guest that is not ready yet as much time as its answer took', async () => {
    const guest = new Guest({ answerMs: 400, readyAfter: 1 })
    await waitUntilReady(guest, { ...outside, timeoutMs: 20_000 })
    assert.equal(guest.questions.length, 2)
    const [first = 0, second = 0] = guest.questions
    assert.ok(second - first > 700, `${second - first} ms`)
  })

  test('says what it waited for, how long, and what a slow host needs', async () => {
    const silent = waitUntilReady(new Guest({ answerMs: 60_000 }), { ...outside, timeoutMs: 700 })
    await assert.rejects(silent, (error) => {
      assert.ok(isVmpkgError(error, 'GUEST_NOT_READY'))
      assert.match(error.message, /did not answer within 1 s/)
      assert.match(error.hint ?? '', /vmpkg start router --timeout/)
      return true
    })
    const busy = waitUntilReady(new Guest({ readyAfter: 1000 }), { ...outside, timeoutMs: 300 })
    await assert.rejects(busy, { message: /answers, but was not ready/ })
    const off = waitUntilReady(new Guest({ state: 'shutoff' }), { ...outside, timeoutMs: 300 })
    await assert.rejects(off, { code: 'GUEST_NOT_READY', message: /it is shutoff/ })
  })
})

describe('askStatus', () => {
  test('waits as long as it is told to, and not for a guest that does not listen', async () => {
    assert.equal(await askStatus(new Guest({ answerMs: 500 }), { ...outside, timeoutMs: 100 }), undefined)
    assert.equal((await askStatus(new Guest({ answerMs: 200 }), { ...outside, timeoutMs: 5000 }))?.ready, true)
    const deaf = new Guest({ opensAfter: 1000 })
    assert.equal(await askStatus(deaf, { ...outside, timeoutMs: 60_000 }), undefined)
    assert.equal(deaf.channels, 0)
  })
})

describe('ask', () => {
  test('waits while somebody else has the channel, though not for ever', async () => {
    const guest = new Guest({ busyFor: 3 })
    await guest.getXMLDesc() // and so it is open
    assert.equal((await ask(guest, 'reset', { ...outside, timeoutMs: 5000 }))?.verb, 'reset')
    assert.equal(guest.channels, 4)
    assert.equal(await ask(new Guest({ busyFor: 1000 }), 'reset', { ...outside, timeoutMs: 300 }), undefined)
  })
})

describe('askAgain', () => {
  const options = { ...outside, timeoutMs: 100 }
  const again = async (guest: Guest, nonces: Set<string>, timeoutMs = 100): Promise<string> =>
    (
      await askAgain(guest, await guest.getXMLDesc(), {
        ...options,
        timeoutMs,
        earlier: { nonces, isEnough: ({ ready }) => ready === true },
      })
    ).kind

  test('tells silence, a channel that is taken and one that is not open from a reply', async () => {
    assert.equal(await again(new Guest({}), new Set()), 'reply')
    assert.equal(await again(new Guest({ answerMs: 60_000 }), new Set()), 'silent')
    assert.equal(await again(new Guest({ busyFor: 1 }), new Set()), 'busy')
    const deaf = new Guest({ opensAfter: 1000 })
    assert.deepEqual([await again(deaf, new Set()), deaf.channels], ['deaf', 0])
  })

  test('takes a reply to an earlier question, and asks anew after that', async () => {
    const guest = new Guest({ answerMs: 300 })
    const nonces = new Set<string>()
    assert.deepEqual([await again(guest, nonces), nonces.size], ['silent', 1])
    await sleep(400)
    assert.deepEqual([await again(guest, nonces), nonces.size], ['reply', 0])
  })

  test('takes no reply to an earlier question that is not enough', async () => {
    const guest = new Guest({ answerMs: 300, readyAfter: 1 })
    const nonces = new Set<string>()
    assert.equal(await again(guest, nonces), 'silent')
    await sleep(400)
    assert.equal(await again(guest, nonces), 'silent')
  })

  test('takes no reply to a question of somebody else', async () => {
    const guest = new Guest({ answerMs: 300 })
    assert.equal(await again(guest, new Set()), 'silent')
    await sleep(400)
    assert.equal(await again(guest, new Set()), 'silent')
  })
})
