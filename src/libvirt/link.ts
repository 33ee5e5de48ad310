/**
 * One link to a daemon: reached, authenticated, opened. A connection has several: its main one, one for calls that last
 * long, one for each stream.
 */
import { authenticate } from './auth.ts'
import { flags, maybe, string } from './codecs.ts'
import { hostMethods } from './connect-host.ts'
import type { CredentialsSource } from './credentials.ts'
import { ConnectionClosed, LibvirtError, type RemoteError } from './error.ts'
import { call, decodeResult, encodeArguments, type Row, type Self } from './methods.ts'
import type { Binder } from './references.ts'
import { type CallOptions, type Keepalive, Rpc, type StreamSink } from './rpc.ts'
import { dial, surroundings } from './transport.ts'
import type { Target } from './uri.ts'

/** To reach the daemon and for each step of opening, except for what a person is asked. */
const OPEN_TIMEOUT_MS = 30_000
/** The protocol's number of "sends and answers keepalive"; the one feature that may be asked before opening. */
const KEEPALIVE_FEATURE = 10
/** As libvirt's own client has it. */
const KEEPALIVE_DEFAULT: Keepalive = { intervalMs: 5000, count: 5 }

export const sessionMethods = {
  /** Opens the driver; once for a link. */
  open: call('CONNECT_OPEN', 1, '0.0.3', { name: maybe(string), flags: flags({ readonly: 1 }) }),
  /** Says goodbye; the daemon then ends the connection. */
  close: call('CONNECT_CLOSE', 2, '0.0.3'),
}

export interface LinkOptions extends CallOptions {
  /** Asks the daemon to refuse every change. */
  readonly readonly?: boolean
  /** Who to be where the daemon asks (SASL): an object, or a function that is asked. Without it libvirt's auth file counts. */
  readonly credentials?: CredentialsSource | undefined
  /**
   * How a dead peer is found out. Without it: every 5 s, five times, over ssh, TLS and TCP; not over the local socket,
   * which ends with its daemon. `false` is never.
   */
  readonly keepalive?: Keepalive | false
}

export type LinkUse = 'calls' | 'stream'

/** A session's daemon that was just leaving gets a second try. */
export async function openLink(target: Target, options: LinkOptions, use: LinkUse = 'calls'): Promise<Rpc> {
  try {
    return await openOnce(target, options, use)
  } catch (error) {
    if (!target.spawn || !(error instanceof ConnectionClosed)) throw error
    return openOnce(target, options, use)
  }
}

async function openOnce(target: Target, options: LinkOptions, use: LinkUse): Promise<Rpc> {
  const limits = { signal: options.signal, timeoutMs: options.timeoutMs ?? OPEN_TIMEOUT_MS }
  const around = surroundings()
  const rpc = new Rpc(await dial(target, around, limits))
  try {
    await authenticate(
      rpc,
      target,
      { ...limits, credentials: options.credentials, personTimeoutMs: options.timeoutMs },
      around,
    )
    await startKeepalive(rpc, target, options, use, limits)
    const flagNames = options.readonly === true ? ['readonly'] : []
    await perform(rpc, sessionMethods.open, { name: target.name, flags: flagNames }, limits)
    return rpc
  } catch (error) {
    rpc.close(new ConnectionClosed('the libvirt connection was not opened'))
    throw error
  }
}

/** A stream's link may stand still for its reader: there the daemon must not expect answers, so it is not told. */
async function startKeepalive(
  rpc: Rpc,
  target: Target,
  options: LinkOptions,
  use: LinkUse,
  limits: CallOptions,
): Promise<void> {
  const keepalive = options.keepalive ?? (target.isLocal ? false : KEEPALIVE_DEFAULT)
  if (keepalive === false) return
  if (use === 'calls') await perform(rpc, hostMethods.supportsFeature, { feature: KEEPALIVE_FEATURE }, limits)
  rpc.keepAlive(keepalive)
}

export interface Surround {
  readonly self?: Self | undefined
  readonly binder?: Binder
  readonly stream?: StreamSink
}

/** One call. The error is made here, so that its stack leads to the caller. */
export async function perform(
  rpc: Rpc,
  row: Row,
  args: Readonly<Record<string, unknown>>,
  options: CallOptions,
  around: Surround = {},
): Promise<Readonly<Record<string, unknown>>> {
  const { name, program, procedure } = row
  const payload = encodeArguments(row, args, around.self)
  const decode = (reply: Buffer) => decodeResult(row, reply, around.binder)
  const stream = around.stream === undefined ? {} : { stream: around.stream }
  const reply = await rpc.call({ name, program, procedure, payload, decode, ...stream }, options)
  if (!reply.ok) throw failure(row, reply.error)
  return reply.value
}

/** An older daemon says only the number of what it does not know: say which release does. */
function failure(row: Row, error: RemoteError): LibvirtError {
  const isUnknown = error.code === 3 && error.message.startsWith('unknown procedure')
  const message = isUnknown ? `${row.name} needs libvirt ${row.since} or later; this daemon is older` : error.message
  return new LibvirtError({ ...error, message }, { procedure: row.name })
}
