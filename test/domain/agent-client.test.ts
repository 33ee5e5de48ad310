import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { Duplex } from 'node:stream'
import { describe, test } from 'node:test'
import { askAgent } from '../../src/domain/agent-client.ts'
import type { AgentReply } from '../../src/router/agent.ts'

const randomness = { bytes: (count: number) => randomBytes(count) }

/** A guest: gets each request line, answers with the texts that `answer` gives. */
function guest(answer: (request: string) => readonly string[]): Duplex {
  return new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      for (const text of answer(chunk.toString())) this.push(text)
      done()
    },
  })
}

const replyTo = (request: string): string => {
  const [verb = '', nonce = ''] = request.trim().split(' ')
  return `${JSON.stringify({ vmpkg: 1, nonce, verb, ok: true, ready: true })}\n`
}

const ask = (channel: Duplex, timeoutMs = 200) => askAgent(channel, { verb: 'status', randomness, timeoutMs })

describe('askAgent', () => {
  test('finds its own reply behind announcements and replies to others, even in pieces', async () => {
    const stale = replyTo(`status ${'0'.repeat(32)}`)
    const reply = await ask(
      guest((request) => ['{"vmpkg":1,"event":"ready"}\n', stale, ...replyTo(request).split(/(?<=,)/)]),
    )
    assert.equal(reply?.ready, true)
    assert.notEqual(reply?.nonce, '0'.repeat(32))
  })

  test('takes a late reply to what was asked before, where that is enough', async () => {
    const nonces = new Set<string>()
    const earlier = { nonces, isEnough: (reply: AgentReply) => reply.ready === true }
    const silent = guest(() => [])
    assert.equal(await askAgent(silent, { verb: 'status', randomness, timeoutMs: 20, earlier }), undefined)
    const [asked = ''] = nonces
    const late = guest(() => [replyTo(`status ${asked}`)])
    const reply = await askAgent(late, { verb: 'status', randomness, timeoutMs: 200, earlier })
    assert.equal(reply?.nonce, asked)
    assert.equal(nonces.size, 2)

    const busy = guest(() => [replyTo(`status ${asked}`).replace('"ready":true', '"ready":false')])
    assert.equal(await askAgent(busy, { verb: 'status', randomness, timeoutMs: 20, earlier }), undefined)
    const stranger = guest(() => [replyTo(`status ${'0'.repeat(32)}`)])
    assert.equal(await askAgent(stranger, { verb: 'status', randomness, timeoutMs: 20, earlier }), undefined)
  })

  test('gives up on silence, on floods and on a closed channel', async () => {
    assert.equal(await ask(guest(() => [])), undefined)
    assert.equal(await ask(guest(() => Array.from({ length: 200 }, () => 'x'.repeat(10_000)))), undefined)
    const closed = guest(() => [])
    setTimeout(() => closed.destroy(new Error('gone')), 5)
    assert.equal(await ask(closed, 5000), undefined)
  })

  test('stops waiting when it is aborted', async () => {
    const abort = new AbortController()
    setTimeout(() => abort.abort(), 5)
    const channel = guest(() => [])
    assert.equal(
      await askAgent(channel, { verb: 'status', randomness, timeoutMs: 60_000, signal: abort.signal }),
      undefined,
    )
    assert.ok(channel.destroyed)
  })
})
