/** What the threads of a verifying pool are told and answer. */
import type { ErrorCode } from '../errors.ts'
import type { Root } from '../model/registry.ts'
import type { PackageEntry } from '../trust/package-entry.ts'
import type { Verified } from '../trust/verified.ts'

/** Given to a thread when it starts: the root that the main thread trusts, and the time at which keys are looked at. */
export interface VerifySetup {
  readonly root: Root
  readonly keysAt: Date
}

/** Wire lines, joined by newlines. */
export type VerifyJob = Uint8Array<ArrayBuffer>

export type VerifyAnswer =
  | { readonly kind: 'verified'; readonly entries: readonly Verified<PackageEntry>[] }
  | {
      readonly kind: 'refused'
      readonly code: ErrorCode
      readonly message: string
      readonly hint: string | undefined
      readonly details: Readonly<Record<string, unknown>>
    }
