/**
 * `npm run mutate -- src/trust src/archive [--minutes 20] [--budget 60] [--own | --all] [--only envelope,roles] [--tests roles]`: shows every mutant of every file of the folders
 * to the tests that reach it and writes the score into docs/mutation.md. What was killed is remembered in coverage/mutation/
 * while the file stays the same, so a run that was cut goes on; survivors are tried again each time, for tests change.
 *
 * Files are never changed: the mutant is put in place while the module loads (test/support/disable-check.ts).
 */
import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { coverTest, reaches, type TestCoverage } from './coverage.ts'
import { findMutants, type Mutant } from './mutants.ts'
import { describeMutant, type FileScore, formatScores, type Outcome, writeSection } from './report.ts'
import { runTests } from './run-tests.ts'
import { testsOf } from './tests-of.ts'
import { runWarm } from './warm-run.ts'

const TOP = join(import.meta.dirname, '..', '..')
const CACHE = join(TOP, 'coverage', 'mutation')
const AT_ONCE = 2

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '600' },
    only: { type: 'string', default: '' },
    /** Only the tests whose names have one of these in them: quick to load, and what they let pass is still to be shown to all. */
    tests: { type: 'string', default: '' },
    /** Seconds of tests for one mutant, as measured without one. */
    budget: { type: 'string', default: '120' },
    /** Only the tests of the folder itself. */
    own: { type: 'boolean', default: false },
    /** All tests at once, for what an earlier run with `--own` let pass. */
    all: { type: 'boolean', default: false },
  },
})
const deadline = performance.now() + Number(values.minutes) * 60_000
if (positionals.length === 0) throw new Error('name folders, such as src/trust')
for (const folder of positionals) await mutateFolder(folder.replace(/\/$/, ''))

async function mutateFolder(folder: string): Promise<void> {
  const all = globSync(`${folder}/*.ts`, { cwd: TOP }).toSorted()
  const sources = all.filter((path) => values.only.split(',').some((one) => path.includes(one)))
  const texts = sources.map((source) => readFileSync(join(TOP, source), 'utf8'))
  const caches = texts.map(openCache)
  const mutants = sources.flatMap((source, file) =>
    findMutants(source, texts[file] ?? '').map((mutant) => ({ source, file, mutant })),
  )
  const outcomes = new Map<number, Outcome>()
  for (const [index, { file, mutant }] of mutants.entries()) {
    const known = caches[file]?.get(mutant)
    if (known !== undefined) outcomes.set(index, known)
  }
  const report = (): string => {
    const scores = sources.map((source, file): FileScore => {
      const own = [...mutants.entries()].filter(([, one]) => one.file === file)
      const found = own.map(([index, { mutant }]) => ({ mutant, outcome: outcomes.get(index) ?? 'untried' }))
      for (const { mutant, outcome } of found) {
        if (outcome !== 'untried') caches[file]?.put(mutant, outcome)
      }
      caches[file]?.write()
      return { source, text: texts[file] ?? '', outcomes: found }
    })
    return formatScores(scores, all.length)
  }
  const isWanted = (path: string): boolean => values.tests.split(',').some((one) => path.includes(one))
  const { own, further } = testsOf(TOP, folder, isWanted)
  const stages = values.own ? [own] : [...(values.all ? [] : [own]), [...own, ...further]]
  let fixed: readonly number[] = []
  for (const tests of stages) {
    // What the folder's own tests let pass is shown to all.
    const isOpen = (index: number): boolean => !['killed', 'timed out'].includes(outcomes.get(index) ?? '')
    const open = [...mutants.keys()]
      .filter((index) => isOpen(index) && !fixed.includes(index))
      .toSorted((a, b) => Number(outcomes.has(a)) - Number(outcomes.has(b))) // those never tried first
    const tell = (index: number, outcome: Outcome): void => {
      const { source, file, mutant } = mutants[index] ?? {}
      if (source === undefined || file === undefined || mutant === undefined) return
      outcomes.set(index, outcome)
      if (outcome === 'survived' || outcome === 'unreached')
        console.error(describeMutant(source, texts[file] ?? '', mutant))
      else if (outcomes.size % 25 === 0) report()
    }
    const warm = await runWarm(TOP, sources, tests, open, { deadline, budgetMs: Number(values.budget) * 1000, tell })
    fixed = [...new Set([...fixed, ...warm.static])]
    if (values.only === '') writeSection(TOP, folder, report())
  }
  await tryStatic(
    fixed.filter((index) => !['killed', 'timed out'].includes(outcomes.get(index) ?? '')),
    [...own, ...(values.own ? [] : further)],
  )
  console.log(report())
  if (values.only === '') writeSection(TOP, folder, report())

  /** What works while the module loads: a process each. */
  async function tryStatic(indexes: readonly number[], tests: readonly string[]): Promise<void> {
    if (indexes.length === 0 || performance.now() > deadline) return
    const covered: TestCoverage[] = []
    for (const test of tests) covered.push(await rememberCoverage(test, all))
    const queue = [...indexes]
    const work = async (): Promise<void> => {
      for (let index = queue.shift(); index !== undefined; index = queue.shift()) {
        const one = mutants[index]
        if (one === undefined || performance.now() > deadline) continue
        outcomes.set(index, await tryMutant(one.source, one.mutant, covered))
        if (queue.length % 10 === 0) report()
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
  }
}

/** Those of the file itself first, then the quickest, in one process, as many as fit into the budget; at least one. */
async function tryMutant(source: string, mutant: Mutant, covered: readonly TestCoverage[]): Promise<Outcome> {
  const name = `${basename(source, '.ts')}.test.ts`
  const isOwn = ({ test }: TestCoverage): boolean => basename(test) === name
  const reaching = covered
    .filter((one) => reaches(one, source, mutant.start))
    .toSorted((a, b) => Number(isOwn(b)) - Number(isOwn(a)) || a.durationMs - b.durationMs)
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

/** What became of the mutants of exactly this text. */
function openCache(text: string) {
  mkdirSync(CACHE, { recursive: true })
  const path = join(CACHE, `${createHash('sha256').update(text).digest('hex')}.json`)
  const key = ({ start, end, after }: Mutant): string => `${start} ${end} ${after}`
  const known = new Map<string, Outcome>(readJson(path))
  return {
    get: (mutant: Mutant) => known.get(key(mutant)),
    put: (mutant: Mutant, outcome: Outcome) => {
      known.set(key(mutant), outcome)
    },
    write: () => {
      writeFileSync(path, JSON.stringify([...known]))
    },
  }
}

function readJson(path: string): [string, Outcome][] {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as [string, Outcome][]
  } catch {
    return [] // nothing is known yet
  }
}
