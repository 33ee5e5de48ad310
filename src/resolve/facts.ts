/** What a resolution rests on, fact by fact: each can be named in an explanation, and each was stated by somebody. Pure. */
import { type Alternative, formatRelation, type Relation } from '../model/relation.ts'
import type { Candidate, Withheld } from './universe.ts'

export type Fact<C extends Candidate> =
  /** The user asked for it. */
  | { readonly kind: 'asked'; readonly relation: Relation; readonly note: string }
  /** It is installed and stays in some version. */
  | { readonly kind: 'installed'; readonly candidate: C }
  /** The user keeps it in this version. */
  | { readonly kind: 'held'; readonly candidate: C }
  /** The user wants it gone. */
  | { readonly kind: 'removed'; readonly name: string }
  | { readonly kind: 'depends'; readonly candidate: C; readonly relation: Relation; readonly note: string }
  | { readonly kind: 'conflicts'; readonly candidate: C; readonly with: Alternative; readonly object: C }
  /** It would become older, which nobody asked for. */
  | { readonly kind: 'older'; readonly candidate: C; readonly installed: C }
  | ({ readonly kind: 'withheld' } & Withheld<C>)
  /** Two versions of one package cannot be there at once: goes without saying. */
  | { readonly kind: 'one-version' }

/** `router-uni 1.0-1` */
export function show({ line }: Candidate): string {
  return `${line.name} ${line.version}`
}

/** A clause of a sentence, as in `app 1.0 depends on router (>= 2.0)`. `undefined` for what goes without saying. */
export function tell<C extends Candidate>(fact: Fact<C>, candidates: readonly C[]): string | undefined {
  const subject = listVersions(candidates, 'and')
  const isMany = candidates.length > 1
  switch (fact.kind) {
    case 'asked':
      return `you asked for ${formatRelation(fact.relation)}${fact.note}`
    case 'installed':
      return `${show(fact.candidate)} is installed`
    case 'held':
      return `you hold ${fact.candidate.line.name} at ${fact.candidate.line.version}`
    case 'removed':
      return `you want ${fact.name} removed`
    case 'depends':
      return `${subject} ${isMany ? 'depend' : 'depends'} on ${formatRelation(fact.relation)}${fact.note}`
    case 'conflicts': {
      const text = formatRelation({ alternatives: [fact.with] })
      const object = fact.object.line.name === fact.with.name ? 'is' : 'provides'
      return `${subject} ${isMany ? 'conflict' : 'conflicts'} with ${text}, which ${show(fact.object)} ${object}`
    }
    case 'older':
      return `${subject} would be older than the installed ${fact.installed.line.version}`
    case 'withheld':
      return `${subject} ${isMany ? fact.because.replace(/^is /, 'are ') : fact.because}`
    case 'one-version':
      return undefined
  }
}

/** `router 1.0`, `router 2.0 and 1.0`, `router 5, 4 or tor 1`. In the order given, versions of a name together. */
export function listVersions(candidates: readonly Candidate[], word: 'and' | 'or'): string {
  const byName = Map.groupBy(candidates, ({ line }) => line.name)
  const parts = [...byName].map(([name, list]) => {
    const versions = list.map(({ line }) => line.version)
    const shown = versions.length > 5 ? [...versions.slice(0, 3), `${versions.length - 3} others`] : versions
    return `${name} ${joinWords(shown, word)}`
  })
  return joinWords(parts, word)
}

/** `a`, `a and b`, `a, b and c`. */
export function joinWords(words: readonly string[], word: string): string {
  if (words.length < 2) return words.join('')
  return `${words.slice(0, -1).join(', ')} ${word} ${words.at(-1)}`
}
