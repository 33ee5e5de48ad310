/**
 * Rows of the procedure tables, and the methods made of them. One row gives the number, the wire form and the types
 * of a method; the object a method belongs to is always the first argument on the wire.
 */
import {
  type AnyCodec,
  type Codec,
  type Fields,
  fixed,
  type Input,
  i32,
  type Output,
  readFields,
  writeFields,
} from './codecs.ts'
import { PROGRAM } from './protocol.ts'
import type { Binder } from './references.ts'
import type { CallOptions } from './rpc.ts'
import type { LibvirtStream, StreamDirection } from './stream.ts'
import { Reader, Writer } from './xdr.ts'

export interface Call<A extends Fields = Fields, R extends Fields = Fields> {
  readonly kind: 'call'
  /** libvirt's name without its prefix, as `DOMAIN_CREATE`. */
  readonly name: string
  readonly program: number
  readonly procedure: number
  /** The release of libvirt whose function it is, as `9.7.0`. */
  readonly since: string
  readonly args: A
  readonly result: R
  /**
   * True for calls that may last minutes: they run on a second connection, since a daemon stops reading one that waits
   * for five.
   */
  readonly isLong: boolean
  /** Asks how many elements the result will have, of a daemon that sends them only to who says that very number. */
  readonly count?: Call
}

export interface StreamCall<A extends Fields = Fields, R extends Fields = Fields> extends Omit<Call<A, R>, 'kind'> {
  readonly kind: 'stream'
  readonly direction: StreamDirection
}

export type Row = Call | StreamCall
export type Table = Readonly<Record<string, Row>>

export interface Traits {
  /** It may last minutes (saves, dumps, migrations, whatever waits for a guest). */
  readonly isLong?: boolean
}

const noFields = {}
type NoFields = typeof noFields

/** A procedure of the remote program. */
export function call<A extends Fields = NoFields, R extends Fields = NoFields>(
  name: string,
  procedure: number,
  since: string,
  args?: A,
  result?: R,
  traits: Traits = {},
): Call<A, R> {
  return {
    kind: 'call',
    name,
    program: PROGRAM.remote,
    procedure,
    since,
    args: (args ?? noFields) as A,
    result: (result ?? noFields) as R,
    isLong: traits.isLong ?? false,
  }
}

/** The `nparams` of a `countedCall`: callers never see it. */
export const learntCount: Codec<undefined, number | undefined, 'hidden'> = {
  presence: 'hidden',
  shape: i32.shape,
  read: () => undefined,
  write: (writer, count = 0) => i32.write(writer, count),
}

/**
 * A procedure that sends its `params` only to who says how many there are. Its method makes two calls: the first, with
 * `nparams` 0, is answered with the number.
 */
export function countedCall<A extends Fields & { readonly nparams: typeof learntCount }, Out>(
  name: string,
  procedure: number,
  since: string,
  args: A,
  params: Codec<Out, never>,
): Call<A, { params: Codec<Out, never>; nparams: Codec<undefined, undefined, 'hidden'> }> {
  const count = call(name, procedure, since, args, { params: hidden(params), nparams: i32 })
  return { ...call(name, procedure, since, args, { params, nparams: hidden(i32) }), count }
}

/** A procedure of the QEMU program. */
export function qemuCall<A extends Fields, R extends Fields = NoFields>(
  name: string,
  procedure: number,
  since: string,
  args: A,
  result?: R,
  traits: Traits = {},
): Call<A, R> {
  return { ...call(name, procedure, since, args, result, traits), program: PROGRAM.qemu }
}

/** A procedure that opens a stream; it runs on a connection of its own. */
export function streamCall<A extends Fields, R extends Fields = NoFields>(
  name: string,
  procedure: number,
  since: string,
  direction: StreamDirection,
  args: A,
  result?: R,
): StreamCall<A, R> {
  return { ...call(name, procedure, since, args, result), kind: 'stream', direction }
}

function hidden(inner: AnyCodec): Codec<undefined, undefined, 'hidden'> {
  return fixed(inner, undefined as never)
}

type Simplify<T> = { [K in keyof T]: T[K] } & {}
type IsUnion<T, Whole = T> = [T] extends [never]
  ? false
  : T extends Whole
    ? [Whole] extends [T]
      ? false
      : true
    : never
type RequiredKeys<T> = { [K in keyof T]-?: Partial<Pick<T, K>> extends Pick<T, K> ? never : K }[keyof T]

/** Also a row that gives `undefined` for its result, for the sake of its traits: `R` is then any fields at all. */
type HasNoFields<R extends Fields> = string extends keyof R ? true : keyof Output<R> extends never ? true : false

/** No visible field is `void`, one is returned bare, several as an object. */
type Result<R extends Fields> =
  HasNoFields<R> extends true
    ? undefined
    : IsUnion<keyof Output<R>> extends true
      ? Simplify<Output<R>>
      : Output<R>[keyof Output<R>]
type Returned<T extends Row> =
  T extends StreamCall<Fields, infer R>
    ? keyof Output<R> extends never
      ? LibvirtStream
      : Simplify<Output<R> & { readonly stream: LibvirtStream }>
    : T extends Call<Fields, infer R>
      ? Result<R>
      : never
/** What a method takes: its fields by name, and how long to wait. */
export type Arguments<A extends Fields> = Simplify<Input<A> & CallOptions>
type Method<T extends Row> =
  RequiredKeys<Input<T['args']>> extends never
    ? (args?: Arguments<T['args']>) => Promise<Returned<T>>
    : (args: Arguments<T['args']>) => Promise<Returned<T>>
/** The methods of a table. */
export type Methods<T extends Table> = { readonly [K in keyof T]: Method<T[K]> }

/** The object a method is called on, with the codec that writes its identity. */
export interface Self {
  readonly codec: AnyCodec
  readonly value: unknown
}

/** What carries out rows: a `Connect`. */
export interface Invoker {
  invoke(row: Row, args: Readonly<Record<string, unknown>>, self?: Self): Promise<unknown>
}

/** A base class whose objects have the methods of a table and belong to a connection. */
export function liveObject<T extends Table>(
  table: T,
  codec: AnyCodec,
): new (
  connect: Invoker,
) => Methods<T> & { readonly connect: Invoker } {
  class LiveObject {
    readonly connect: Invoker

    constructor(connect: Invoker) {
      this.connect = connect
    }
  }
  define(LiveObject.prototype, table, (row) => {
    return function (this: LiveObject, args: Readonly<Record<string, unknown>> = {}) {
      return carryOut(this.connect, row, args, { codec, value: this })
    }
  })
  return LiveObject as new (
    connect: Invoker,
  ) => LiveObject & Methods<T>
}

/** A base class for the connection itself: its methods have no object on the wire. */
export function invoker<T extends Table>(table: T): abstract new () => Methods<T> {
  abstract class InvokerObject implements Invoker {
    abstract invoke(row: Row, args: Readonly<Record<string, unknown>>, self?: Self): Promise<unknown>
  }
  define(InvokerObject.prototype, table, (row) => {
    return function (this: Invoker, args: Readonly<Record<string, unknown>> = {}) {
      return carryOut(this, row, args)
    }
  })
  return InvokerObject as unknown as abstract new () => Methods<T>
}

function carryOut(target: Invoker, row: Row, args: Readonly<Record<string, unknown>>, self?: Self): Promise<unknown> {
  return row.count === undefined ? target.invoke(row, args, self) : countAndAsk(target, row, row.count, args, self)
}

async function countAndAsk(
  target: Invoker,
  row: Row,
  count: Call,
  args: Readonly<Record<string, unknown>>,
  self: Self | undefined,
): Promise<unknown> {
  const nparams = await target.invoke(count, args, self)
  return await target.invoke(row, { ...args, nparams }, self)
}

function define(prototype: object, table: Table, method: (row: Row) => unknown): void {
  for (const [name, row] of Object.entries(table))
    Object.defineProperty(prototype, name, { value: method(row), configurable: true, writable: true })
}

/** @throws {LibvirtError} `invalidArg` for an argument the daemon must not see. */
export function encodeArguments(row: Row, args: Readonly<Record<string, unknown>>, self?: Self): Buffer {
  const writer = new Writer()
  self?.codec.write(writer, self.value as never)
  writeFields(writer, row.args, args)
  return writer.bytes()
}

/** @throws {MalformedPacket} */
export function decodeResult(row: Row, payload: Buffer, binder: Binder | undefined): Readonly<Record<string, unknown>> {
  const reader = new Reader(payload, binder)
  const result = readFields(reader, row.result)
  reader.end()
  return result
}

/** Nothing, the one field, or all of them. */
export function unwrapResult(row: Row, result: Readonly<Record<string, unknown>>): unknown {
  const visible = Object.entries(row.result).filter(([, codec]) => codec.presence !== 'hidden')
  const [only] = visible
  if (only === undefined) return undefined
  return visible.length === 1 ? result[only[0]] : result
}
