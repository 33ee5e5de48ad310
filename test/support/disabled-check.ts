/** A check of `src` as text, and that text without it. */

export interface DisabledCheck {
  /** As in `src/trust/envelope.ts`. */
  readonly file: string
  /** Stands in the file exactly once; blanks count as they are. */
  readonly find: string
  readonly replace: string
}

/** A change at a place, as mutation makes it. Offsets in UTF-16 code units of the file as it is on disk. */
export interface Mutation {
  readonly file: string
  readonly start: number
  readonly end: number
  readonly replace: string
}

/** Fails where the text is not there exactly once: the control would prove nothing. */
export function disableCheck(source: string, change: DisabledCheck | Mutation): string {
  if ('start' in change) return source.slice(0, change.start) + change.replace + source.slice(change.end)
  const { file, find, replace } = change
  const count = source.split(find).length - 1
  if (count !== 1) throw new Error(`${file} has ${count} places ${JSON.stringify(find)}; a control needs exactly one`)
  return source.replace(find, () => replace)
}
