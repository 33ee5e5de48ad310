/**
 * The shape of a known error: what the programs below vmpkg print, what it means, and what to do. The rules themselves
 * are in `known-errors-*.ts`, by subject; `known-errors.ts` looks texts up.
 */

export interface KnownError {
  /** Stable; 1 to 18 are the rows of the first error list, in its order. */
  readonly id: `KNOWN-ERR-${number}`
  /** What happened, without a full stop. */
  readonly title: string
  /** Any of them, in one line of plain English text. No anchors to the line's start: prefixes differ by program. */
  readonly patterns: readonly RegExp[]
  /** One sentence. */
  readonly cause: string
  /** One sentence to act on. */
  readonly fix: string
}

/** A rule in one call, so that the tables read as tables. */
export function known(
  number: number,
  title: string,
  patterns: readonly RegExp[],
  cause: string,
  fix: string,
): KnownError {
  return { id: `KNOWN-ERR-${number}`, title, patterns, cause, fix }
}
