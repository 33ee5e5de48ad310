/**
 * The type of what has been verified. Only files of `trust/` call `markVerified` (a test of the architecture holds them
 * to it), so code that asks for `Verified<T>` cannot be handed anything else without a cast.
 */
declare const brand: unique symbol

export type Verified<T> = T & { readonly [brand]: 'verified' }

/** Says that `value` was parsed from bytes that passed every check of the caller. */
export function markVerified<T>(value: T): Verified<T> {
  return value as Verified<T>
}
