/**
 * A case of docs/leaks.md: what is sent, what of it may be seen where, in which states of the router, and the change that
 * must make it fail. It keeps nothing from one scene to the next: several run at a time.
 *
 *     leakCase({
 *       id: 'D40',
 *       title: 'a client reaches no other client by way of the router',
 *       states: ALL_STATES,
 *       probes: [{ from: 'a', what: 'udp', frame: (token) => udp(fromClient('a', CLIENTS.b.address), [5000, 5000], token) }],
 *       negative: { changes: [{ file: 'nftables.nft', find: '…', replace: '…' }] },
 *     })
 */

import type { Packet } from './dissect.ts'
import type { CardOrder, Lab, Sender, TapName } from './lab.ts'
import type { Seen } from './oracle.ts'
import type { Router } from './router.ts'
import type { Change } from './router-files.ts'
import type { Declared } from './tokens.ts'

/** B boot before the rules, U up, R reload, H shutdown, F the WAN flapping, D the tunnel dead. */
export type State = 'B' | 'U' | 'R' | 'H' | 'F' | 'D'
/** Of a router without a tunnel. */
export const ALL_STATES: readonly State[] = ['B', 'U', 'R', 'H', 'F']

export interface Probe {
  readonly from: Sender
  readonly what: string
  /** One frame, or several that carry the same token. */
  readonly frame: (token: Buffer) => Buffer | readonly Buffer[]
  /** Where the router may let it out; nowhere by default. */
  readonly passes?: readonly TapName[]
}

export interface Sight extends Packet {
  readonly bytes: Buffer
}

/** What a case that does more than sending has at hand. */
export interface Bench {
  readonly lab: Lab
  readonly router: Router
  /** A token for a frame of this case. */
  token(from: Sender | 'router', what: string, passes?: readonly TapName[]): Buffer
  send(from: Sender, ...frames: readonly Buffer[]): Promise<void>
  /** The first frame that comes in at a tap with these bytes in it. */
  see(tap: TapName, bytes: Buffer, seconds?: number): Promise<Sight | undefined>
}

export interface Control {
  readonly changes: readonly Change[]
  /** The one of the case's states in which it is run; the first by default. */
  readonly state?: State
  /** The host raises the LAN's link before the router attests. */
  readonly gate?: 'open'
  /** The router finds no way out, which nobody waits for: what is wrong has to show in packets. */
  readonly isCutOff?: true
}

export interface LeakCase {
  readonly id: string
  readonly title: string
  readonly states: readonly State[]
  readonly probes?: readonly Probe[]
  /** Runs after the flood of state U and returns what is wrong. */
  readonly act?: (bench: Bench) => Promise<readonly string[]>
  /** Looks at the router at the end of every state in which it still runs. */
  readonly inspect?: (bench: Bench) => Promise<readonly string[]>
  /** More than the allow-list asks of what the taps saw. */
  readonly judge?: (
    seen: Seen,
    gateAt: bigint | undefined,
    declaredOf: (bytes: Buffer) => Declared | undefined,
  ) => readonly string[]
  readonly negative: Control
  /** Needs more of a tap than the others. */
  readonly frames?: number
  /** Needs the router's cards in another order than the others. */
  readonly cards?: CardOrder
}

/** Whether it is judged in one scene with others. */
export function isShared({ frames, cards }: LeakCase): boolean {
  return frames === undefined && cards === undefined
}
