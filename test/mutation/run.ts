/**
 * `npm run mutate -- src/trust src/archive [--minutes 20] [--budget 60] [--only envelope]`: shows every mutant of every file of the folders
 * to the tests that reach it and writes the score into docs/mutation.md. What was killed is remembered in coverage/mutation/
 * while the file stays the same, so a run that was cut goes on; survivors are tried again each time, for tests change.
 *
 * Files are never changed: the mutant is put in place while the module loads (test/support/disable-check.ts).
 */
import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { coverTest, reaches, type TestCoverage } from './coverage.ts'
import { findMutants, type Mutant } from './mutants.ts'
import { type FileScore, formatScores, type Outcome, writeSection } from './report.ts'
import { runTests } from './run-tests.ts'
import { testsOf } from './tests-of.ts'

const TOP = join(import.meta.dirname, '..', '..')
const CACHE = join(TOP, 'coverage', 'mutation')
const AT_ONCE = 2

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '600' },
    only: { type: 'string', default: '' },
    /** Seconds of tests for one mutant, as measured without one. */
    budget: { type: 'string', default: '120' },
  },
})
const deadline = performance.now() + Number(values.minutes) * 60_000
if (positionals.length === 0) throw new Error('name folders, such as src/trust')
for (const folder of positionals) await mutateFolder(folder.replace(/\/$/, ''))

async function mutateFolder(folder: string): Promise<void> {
  const sources = globSync(`${folder}/*.ts`, { cwd: TOP }).toSorted()
  const covered: TestCoverage[] = []
  for (const test of testsOf(TOP, folder)) {
    const one = await rememberCoverage(test, sources)
    console.error(`${test}: ${Math.round(one.durationMs)} ms`)
    covered.push(one)
  }
  const scores: FileScore[] = []
  for (const source of sources.filter((path) => path.includes(values.only))) {
    scores.push(await mutateFile(source, covered))
    if (values.only === '') writeSection(TOP, folder, formatScores(scores, sources.length))
  }
  console.log(formatScores(scores, sources.length))
}

async function mutateFile(source: string, covered: readonly TestCoverage[]): Promise<FileScore> {
  const text = readFileSync(join(TOP, source), 'utf8')
  const cache = openCache(text)
  const outcomes: { mutant: Mutant; outcome: Outcome }[] = []
  const queue = [...findMutants(source, text)]
  const work = async (): Promise<void> => {
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const known = cache.get(mutant)
      const outcome = known ?? (performance.now() > deadline ? 'untried' : await tryMutant(source, mutant, covered))
      if (known === undefined && (outcome === 'killed' || outcome === 'timed out')) cache.put(mutant, outcome)
      outcomes.push({ mutant, outcome })
      if (outcome === 'survived' || outcome === 'unreached') {
        console.error(`${outcome}: ${source}:${lineOf(text, mutant.start)} ${mutant.before} => ${mutant.after}`)
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  const killed = outcomes.filter(({ outcome }) => outcome === 'killed' || outcome === 'timed out').length
  console.error(`${source}: ${killed} of ${outcomes.length}`)
  return { source, text, outcomes }
}

/** The quickest tests first, in one process, as many as fit into the budget; at least one. */
async function tryMutant(source: string, mutant: Mutant, covered: readonly TestCoverage[]): Promise<Outcome> {
  const reaching = covered
    .filter((one) => reaches(one, source, mutant.start))
    .toSorted((a, b) => a.durationMs - b.durationMs)
  let sumMs = 0
  const tests = reaching.filter(({ durationMs }, i) => {
    sumMs += durationMs
    return i === 0 || sumMs <= Number(values.budget) * 1000
  })
  if (tests.length === 0) return 'unreached'
  const { start, end, after } = mutant
  const env = { VMPKG_TEST_DISABLE: JSON.stringify([{ file: source, start, end, replace: after }]) }
  const names = tests.map(({ test }) => test)
  const result = await runTests(TOP, names, env, 30_000 + 5 * Math.min(sumMs, Number(values.budget) * 1000))
  if (result === 'passed') return 'survived'
  return result === 'failed' ? 'killed' : 'timed out'
}

/** As `coverTest`, once for the same sources and the same test. */
async function rememberCoverage(test: string, sources: readonly string[]): Promise<TestCoverage> {
  const texts = [test, ...sources].map((path) => readFileSync(join(TOP, path), 'utf8'))
  mkdirSync(CACHE, { recursive: true })
  const path = join(CACHE, `${createHash('sha256').update(texts.join('\0')).digest('hex')}.coverage.json`)
  if (existsSync(path)) {
    const { durationMs, files } = JSON.parse(readFileSync(path, 'utf8')) as { durationMs: number; files: [] }
    return { test, durationMs, files: new Map(files) }
  }
  const covered = await coverTest(TOP, test, sources)
  writeFileSync(path, JSON.stringify({ durationMs: covered.durationMs, files: [...covered.files] }))
  return covered
}

/** Killed mutants of exactly this text. */
function openCache(text: string) {
  mkdirSync(CACHE, { recursive: true })
  const path = join(CACHE, `${createHash('sha256').update(text).digest('hex')}.json`)
  const key = ({ start, end, after }: Mutant): string => `${start} ${end} ${after}`
  const known = new Map<string, 'killed' | 'timed out'>(readJson(path))
  return {
    get: (mutant: Mutant) => known.get(key(mutant)),
    put: (mutant: Mutant, outcome: 'killed' | 'timed out') => {
      known.set(key(mutant), outcome)
      writeFileSync(path, JSON.stringify([...known]))
    },
  }
}

function readJson(path: string): [string, 'killed' | 'timed out'][] {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as [string, 'killed' | 'timed out'][]
  } catch {
    return [] // nothing is known yet
  }
}

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length
}
