/** Why there is no solution, as sentences a user can act on. Pure. */
import { VmpkgError } from '../errors.ts'

/** A requirement that nothing fulfils, and what spoke against each thing that might have. */
export interface Failure {
  /** As in `router-gal 1.0 depends on router-uni (>= 2.0)`. */
  readonly requirement: string
  readonly reasons: readonly Reason[]
  /** Names of the chosen packages without whose choice there would be no failure. */
  readonly culprits: ReadonlySet<string>
}

export interface Reason {
  /** As in `router-uni 1.5 is too old`. */
  readonly fact: string
  readonly because?: Failure
}

const MAX_LINES = 30

/** The failure as indented lines, the requirement first. */
function explain(failure: Failure): readonly string[] {
  const lines: string[] = []
  const write = (one: Failure, depth: number) => {
    lines.push(`${'  '.repeat(depth)}${one.requirement}`)
    for (const { fact, because } of one.reasons) {
      if (lines.length >= MAX_LINES) return
      lines.push(`${'  '.repeat(depth)}- ${fact}`)
      if (because !== undefined) write(because, depth + 2)
    }
  }
  write(failure, 0)
  return lines.slice(0, MAX_LINES)
}

export function conflictError(failure: Failure): VmpkgError {
  const explanation = explain(failure)
  const more = explanation.slice(1).map((line) => `\n  ${line}`)
  return new VmpkgError('RELATION_CONFLICT', `${failure.requirement}, but that cannot be had${more.join('')}`, {
    hint: 'Ask for other versions, or remove what stands in the way.',
    details: { explanation },
  })
}
