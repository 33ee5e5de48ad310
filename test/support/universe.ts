/** Small universes for the resolver, written as text: `a 1.0: depends b (>= 2) | c; conflicts d`. */
import type { Candidate, InstalledCandidate, Universe } from '../../src/resolve/universe.ts'
import { packageLine } from './package-line.ts'

const FIELDS = ['depends', 'recommends', 'provides', 'conflicts', 'replaces'] as const

export function candidate(text: string): Candidate {
  const [head = '', tail = ''] = text.split(/:(.*)/s)
  const [name = '', version = '1.0'] = head.trim().split(' ')
  const relations: Partial<Record<(typeof FIELDS)[number], string[]>> = {}
  for (const part of tail.split(';').filter((one) => one.trim() !== '')) {
    const [field = '', ...rest] = part.trim().split(' ')
    const known = FIELDS.find((one) => one === field)
    if (known === undefined) throw new TypeError(`no field ${field}`)
    relations[known] = rest.join(' ').split(', ')
  }
  return { line: packageLine(name, version, relations) }
}

/** Versions of a name in the order given: the newest first. */
export function universe(texts: readonly string[]): Universe<Candidate> {
  const all = texts.map(candidate)
  const byName = Map.groupBy(all, ({ line }) => line.name)
  const mentioning = (field: 'provides' | 'replaces') => {
    const pairs = all.flatMap(({ line }) =>
      line[field].map((text) => ({ named: text.split(' ')[0] ?? '', by: line.name })),
    )
    const names = Map.groupBy(pairs, ({ named }) => named)
    return (name: string) => [...new Set((names.get(name) ?? []).map(({ by }) => by))]
  }
  return {
    available: (name) => byName.get(name) ?? [],
    providers: mentioning('provides'),
    replacers: mentioning('replaces'),
    names: () => [...byName.keys()],
  }
}

/** Installed versions; a text that begins with `~` is installed as a dependency only. */
export function installed(texts: readonly string[]): readonly InstalledCandidate<Candidate>[] {
  return texts.map((text) => ({ candidate: candidate(text.replace(/^~/, '')), isAuto: text.startsWith('~') }))
}
