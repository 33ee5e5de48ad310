import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { decodeError, FrameSplitter, type Packet } from '../../src/libvirt/protocol.ts'
import { MalformedPacket } from '../../src/libvirt/xdr.ts'
import { errorPayload, framed } from '../support/fake-libvirt.ts'
import { heldMib } from '../support/memory.ts'

function split(pieces: readonly Buffer[]): Packet[] {
  const splitter = new FrameSplitter()
  const packets: Packet[] = []
  for (const piece of pieces) {
    splitter.push(piece)
    for (let packet = splitter.next(); packet !== undefined; packet = splitter.next()) packets.push(packet)
  }
  return packets
}

describe('FrameSplitter', () => {
  test('finds the same packets however the bytes are cut', () => {
    const payloads = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(payloads, fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (contents, cuts) => {
        const whole = Buffer.concat(contents.map((payload, i) => framed({ serial: i + 1 }, payload)))
        const pieces: Buffer[] = []
        for (let at = 0, i = 0; at < whole.length; i++) {
          const next = at + (cuts[i % cuts.length] ?? 1)
          pieces.push(whole.subarray(at, next))
          at = next
        }
        const packets = split(pieces)
        assert.deepEqual(
          packets.map((packet) => packet.serial),
          contents.map((_, i) => i + 1),
        )
        assert.deepEqual(
          packets.map((packet) => new Uint8Array(packet.payload)),
          contents,
        )
      }),
    )
  })

  for (const length of [0, 27, 33_554_437, 0xffff_ffff]) {
    test(`refuses the length ${length} at once`, () => {
      const head = Buffer.alloc(4)
      head.writeUInt32BE(length)
      assert.throws(() => split([head]), MalformedPacket)
    })
  }

  test('waits for a packet of the greatest length', () => {
    const head = Buffer.alloc(4)
    head.writeUInt32BE(33_554_436)
    assert.deepEqual(split([head]), [])
  })

  test('holds little more than the bytes of a frame that comes byte by byte', () => {
    const splitter = new FrameSplitter()
    const head = Buffer.alloc(4)
    head.writeUInt32BE(33_554_436)
    splitter.push(head)
    const before = heldMib()
    for (let sent = 0; sent < 300_000; sent++) splitter.push(Buffer.from([sent]))
    const held = heldMib() - before
    assert.ok(held < 8, `${held} MiB`)
    assert.equal(splitter.next(), undefined)
  })

  test('refuses another version', () => {
    const packet = framed({})
    packet.writeUInt32BE(2, 8)
    assert.throws(() => split([packet]), /version is 2/)
  })
})

describe('decodeError', () => {
  test('keeps code, text, level and errno', () => {
    assert.deepEqual(decodeError(errorPayload(38, 'no such file', 2)), {
      code: 38,
      domain: 7,
      message: 'no such file',
      level: 2,
      int1: 2,
      int2: 0,
      texts: [undefined, undefined, undefined],
    })
  })

  test('takes an unknown procedure for a call the daemon does not support', () => {
    assert.equal(decodeError(errorPayload(39, 'unknown procedure: 999')).code, 3)
    assert.equal(decodeError(errorPayload(39, 'Unable to decode message payload')).code, 39)
  })

  test('refuses every cut of an error', () => {
    const whole = errorPayload(42, 'Domain not found')
    for (let length = 0; length < whole.length; length++)
      assert.throws(() => decodeError(whole.subarray(0, length)), MalformedPacket)
  })
})
