/** Streams against a peer in this process; with real daemons in storage.test.ts and domain.test.ts. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ConnectionClosed, LibvirtError } from '../../src/libvirt/error.ts'
import { type Packet, PROGRAM, STATUS, TYPE } from '../../src/libvirt/protocol.ts'
import { Rpc } from '../../src/libvirt/rpc.ts'
import { LibvirtStream, type StreamDirection } from '../../src/libvirt/stream.ts'
import { Writer } from '../../src/libvirt/xdr.ts'
import { errorPayload, FakeDaemon } from '../support/fake-libvirt.ts'

const PROCEDURE = 209
type Answer = (packet: Packet, daemon: FakeDaemon) => void

/** A stream whose opening call has been answered; later packets of the client go to `answer`. */
async function open(direction: StreamDirection, answer: Answer, sparse = false) {
  const daemon = new FakeDaemon((packet, self) => {
    if (packet.type === TYPE.call) self.reply(packet)
    answer(packet, self)
  })
  const rpc = new Rpc(daemon.client)
  const released: string[] = []
  const release = () => {
    released.push('released')
    rpc.close(new ConnectionClosed('released'))
  }
  const name = 'TEST_STREAM'
  const stream = new LibvirtStream({
    rpc,
    name,
    program: PROGRAM.remote,
    procedure: PROCEDURE,
    direction,
    sparse,
    release,
  })
  const request = { name, program: PROGRAM.remote, procedure: PROCEDURE, payload: Buffer.alloc(0), decode: () => {} }
  await rpc.call({ ...request, stream })
  stream.handOver()
  return { daemon, stream, released }
}

const stream = { procedure: PROCEDURE, type: TYPE.stream, serial: 1 }
const data = { ...stream, status: STATUS.continue }

function holeOf(length: bigint): Buffer {
  const hole = new Writer()
  hole.i64(length)
  hole.u32(0)
  return hole.bytes()
}

async function collect(from: LibvirtStream): Promise<string> {
  let text = ''
  for await (const piece of from) text += (piece as Buffer).toString()
  return text
}

describe('LibvirtStream', () => {
  test('reads what comes with the reply, finishes, and ends when the daemon confirms', async () => {
    const opened = await open('read', (packet, daemon) => {
      if (packet.type === TYPE.call) {
        daemon.packet(data, Buffer.from('one '))
        daemon.packet(data, Buffer.from('two'))
        daemon.packet(data)
      } else if (packet.status === STATUS.ok) daemon.packet({ ...stream, status: STATUS.ok })
    })
    assert.equal(await collect(opened.stream), 'one two')
    assert.deepEqual(opened.released, ['released'])
  })

  test('reads a hole as zeros, in its place', async () => {
    const opened = await open('read', (packet, daemon) => {
      if (packet.type === TYPE.call) {
        daemon.packet(data, Buffer.from('a'))
        daemon.packet({ ...data, type: TYPE.hole }, holeOf(100_000n))
        daemon.packet(data, Buffer.from('b'))
        daemon.packet(data)
      } else if (packet.status === STATUS.ok) daemon.packet({ ...stream, status: STATUS.ok })
    })
    assert.equal(await collect(opened.stream), `a${'\0'.repeat(100_000)}b`)
  })

  test('sends zeros as holes when it is sparse, and finishes only when the daemon has confirmed', async () => {
    const seen: number[] = []
    const opened = await open(
      'write',
      (packet, daemon) => {
        if (packet.type !== TYPE.call) seen.push(packet.type === TYPE.hole ? -1 : packet.payload.length)
        if (packet.type === TYPE.stream && packet.status === STATUS.ok) daemon.packet({ ...stream, status: STATUS.ok })
      },
      true,
    )
    opened.stream.write(Buffer.from('data'))
    opened.stream.write(Buffer.alloc(4096))
    await new Promise<void>((resolve) => opened.stream.end(() => resolve()))
    assert.deepEqual(seen, [4, -1, 0])
  })

  test('fails with what the daemon says, and takes nothing more', async () => {
    const opened = await open('write', (packet, daemon) => {
      if (packet.type === TYPE.stream)
        daemon.packet({ ...stream, status: STATUS.error }, errorPayload(38, 'disk full', 28))
    })
    const failed = new Promise((resolve) => opened.stream.once('error', resolve))
    opened.stream.write('x')
    const error = await failed
    assert.ok(error instanceof LibvirtError)
    assert.deepEqual([error.codeName, error.int1, error.procedure], ['systemError', 28, 'TEST_STREAM'])
    assert.equal(opened.stream.destroyed, true)
  })

  test('fails with the connection', async () => {
    const opened = await open('both', (packet, daemon) => {
      if (packet.type === TYPE.stream) daemon.end()
    })
    const failed = new Promise((resolve) => opened.stream.once('error', resolve))
    opened.stream.write('x')
    assert.ok((await failed) instanceof ConnectionClosed)
  })

  test('aborts when it is destroyed, drains what is under way, and closes after the answer', async () => {
    let aborted = false
    const opened = await open('read', (packet, daemon) => {
      if (packet.type === TYPE.call) for (let i = 0; i < 200; i++) daemon.packet(data, Buffer.alloc(60_000))
      if (packet.type !== TYPE.stream || packet.status !== STATUS.error) return
      aborted = true
      daemon.packet({ ...stream, status: STATUS.ok })
    })
    await new Promise((resolve) => opened.stream.once('readable', resolve))
    await opened.stream[Symbol.asyncDispose]()
    assert.deepEqual([aborted, opened.released], [true, ['released']])
  })

  test('shows holes and data as extents, each with its offset, and ends as reading bytes does', async () => {
    const opened = await open('read', (packet, daemon) => {
      if (packet.type === TYPE.call) {
        daemon.packet(data, Buffer.from('ab'))
        daemon.packet({ ...data, type: TYPE.hole }, holeOf(2n ** 40n))
        daemon.packet(data, Buffer.from('c'))
        daemon.packet(data)
      } else if (packet.status === STATUS.ok) daemon.packet({ ...stream, status: STATUS.ok })
    })
    const extents = await Array.fromAsync(opened.stream.extents())
    assert.deepEqual(extents, [
      { offset: 0, length: 2, data: Buffer.from('ab') },
      { offset: 2, length: 2 ** 40, data: undefined },
      { offset: 2 + 2 ** 40, length: 1, data: Buffer.from('c') },
    ])
    assert.equal(opened.stream.closed, true)
    assert.deepEqual(opened.released, ['released'])
  })

  test('aborts when a loop over extents is left, and throws in it what the daemon says', async () => {
    const aborted: number[] = []
    const endless = await open('read', (packet, daemon) => {
      if (packet.type === TYPE.call) daemon.packet({ ...data, type: TYPE.hole }, holeOf(5n))
      else if (aborted.push(packet.status) > 0) daemon.packet({ ...stream, status: STATUS.ok })
    })
    for await (const { length } of endless.stream.extents()) if (length === 5) break
    assert.deepEqual(aborted, [STATUS.error])
    const failing = await open('read', (packet, daemon) => {
      if (packet.type === TYPE.call) daemon.packet({ ...stream, status: STATUS.error }, errorPayload(38, 'bad disk'))
    })
    await assert.rejects(Array.fromAsync(failing.stream.extents()), /bad disk/)
    assert.equal(failing.stream.destroyed, true)
  })

  test('is read one way only: as bytes or as extents', async () => {
    const opened = await open('read', () => {})
    opened.stream.resume()
    await assert.rejects(opened.stream.extents().next(), /being read already/)
  })

  test('puts a hole in its place among what is written', async () => {
    const seen: string[] = []
    const opened = await open(
      'write',
      (packet, daemon) => {
        if (packet.type === TYPE.hole) seen.push(`hole ${packet.payload.readBigInt64BE(0)}`)
        else if (packet.type === TYPE.stream && packet.payload.length > 0) seen.push(packet.payload.toString())
        if (packet.type === TYPE.stream && packet.status === STATUS.ok) daemon.packet({ ...stream, status: STATUS.ok })
      },
      true,
    )
    opened.stream.write('before')
    const hole = opened.stream.writeHole(2 ** 40)
    opened.stream.write('after')
    await hole
    await new Promise<void>((resolve) => opened.stream.end(() => resolve()))
    assert.deepEqual(seen, ['before', `hole ${2n ** 40n}`, 'after'])
  })

  test('refuses a hole where the daemon expects none, and one of no length', async () => {
    const plain = await open('write', () => {})
    await assert.rejects(plain.stream.writeHole(5), /not sparse/)
    const sparse = await open('write', () => {}, true)
    await assert.rejects(sparse.stream.writeHole(-1), /safe integer/)
  })

  test('stops reading the socket while nobody reads the stream, and goes on when somebody does', async () => {
    const sent = 400
    const opened = await open('read', (packet, daemon) => {
      if (packet.type === TYPE.call) {
        for (let i = 0; i < sent; i++) daemon.packet(data, Buffer.alloc(60_000))
        daemon.packet(data)
      } else if (packet.status === STATUS.ok) daemon.packet({ ...stream, status: STATUS.ok })
    })
    await sleep(50)
    assert.equal(opened.daemon.client.isPaused(), true)
    assert.equal((await collect(opened.stream)).length, sent * 60_000)
  })

  describe('as web streams', () => {
    test('reads to its end', async () => {
      const opened = await open('read', (packet, daemon) => {
        if (packet.type === TYPE.call) {
          daemon.packet(data, Buffer.from('one '))
          daemon.packet(data, Buffer.from('two'))
          daemon.packet(data)
        } else if (packet.status === STATUS.ok) daemon.packet({ ...stream, status: STATUS.ok })
      })
      assert.equal(await new Response(opened.stream.web.readable).text(), 'one two')
    })

    test('asks the daemon for no more than its reader takes', async () => {
      const opened = await open('read', (packet, daemon) => {
        if (packet.type === TYPE.call) for (let i = 0; i < 400; i++) daemon.packet(data, Buffer.alloc(60_000))
        else if (packet.status === STATUS.error) daemon.packet({ ...stream, status: STATUS.ok })
      })
      const reader = opened.stream.web.readable.getReader()
      await reader.read()
      await sleep(50)
      assert.equal(opened.daemon.client.isPaused(), true)
      await reader.cancel()
      await sleep(0)
      assert.equal(opened.stream.destroyed, true)
    })

    test('writes, waits for the confirmation when it is closed, and aborts when it is aborted', async () => {
      const seen: string[] = []
      const answer: Answer = (packet, daemon) => {
        if (packet.type !== TYPE.stream) return
        seen.push(packet.status === STATUS.continue ? packet.payload.toString() : `status ${packet.status}`)
        if (packet.status !== STATUS.continue) setTimeout(() => daemon.packet({ ...stream, status: STATUS.ok }), 20)
      }
      const opened = await open('write', answer)
      const writer = opened.stream.web.writable.getWriter()
      await writer.write(Buffer.from('up'))
      await writer.close()
      assert.deepEqual(opened.released, ['released'])
      const aborted = await open('write', answer)
      const gone = new Promise((resolve) => aborted.stream.once('close', resolve))
      await aborted.stream.web.writable.abort(new Error('enough'))
      await gone
      assert.deepEqual(seen, ['up', `status ${STATUS.ok}`, `status ${STATUS.error}`])
    })

    test('hands on what the daemon says', async () => {
      const opened = await open('read', (packet, daemon) => {
        if (packet.type === TYPE.call) daemon.packet({ ...stream, status: STATUS.error }, errorPayload(38, 'bad disk'))
      })
      await assert.rejects(new Response(opened.stream.web.readable).text(), LibvirtError)
    })
  })

  test('closes also when the daemon never answers an abort', async () => {
    const opened = await open('both', () => {})
    await opened.stream[Symbol.asyncDispose]()
    assert.deepEqual(opened.released, ['released'])
  })
})
