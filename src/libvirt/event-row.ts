/** One row of the event tables. */
import { type Codec, i32 } from './codecs.ts'
import { PROGRAM } from './protocol.ts'

/** What can be watched, each with its own numbers of registrations. */
export type EventKind = 'domain' | 'network' | 'pool' | 'nodeDevice' | 'secret' | 'qemu' | 'driver'

export interface EventRow<K extends EventKind = EventKind, E = unknown> {
  readonly kind: K
  readonly program: number
  readonly procedure: number
  readonly id: number
  /** The release of libvirt that tells it first, as `9.8.0`. */
  readonly since: string
  readonly codec: Codec<E, never>
}

/** A reason or detail that libvirt keeps room for but has no values of: it is 0. */
export const unusedReason = i32

/** An event of the remote program. */
export function eventRow<K extends EventKind, E>(
  kind: K,
  procedure: number,
  id: number,
  since: string,
  codec: Codec<E, never>,
): EventRow<K, E> {
  return { kind, program: PROGRAM.remote, procedure, id, since, codec }
}
