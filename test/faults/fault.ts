/** What the preload `inject.ts` is told by the environment, and what it writes down. */

/** The variable that carries a `FaultPlan` as JSON. */
export const FAULT_VARIABLE = 'VMPKG_TEST_FAULT'

/**
 * - `before` and `after` end the process by SIGKILL on that side of the operation;
 * - `torn` lets half of it happen: half of the bytes of a write, half of the entries of a folder that is removed;
 * - `power` lets it happen and then takes back whatever no fsync has made durable, as the loss of power may;
 * - the others make it fail with that error, with nothing done.
 */
export type FaultWay = 'before' | 'after' | 'torn' | 'power' | 'ENOSPC' | 'EIO' | 'EACCES'

export interface FaultPlan {
  /** Operations on paths below these count; absolute, no links in them. */
  readonly folders: readonly string[]
  /** Every counted operation becomes a line of JSON here. */
  readonly trace: string
  /** Where the loss of power keeps what it may have to bring back; on the same file system as the folders. */
  readonly stash: string
  /** The operation, from 1, that the fault hits; 0 for none. */
  readonly at: number
  readonly way: FaultWay
}

/** A line of the trace. */
export interface Operation {
  readonly number: number
  /** As in `rename`, `FileHandle.sync`, `sql COMMIT`, `rpc 11`. */
  readonly kind: string
  /** The file, or the socket. */
  readonly path: string
}
