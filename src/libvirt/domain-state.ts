/** The state of a domain with why it is in it: what a reason's number means depends on the state. */
import { type Codec, choice, type Unknown } from './codecs.ts'
import { domainState } from './vocabulary.ts'

/** Names in order of their numbers from 0, for each state. */
const REASONS = {
  nostate: ['unknown'],
  running: [
    'unknown',
    'booted',
    'migrated',
    'restored',
    'fromSnapshot',
    'unpaused',
    'migrationCanceled',
    'saveCanceled',
    'wakeup',
    'crashed',
    'postcopy',
    'postcopyFailed',
  ],
  blocked: ['unknown'],
  paused: [
    'unknown',
    'user',
    'migration',
    'save',
    'dump',
    'ioError',
    'watchdog',
    'fromSnapshot',
    'shuttingDown',
    'snapshot',
    'crashed',
    'startingUp',
    'postcopy',
    'postcopyFailed',
    'apiError',
  ],
  shutdown: ['unknown', 'user'],
  shutoff: ['unknown', 'shutdown', 'destroyed', 'crashed', 'migrated', 'saved', 'failed', 'fromSnapshot', 'daemon'],
  crashed: ['unknown', 'panicked'],
  pmsuspended: ['unknown'],
} as const satisfies Readonly<Record<string, readonly string[]>>

type Reasons = typeof REASONS
/** A state with a reason of that state; `unknown(n)` for what is newer than this table. */
export type StateAndReason =
  | {
      readonly [S in keyof Reasons]: { readonly state: S; readonly reason: Reasons[S][number] | Unknown }
    }[keyof Reasons]
  | { readonly state: Unknown; readonly reason: Unknown }

const codecs = new Map<string, Codec<string, string>>(
  Object.entries(REASONS).map(([state, reasons]) => [state, choice(...reasons) as Codec<string, string>]),
)
/** Reasons of a state that has no names here. */
const nameless = choice() as Codec<string, string>
const reasonType = [...new Set(Object.values(REASONS).flat())].map((name) => `'${name}'`).join(' | ')

export const stateAndReason: Codec<StateAndReason, StateAndReason, 'required'> = {
  presence: 'required',
  shape: {
    kind: 'struct',
    fields: {
      state: domainState,
      reason: { ...nameless, shape: { kind: 'scalar', wire: 'i32', type: reasonType } },
    },
  },
  read: (reader) => {
    const state = domainState.read(reader)
    return { state, reason: (codecs.get(state) ?? nameless).read(reader) } as StateAndReason
  },
  write: (writer, { state, reason }) => {
    domainState.write(writer, state)
    const codec = codecs.get(state) ?? nameless
    codec.write(writer, reason)
  },
}
