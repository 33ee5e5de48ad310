/** The score of a folder as a table, and the mutants that survived: docs/mutation.md. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mutant } from './mutants.ts'

export type Outcome = 'killed' | 'timed out' | 'survived' | 'unreached' | 'untried'

export interface FileScore {
  readonly source: string
  readonly text: string
  readonly outcomes: readonly { readonly mutant: Mutant; readonly outcome: Outcome }[]
}

/** A mutant that no test can notice, because nothing changes that anybody sees. Found by its text, not by its place. */
interface Equivalent {
  readonly file: string
  /** The line it begins on, without blanks around it. */
  readonly line: string
  readonly before: string
  readonly after: string
  readonly reason: string
}

const EQUIVALENT = JSON.parse(
  readFileSync(join(import.meta.dirname, 'equivalent.json'), 'utf8'),
) as readonly Equivalent[]

export function formatScores(scores: readonly FileScore[], files: number): string {
  const rows = scores.map(({ source, ...rest }) => ({ source, ...countOf({ source, ...rest }) }))
  const sum = (key: 'all' | 'killed' | 'timedOut' | 'equivalent' | 'survived' | 'untried') =>
    rows.reduce((total, row) => total + row[key], 0)
  const total = {
    source: scores.length === files ? '**all**' : `**${scores.length} of ${files} files**`,
    all: sum('all'),
    killed: sum('killed'),
    timedOut: sum('timedOut'),
    equivalent: sum('equivalent'),
    survived: sum('survived'),
    untried: sum('untried'),
  }
  const lines = [
    '| file | mutants | killed | timed out | equivalent | survived | untried | score |',
    '|---|---|---|---|---|---|---|---|',
    ...[...rows, total].map(
      (row) =>
        `| ${row.source} | ${row.all} | ${row.killed} | ${row.timedOut} | ${row.equivalent} | ${row.survived} | ${row.untried} | ${percent(row)} |`,
    ),
  ]
  const survivors = scores.flatMap(listSurvivors)
  if (survivors.length > 0) lines.push('', 'Survivors:', '', ...survivors)
  return lines.join('\n')
}

/** Puts the text of a folder in its place, or at the end. */
export function writeSection(top: string, folder: string, text: string): void {
  const path = join(top, 'docs', 'mutation.md')
  const page = readFileSync(path, 'utf8')
  const [begin, end] = [`<!-- begin ${folder} -->`, `<!-- end ${folder} -->`]
  const section = `${begin}\n${text}\n${end}`
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  const changed =
    from === -1
      ? `${page.trimEnd()}\n\n## ${folder}\n\n${section}\n`
      : page.slice(0, from) + section + page.slice(to + end.length)
  writeFileSync(path, changed)
}

function countOf(score: FileScore) {
  const count = (wanted: readonly Outcome[], equivalent = false) =>
    score.outcomes.filter(
      ({ mutant, outcome }) => wanted.includes(outcome) && isEquivalent(score, mutant) === equivalent,
    ).length
  const killed = score.outcomes.filter(({ outcome }) => outcome === 'killed').length
  const timedOut = score.outcomes.filter(({ outcome }) => outcome === 'timed out').length
  return {
    all: score.outcomes.length,
    killed,
    timedOut,
    equivalent: count(['survived', 'unreached'], true),
    survived: count(['survived', 'unreached']),
    untried: score.outcomes.filter(({ outcome }) => outcome === 'untried').length,
  }
}

function percent({ killed, timedOut, survived }: { killed: number; timedOut: number; survived: number }): string {
  const all = killed + timedOut + survived
  return all === 0 ? '–' : `${((100 * (killed + timedOut)) / all).toFixed(1)} %`
}

function listSurvivors(score: FileScore): readonly string[] {
  return score.outcomes
    .filter(({ outcome }) => outcome === 'survived' || outcome === 'unreached')
    .filter(({ mutant }) => !isEquivalent(score, mutant))
    .map(
      ({ mutant, outcome }) =>
        `- ${describeMutant(score.source, score.text, mutant)}${outcome === 'unreached' ? ' (no test comes here)' : ''}`,
    )
}

/** Place, text before, text after; for a line of the page. */
export function describeMutant(source: string, text: string, { start, before, after }: Mutant): string {
  const line = text.slice(0, start).split('\n').length
  return `${source}:${line} \`${shorten(before)}\` → \`${shorten(after)}\``
}

function isEquivalent({ source, text }: FileScore, { start, before, after }: Mutant): boolean {
  const begin = text.lastIndexOf('\n', start - 1) + 1
  const line = text.slice(begin, text.indexOf('\n', start)).trim()
  return EQUIVALENT.some(
    (one) => one.file === source && one.line === line && one.before === before && one.after === after,
  )
}

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|')
  return line.length > 90 ? `${line.slice(0, 89)}…` : line
}
