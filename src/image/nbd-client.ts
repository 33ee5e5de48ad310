/**
 * A client of the network block device protocol over a local socket: how the disks of a running machine are read while
 * QEMU offers them, and how images are read and written through QEMU's own tools without a copy of them.
 *
 * Source: the NBD project's doc/proto.md (fixed newstyle, structured replies, metadata contexts). Test oracle: `qemu-nbd`.
 */
import { connect, type Socket } from 'node:net'
import { isVmpkgError, VmpkgError } from '../errors.ts'

export interface NbdOptions {
  readonly socket: string
  readonly exportName: string
  /** Metadata contexts that are asked for: `base:allocation`, `qemu:dirty-bitmap:NAME`. */
  readonly contexts?: readonly string[]
  readonly signal?: AbortSignal | undefined
}

/** A run of bytes of which one context says the same. */
interface NbdExtent {
  readonly length: number
  /** `base:allocation`: 1 hole, 2 reads as zeros; `qemu:dirty-bitmap:`: 1 changed. */
  readonly flags: number
}

export interface NbdDisk extends AsyncDisposable {
  /** Bytes. */
  readonly size: number
  read(offset: number, length: number): Promise<Buffer>
  write(offset: number, bytes: Uint8Array): Promise<void>
  writeZeros(offset: number, length: number): Promise<void>
  /** What was written is on the disk afterwards. */
  flush(): Promise<void>
  /** Extents from `offset` on, which may end before `length` does; by context. */
  blockStatus(offset: number, length: number): Promise<ReadonlyMap<string, readonly NbdExtent[]>>
}

/** The largest request that every server takes. */
const MAX_NBD_BYTES = 32 * 1024 * 1024
const MAX_REPLY_BYTES = MAX_NBD_BYTES + 64 * 1024

const INIT_MAGIC = 0x4e42444d41474943n
const OPTION_MAGIC = 0x49484156454f5054n
const OPTION_REPLY_MAGIC = 0x3e889045565a9n
const REQUEST_MAGIC = 0x25609513
const SIMPLE_MAGIC = 0x67446698
const STRUCTURED_MAGIC = 0x668e33ef
const OPTION = { go: 7, structuredReply: 8, setMetaContext: 10 }
const REPLY = { ack: 1, info: 3, metaContext: 4 }
const COMMAND = { read: 0, write: 1, disconnect: 2, flush: 3, writeZeroes: 6, blockStatus: 7 }
const CHUNK = { none: 0, data: 1, hole: 2, status: 5 }
const ERROR_BIT = 0x8000
const DONE_FLAG = 1
const HAS_FLAGS = 1
const FLAG = { flush: 4, zeroes: 64 }

/** @throws {VmpkgError} `DISK_FAILED` where nobody answers, or what answers is no such server */
export async function openNbd({ socket: path, exportName, contexts = [], signal }: NbdOptions): Promise<NbdDisk> {
  const socket = connect(path)
  const abort = (): void => void socket.destroy(new VmpkgError('ABORTED', 'Reading of a disk was interrupted'))
  signal?.addEventListener('abort', abort, { once: true })
  try {
    const reader = new SocketReader(socket)
    const { size, flags, ids } = await negotiate(socket, reader, exportName, contexts)
    return new Connection(socket, reader, {
      size,
      flags,
      ids,
      release: () => signal?.removeEventListener('abort', abort),
    })
  } catch (error) {
    signal?.removeEventListener('abort', abort)
    socket.destroy()
    throw error
  }
}

interface Negotiated {
  readonly size: number
  readonly flags: number
  /** Names of contexts by their ids. */
  readonly ids: ReadonlyMap<number, string>
}

async function negotiate(
  socket: Socket,
  reader: SocketReader,
  exportName: string,
  contexts: readonly string[],
): Promise<Negotiated> {
  const greeting = await reader.read(18)
  if (greeting.readBigUInt64BE(0) !== INIT_MAGIC || greeting.readBigUInt64BE(8) !== OPTION_MAGIC) {
    throw broken('does not speak the protocol')
  }
  const fixedNewstyle = Buffer.alloc(4)
  fixedNewstyle.writeUInt32BE(1)
  socket.write(fixedNewstyle)
  await option(socket, reader, OPTION.structuredReply, Buffer.alloc(0), () => {})
  const name = withLength(exportName)
  const ids = new Map<number, string>()
  if (contexts.length > 0) {
    const queries = [name, number32(contexts.length), ...contexts.map(withLength)]
    await option(socket, reader, OPTION.setMetaContext, Buffer.concat(queries), (type, body) => {
      if (type === REPLY.metaContext) ids.set(body.readUInt32BE(0), body.toString('utf8', 4))
    })
    for (const wanted of contexts) {
      if (![...ids.values()].includes(wanted)) throw broken(`does not know ${wanted}`)
    }
  }
  let size: number | undefined
  let flags = 0
  await option(socket, reader, OPTION.go, Buffer.concat([name, Buffer.alloc(2)]), (type, body) => {
    if (type !== REPLY.info || body.readUInt16BE(0) !== 0) return
    size = Number(body.readBigUInt64BE(2))
    flags = body.readUInt16BE(10)
  })
  if (size === undefined || !Number.isSafeInteger(size)) throw broken('does not say how large the disk is')
  return { size, flags, ids }
}

/** Sends one option and hands on its replies until the server acknowledges it. */
async function option(
  socket: Socket,
  reader: SocketReader,
  number: number,
  data: Buffer,
  onReply: (type: number, body: Buffer) => void,
): Promise<void> {
  const head = Buffer.alloc(16)
  head.writeBigUInt64BE(OPTION_MAGIC, 0)
  head.writeUInt32BE(number, 8)
  head.writeUInt32BE(data.length, 12)
  socket.write(Buffer.concat([head, data]))
  for (;;) {
    const reply = await reader.read(20)
    const length = reply.readUInt32BE(16)
    if (reply.readBigUInt64BE(0) !== OPTION_REPLY_MAGIC || length > MAX_REPLY_BYTES) throw broken('answers nonsense')
    const body = await reader.read(length)
    const type = reply.readUInt32BE(12)
    if (type >= 0x80000000) throw broken(`refuses: ${JSON.stringify(body.toString('utf8').slice(0, 200))}`)
    if (type === REPLY.ack) return
    onReply(type, body)
  }
}

interface Pending {
  readonly offset: number
  readonly length: number
  readonly data: Buffer | undefined
  readonly extents: Map<string, NbdExtent[]>
  failure: Error | undefined
  readonly done: PromiseWithResolvers<void>
}

class Connection implements NbdDisk {
  readonly size: number
  readonly #socket: Socket
  readonly #reader: SocketReader
  readonly #flags: number
  readonly #ids: ReadonlyMap<number, string>
  readonly #release: () => void
  readonly #pending = new Map<bigint, Pending>()
  readonly #pump: Promise<void>
  #next = 1n
  #failure: Error | undefined

  constructor(socket: Socket, reader: SocketReader, facts: Negotiated & { readonly release: () => void }) {
    this.size = facts.size
    this.#socket = socket
    this.#reader = reader
    this.#flags = facts.flags
    this.#ids = facts.ids
    this.#release = facts.release
    this.#pump = this.#run()
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const data = Buffer.alloc(length)
    await this.#request(COMMAND.read, offset, length, { data })
    return data
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    await this.#request(COMMAND.write, offset, bytes.length, { payload: bytes })
  }

  async writeZeros(offset: number, length: number): Promise<void> {
    if ((this.#flags & HAS_FLAGS) === 0 || (this.#flags & FLAG.zeroes) === 0) {
      for (let done = 0; done < length; done += MAX_NBD_BYTES) {
        await this.write(offset + done, Buffer.alloc(Math.min(MAX_NBD_BYTES, length - done)))
      }
      return
    }
    await this.#request(COMMAND.writeZeroes, offset, length, {})
  }

  async flush(): Promise<void> {
    if ((this.#flags & FLAG.flush) !== 0) await this.#request(COMMAND.flush, 0, 0, {})
  }

  async blockStatus(offset: number, length: number): Promise<ReadonlyMap<string, readonly NbdExtent[]>> {
    return (await this.#request(COMMAND.blockStatus, offset, length, {})).extents
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#release()
    if (this.#failure === undefined) this.#socket.end(request(COMMAND.disconnect, 0n, 0, 0))
    // A server that goes on talking is not waited for.
    const patience = setTimeout(() => this.#socket.destroy(), 5000)
    await this.#pump
    clearTimeout(patience)
    this.#socket.destroy()
  }

  async #request(
    command: number,
    offset: number,
    length: number,
    { data, payload }: { readonly data?: Buffer; readonly payload?: Uint8Array },
  ): Promise<Pending> {
    if (this.#failure !== undefined) throw this.#failure
    const cookie = this.#next++
    const pending: Pending = {
      offset,
      length,
      data,
      extents: new Map(),
      failure: undefined,
      done: Promise.withResolvers<void>(),
    }
    this.#pending.set(cookie, pending)
    this.#socket.write(request(command, cookie, offset, length))
    if (payload !== undefined) this.#socket.write(payload)
    await pending.done.promise
    return pending
  }

  async #run(): Promise<void> {
    try {
      for (;;) await this.#readReply()
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error))
      for (const { done } of this.#pending.values()) done.reject(this.#failure)
      this.#pending.clear()
    }
  }

  async #readReply(): Promise<void> {
    const magic = (await this.#reader.read(4)).readUInt32BE(0)
    if (magic === SIMPLE_MAGIC) {
      const rest = await this.#reader.read(12)
      const cookie = rest.readBigUInt64BE(4)
      const pending = this.#find(cookie)
      const error = rest.readUInt32BE(0)
      if (error !== 0) pending.failure = failed(error, '')
      else if (pending.data !== undefined) (await this.#reader.read(pending.length)).copy(pending.data)
      this.#finish(cookie, pending)
      return
    }
    if (magic !== STRUCTURED_MAGIC) throw broken('answers nonsense')
    const rest = await this.#reader.read(16)
    const cookie = rest.readBigUInt64BE(4)
    const pending = this.#find(cookie)
    const length = rest.readUInt32BE(12)
    if (length > MAX_REPLY_BYTES) throw broken('answers with too much')
    readChunk(rest.readUInt16BE(2), await this.#reader.read(length), pending, this.#ids)
    if ((rest.readUInt16BE(0) & DONE_FLAG) !== 0) this.#finish(cookie, pending)
  }

  #find(cookie: bigint): Pending {
    const pending = this.#pending.get(cookie)
    if (pending === undefined) throw broken('answers what nobody asked')
    return pending
  }

  #finish(cookie: bigint, { failure, done }: Pending): void {
    this.#pending.delete(cookie)
    if (failure === undefined) done.resolve()
    else done.reject(failure)
  }
}

function readChunk(type: number, body: Buffer, pending: Pending, ids: ReadonlyMap<number, string>): void {
  if ((type & ERROR_BIT) !== 0) {
    const words = body.length < 6 ? '' : body.toString('utf8', 6, 6 + body.readUInt16BE(4))
    pending.failure = failed(body.length < 4 ? 0 : body.readUInt32BE(0), words)
  } else if (type === CHUNK.data || type === CHUNK.hole) {
    copyData(type, body, pending)
  } else if (type === CHUNK.status) {
    const context = ids.get(body.readUInt32BE(0))
    if (context === undefined) return
    const extents: NbdExtent[] = []
    for (let at = 4; at + 8 <= body.length; at += 8) {
      extents.push({ length: body.readUInt32BE(at), flags: body.readUInt32BE(at + 4) })
    }
    pending.extents.set(context, extents)
  } else if (type !== CHUNK.none) throw broken('answers in an unknown way')
}

function copyData(type: number, body: Buffer, { data, offset, length }: Pending): void {
  if (body.length < 8) throw broken('answers with too little')
  const start = Number(body.readBigUInt64BE(0)) - offset
  const bytes = type === CHUNK.data ? body.subarray(8) : Buffer.alloc(0)
  const end = start + (type === CHUNK.data ? bytes.length : body.readUInt32BE(8))
  if (data === undefined || start < 0 || end > length) throw broken('answers what nobody asked')
  bytes.copy(data, start) // a hole is zeros, which the buffer has
}

function request(command: number, cookie: bigint, offset: number, length: number): Buffer {
  const head = Buffer.alloc(28)
  head.writeUInt32BE(REQUEST_MAGIC, 0)
  head.writeUInt16BE(command, 6)
  head.writeBigUInt64BE(cookie, 8)
  head.writeBigUInt64BE(BigInt(offset), 16)
  head.writeUInt32BE(length, 24)
  return head
}

/** Takes bytes off a socket in the portions that the protocol has; as nobody reads ahead, the sender waits. */
class SocketReader {
  readonly #pieces: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)

  constructor(socket: Socket) {
    this.#pieces = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  }

  async read(length: number): Promise<Buffer> {
    if (this.#rest.length >= length) return this.#take(length)
    const whole = Buffer.allocUnsafe(length)
    let filled = 0
    for (;;) {
      const piece = this.#take(Math.min(this.#rest.length, length - filled))
      piece.copy(whole, filled)
      filled += piece.length
      if (filled === length) return whole
      this.#rest = await this.#more()
    }
  }

  #take(length: number): Buffer {
    const taken = this.#rest.subarray(0, length)
    this.#rest = this.#rest.subarray(length)
    return taken
  }

  async #more(): Promise<Buffer> {
    try {
      const next = await this.#pieces.next()
      if (next.done !== true) return next.value
    } catch (cause) {
      if (isVmpkgError(cause)) throw cause
      throw broken('is gone', cause)
    }
    throw broken('is gone')
  }
}

function withLength(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([number32(bytes.length), bytes])
}

function number32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function failed(number: number, words: string): VmpkgError {
  const said = words === '' ? '' : `: ${JSON.stringify(words.slice(0, 200))}`
  if (number === 28) return new VmpkgError('NO_SPACE', `The disk became full while an image was written${said}`)
  return new VmpkgError('DISK_FAILED', `QEMU could not read or write a disk (error ${number})${said}`)
}

function broken(fact: string, cause?: unknown): VmpkgError {
  return new VmpkgError('DISK_FAILED', `The server of a disk ${fact}`, {
    hint: 'The machine may have been stopped meanwhile: look at vmpkg status, and run the command again.',
    cause,
  })
}
