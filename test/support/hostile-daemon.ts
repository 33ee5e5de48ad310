/**
 * A daemon on a unix socket of its own, in this process. It keeps to the protocol as long as nothing else is asked of
 * it: it lets everybody in, registers events, confirms streams and answers every call of the tables with random valid
 * values. A test gives it a plan for the calls that it shall answer otherwise.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventRegistration } from '../../src/libvirt/events.ts'
import type { Row } from '../../src/libvirt/methods.ts'
import {
  FrameSplitter,
  type Header,
  KEEPALIVE,
  type Packet,
  PROGRAM,
  STATUS,
  TYPE,
} from '../../src/libvirt/protocol.ts'
import { errorPayload, framed } from './fake-libvirt.ts'
import { connectionTables, objectTables } from './libvirt-tables.ts'
import { Random } from './random.ts'
import { shapesOf, wireOf } from './wire-values.ts'

/** What to do with a packet; true when nothing is left to do. */
type Plan = (packet: Packet, link: Link) => boolean

const SUPPORTS_FEATURE = 60
const tables = [...Object.values(objectTables).map(({ methods }) => methods), ...Object.values(connectionTables)]
const rows = new Map(tables.flatMap((table) => Object.values(table) as Row[]).map((row) => [keyOf(row), row]))
const registrations = new Set(Object.values(eventRegistration).map(({ register }) => keyOf(register)))

/** One connection of a client. */
export class Link {
  readonly socket: Socket
  /** Numbers that registrations got. */
  callbacks = 0
  #allowance = Number.POSITIVE_INFINITY

  constructor(socket: Socket) {
    this.socket = socket
  }

  /** Sends as much as is allowed; where the allowance ends the connection does. */
  raw(bytes: Uint8Array): boolean {
    const sent = bytes.subarray(0, Math.min(bytes.length, this.#allowance))
    this.#allowance -= sent.length
    const wantsMore = this.socket.write(sent)
    if (this.#allowance === 0) this.socket.destroySoon()
    return wantsMore
  }

  /** The connection ends after this many bytes to the client. */
  allow(bytes: number): void {
    this.#allowance = bytes
    if (bytes === 0) this.socket.destroySoon()
  }

  packet(header: Partial<Header>, payload?: Uint8Array): boolean {
    return this.raw(framed(header, payload))
  }

  /** Answers a call with success. */
  reply(call: Packet, payload?: Uint8Array): void {
    this.packet({ ...call, type: TYPE.reply, status: STATUS.ok }, payload)
  }

  /** Sends the same bytes again and again, as fast as the client takes them, until it is gone or `count` is reached. */
  async flood(bytes: Uint8Array, count: number): Promise<void> {
    for (let sent = 0; sent < count && !this.socket.destroyed; sent++)
      if (!this.raw(bytes))
        await new Promise<void>((resolve) => {
          const go = () => {
            this.socket.off('drain', go).off('close', go)
            resolve()
          }
          this.socket.on('drain', go).on('close', go)
        })
  }
}

export class HostileDaemon implements AsyncDisposable {
  readonly uri: string
  readonly links = new Set<Link>()
  plan: Plan = () => false
  /** Called for every connection before anything is read. */
  onLink: (link: Link) => void = () => {}
  readonly #server: Server
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
    this.uri = `test:///default?socket=${socketIn(folder)}`
    this.#server = createServer((socket) => this.#serve(socket))
  }

  static async start(plan?: Plan): Promise<HostileDaemon> {
    const daemon = new HostileDaemon(await mkdtemp(join(tmpdir(), 'vmpkg-hostile-')))
    if (plan !== undefined) daemon.plan = plan
    await new Promise<void>((resolve, reject) => {
      daemon.#server.once('error', reject).listen(socketIn(daemon.#folder), resolve)
    })
    return daemon
  }

  /** Ends all connections, unread bytes or not. */
  drop(): void {
    for (const { socket } of this.links) socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.drop()
    await new Promise((resolve) => this.#server.close(resolve))
    await rm(this.#folder, { recursive: true, force: true })
  }

  #serve(socket: Socket): void {
    const link = new Link(socket)
    this.links.add(link)
    socket.on('close', () => this.links.delete(link)).on('error', () => {})
    this.onLink(link)
    const splitter = new FrameSplitter()
    socket.on('data', (piece: Buffer) => {
      splitter.push(piece)
      for (let packet = splitter.next(); packet !== undefined; packet = splitter.next())
        if (!this.plan(packet, link)) answerHonestly(packet, link)
    })
  }
}

export function keyOf({ program, procedure }: { readonly program: number; readonly procedure: number }): string {
  return `${program}:${procedure}`
}

function socketIn(folder: string): string {
  return join(folder, 'sock')
}

function answerHonestly(packet: Packet, link: Link): void {
  if (packet.program === PROGRAM.keepalive) {
    if (packet.procedure === KEEPALIVE.ping) link.packet({ ...packet, procedure: KEEPALIVE.pong })
    return
  }
  if (packet.type === TYPE.stream && packet.status !== STATUS.continue)
    return void link.packet({ ...packet, status: STATUS.ok })
  if (packet.type !== TYPE.call) return
  const row = rows.get(keyOf(packet))
  if (row === undefined)
    return void link.packet(
      { ...packet, type: TYPE.reply, status: STATUS.error },
      errorPayload(39, 'unknown procedure'),
    )
  if (row.name === 'AUTH_LIST') return link.reply(packet, words(1, 0))
  if (row.procedure === SUPPORTS_FEATURE && row.program === PROGRAM.remote) return link.reply(packet, words(1))
  if (registrations.has(keyOf(row))) return link.reply(packet, words(link.callbacks++))
  link.reply(packet, wireOf(new Random(packet.serial), shapesOf(row.result)).bytes)
}

/** Words of four bytes. */
export function words(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * 4)
  for (const [i, number] of numbers.entries()) bytes.writeUInt32BE(number >>> 0, i * 4)
  return bytes
}
