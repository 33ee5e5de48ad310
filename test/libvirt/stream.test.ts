/** Streams against a peer in this process; with real daemons in storage.test.ts and domain.test.ts. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
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
  return { daemon, stream, released }
}

const stream = { procedure: PROCEDURE, type: TYPE.stream, serial: 1 }
const data = { ...stream, status: STATUS.continue }

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
    const hole = new Writer()
    hole.i64(100_000n)
    hole.u32(0)
    const opened = await open('read', (packet, daemon) => {
      if (packet.type === TYPE.call) {
        daemon.packet(data, Buffer.from('a'))
        daemon.packet({ ...data, type: TYPE.hole }, hole.bytes())
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

  test('closes also when the daemon never answers an abort', async () => {
    const opened = await open('both', () => {})
    await opened.stream[Symbol.asyncDispose]()
    assert.deepEqual(opened.released, ['released'])
  })
})
