/** The other end of a libvirt connection, in this process: it reads packets and answers what a test tells it to. */
import { type Duplex, duplexPair } from 'node:stream'
import { maybe, string, u32 } from '../../src/libvirt/codecs.ts'
import {
  encodeHeader,
  FrameSplitter,
  type Header,
  type Packet,
  PROGRAM,
  STATUS,
  TYPE,
} from '../../src/libvirt/protocol.ts'
import { Writer } from '../../src/libvirt/xdr.ts'

export class FakeDaemon {
  readonly client: Duplex
  readonly received: Packet[] = []
  readonly #socket: Duplex

  /** @param answer Called for every packet that arrives. */
  constructor(answer: (packet: Packet, daemon: FakeDaemon) => void) {
    const [client, socket] = duplexPair()
    this.client = client
    this.#socket = socket
    const splitter = new FrameSplitter()
    socket.on('data', (piece: Buffer) => {
      splitter.push(piece)
      for (let packet = splitter.next(); packet !== undefined; packet = splitter.next()) {
        this.received.push(packet)
        answer(packet, this)
      }
    })
    socket.on('error', () => {})
  }

  /** Sends bytes as they are. */
  raw(bytes: Uint8Array): void {
    this.#socket.write(bytes)
  }

  packet(header: Partial<Header>, payload: Uint8Array = Buffer.alloc(0)): void {
    this.raw(framed(header, payload))
  }

  /** Answers a call with success. */
  reply(call: Packet, payload: Uint8Array = Buffer.alloc(0)): void {
    this.packet({ ...call, type: TYPE.reply, status: STATUS.ok }, payload)
  }

  /** Answers a call with an error. */
  refuse(call: Packet, code: number, message: string): void {
    this.packet({ ...call, type: TYPE.reply, status: STATUS.error }, errorPayload(code, message))
  }

  end(): void {
    this.#socket.destroy()
  }
}

/** A whole packet; fields not given are those of a successful reply of the remote program. */
export function framed(header: Partial<Header>, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const whole = { program: PROGRAM.remote, procedure: 1, type: TYPE.reply, serial: 1, status: STATUS.ok, ...header }
  return Buffer.concat([encodeHeader(whole, payload.length), payload])
}

export function errorPayload(code: number, message: string, int1 = 0): Buffer {
  const writer = new Writer()
  writer.i32(code)
  writer.i32(7)
  maybe(string).write(writer, message)
  writer.i32(2)
  for (let absent = 0; absent < 4; absent++) u32.write(writer, 0)
  writer.i32(int1)
  writer.i32(0)
  writer.u32(0)
  return writer.bytes()
}
