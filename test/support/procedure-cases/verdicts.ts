/** What is expected of a procedure on one daemon, and whether that is what happened. */
import { type AnyRow, procedures } from './procedures.ts'
import type { Note } from './recorder.ts'

export type Expected =
  | { readonly kind: 'decoded' }
  /** Only libvirt's test driver does it here; the real one gives one of these errors. */
  | {
      readonly kind: 'by test driver'
      readonly errors: readonly string[]
      readonly why: string
      /** Another host may have what it takes. */
      readonly isOfHost?: true
    }
  /** The daemon's answer is one of these errors, by libvirt's name; `*` is any. */
  | { readonly kind: 'refused'; readonly errors: readonly string[]; readonly why: string }
  | { readonly kind: 'not reached'; readonly why: string }

export const decoded: Expected = { kind: 'decoded' }
export const byTestDriver = (errors: string, why: string): Expected => ({
  kind: 'by test driver',
  errors: errors.split(' '),
  why,
})
/** The same, unless the machine has what this one lacks. */
export const byTestDriverHere = (errors: string, why: string): Expected => ({
  kind: 'by test driver',
  errors: errors.split(' '),
  why,
  isOfHost: true,
})
export const refused = (errors: string, why: string): Expected => ({ kind: 'refused', errors: errors.split(' '), why })
export const notReached = (why: string): Expected => ({ kind: 'not reached', why })

export const isDecoded = ({ kind }: Expected): boolean => kind === 'decoded' || kind === 'by test driver'

/** How the outcome differs from what was expected; nothing when it does not. */
export function complaint(name: string, row: AnyRow, note: Note | undefined, expected: Expected): string | undefined {
  const happened = outcome(note)
  const wanted = 'errors' in expected ? `${expected.kind} ${expected.errors.join(' or ')}` : expected.kind
  const differs = `${name}: expected ${wanted}, was ${describe(note, happened)}`
  if (happened === 'decoded' && expected.kind === 'by test driver' && expected.isOfHost === true) return undefined
  if (happened !== expected.kind) return differs
  if ('errors' in expected && !expected.errors.some((error) => gave(note, error))) return differs
  const hasResult = Object.values(row.result).some(({ presence }) => presence !== 'hidden')
  if (isDecoded(expected) && note?.checked !== true && (hasResult || row.kind === 'stream'))
    return `${name}: decoded, and nothing has looked at the value`
  return undefined
}

/** `none` is that the real driver was not asked. */
function gave(note: Note | undefined, error: string): boolean {
  if (error === 'none') return note?.refused.size === 0
  return error === '*' || note?.refused.has(error) === true
}

function outcome(note: Note | undefined): Expected['kind'] {
  if (note === undefined) return 'not reached'
  if (note.decoded.has('real')) return 'decoded'
  if (note.decoded.has('test')) return 'by test driver'
  return note.refused.size > 0 ? 'refused' : 'not reached'
}

function describe(note: Note | undefined, happened: Expected['kind']): string {
  const errors = [...(note?.refused ?? [])].map(([error, text]) => `${error} (${text})`)
  return [happened, ...errors].join(', ')
}

/** Complaints about every procedure that a row is for. */
export function complaints(
  notes: ReadonlyMap<string, Note>,
  expectedOf: (name: string, row: AnyRow) => Expected,
): string[] {
  return [...procedures].flatMap(([name, row]) => complaint(name, row, notes.get(name), expectedOf(name, row)) ?? [])
}
