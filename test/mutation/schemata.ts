/**
 * All mutants of a file in one text, each behind a switch: `mutant(7) ? changed : as it was`. So a file is loaded once and
 * its mutants are turned on one after the other in a warm process (mutant schemata, Untch, Offutt and Harrold 1993).
 */
import type { Mutant } from './mutants.ts'

export interface Schemata {
  readonly text: string
  /** Indexes of mutants that have a switch; the others need a process of their own. */
  readonly switched: ReadonlySet<number>
}

interface Group {
  readonly start: number
  readonly end: number
  readonly opensStatement: boolean
  readonly members: { readonly index: number; readonly after: string }[]
}

/** Numbers begin at `first`. `mutant` is the name of a global function that tells whether a mutant is on. */
export function withSwitches(source: string, mutants: readonly Mutant[], first: number): Schemata {
  const groups = new Map<string, Group>()
  const switched = new Set<number>()
  for (const [i, { start, end, after, isInChain, opensStatement }] of mutants.entries()) {
    const index = first + i
    if (isInChain) continue // parentheses would end the chain
    const key = `${start} ${end}`
    const group = groups.get(key) ?? { start, end, opensStatement, members: [] }
    group.members.push({ index, after })
    groups.set(key, group)
    switched.add(index)
  }
  const sorted = [...groups.values()].toSorted((a, b) => a.start - b.start || b.end - a.end)
  let at = 0
  const rewrite = (start: number, end: number): string => {
    let text = ''
    let done = start
    for (let group = sorted[at]; group !== undefined && group.start < end; group = sorted[at]) {
      at++
      const inner = rewrite(group.start, group.end)
      text += source.slice(done, group.start) + wrap(group, inner, group.opensStatement && group.start !== start)
      done = group.end
    }
    return text + source.slice(done, end)
  }
  return { text: rewrite(0, source.length), switched }
}

function wrap({ members }: Group, inner: string, opensStatement: boolean): string {
  const removal = members.find(({ after }) => after === ';')
  // The outer braces keep an `else` that follows with its own `if`.
  const others = members.filter((one) => one !== removal)
  const choice =
    others.length === 0
      ? inner
      : `(${others.map(({ index, after }) => `mutant(${index}) ? (${after}) : `).join('')}(${inner}))`
  if (removal !== undefined) return `{ if (!mutant(${removal.index})) { ${choice} } }`
  return opensStatement ? `void ${choice}` : choice
}
