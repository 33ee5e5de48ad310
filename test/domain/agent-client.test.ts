import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { Duplex } from 'node:stream'
import { describe, test } from 'node:test'
import { askAgent } from '../../src/domain/agent-client.ts'

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
