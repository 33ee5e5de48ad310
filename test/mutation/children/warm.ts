/**
 * `warm.ts BUDGET_MS SOURCE,… TEST…`: loads source files with all their mutants behind switches and the tests once, finds out which
 * test touches which mutant, and turns the mutants that standard input names on, one a line. Answers with lines of JSON;
 * whoever started it ends it when it falls silent.
 */
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { findMutants } from '../mutants.ts'
import { withSwitches } from '../schemata.ts'
import { runSuite, type TakenTest, taken } from '../tiny-test.ts'

/** Tests that take thousands of rounds: what they notice, the first rounds of others notice too. */
const EXHAUSTIVE = /after any one bit|chain without end|any one byte/
/** Of a test that was never timed; a mutant gets ten times what the test took without one. */
const LIMIT_MS = 60_000
const MIN_LIMIT_MS = 3000

const TOP = join(import.meta.dirname, '..', '..', '..')
const [budgetMs = '', sources = '', ...tests] = process.argv.slice(2)
/** Text by URL. Mutants are numbered through all files, in the order in which they are named. */
const changed = new Map<string, string>()
const switched = new Set<number>()
/** By mutant. */
const sourceOf: string[] = []
let count = 0
for (const source of sources.split(',')) {
  const text = readFileSync(join(TOP, source), 'utf8')
  const mutants = findMutants(source, text)
  for (let i = 0; i < mutants.length; i++) sourceOf.push(basename(source, '.ts'))
  const schemata = withSwitches(text, mutants, count)
  changed.set(pathToFileURL(join(TOP, source)).href, schemata.text)
  for (const index of schemata.switched) switched.add(index)
  count += mutants.length
}
const tinyTest = new URL('../tiny-test.ts', import.meta.url).href

let active = -1
let touched = new Set<number>()
Object.assign(globalThis, {
  mutant: (index: number): boolean => {
    touched.add(index)
    return index === active
  },
})

registerHooks({
  resolve(specifier, context, next) {
    const isTest = specifier === 'node:test' && context.parentURL !== tinyTest
    return isTest ? { url: tinyTest, shortCircuit: true } : next(specifier, context)
  },
  load(url, context, next) {
    const loaded = next(url, context)
    const source = changed.get(url)
    return source === undefined ? loaded : { ...loaded, source }
  },
})

process.on('unhandledRejection', () => undefined) // of a mutant that nobody waited for
/** The file of a test, as `certificate` of `test/trust/certificate.test.ts`. */
const fileOf = new Map<TakenTest, string>()
for (const test of tests) {
  const first = taken.length
  await import(pathToFileURL(join(TOP, test)).href)
  for (const one of taken.slice(first)) fileOf.set(one, basename(test, '.test.ts'))
}
const atLoad = touched
const all = taken.filter(({ name }) => !EXHAUSTIVE.test(name))
const bySuite = Map.groupBy(all, ({ suite }) => suite)

/** Of each test what it touched and how long it took, and how much of that the hooks of its suite took before it. */
interface Facts {
  readonly touched: ReadonlySet<number>
  readonly ms: number
  readonly hooksMs: number
}
const facts = new Map<TakenTest, Facts>()
for (const one of all) {
  touched = new Set()
  const begin = performance.now()
  let hooksMs = 0
  const limit = (body?: TakenTest): number => {
    if (body !== undefined) hooksMs = performance.now() - begin
    return LIMIT_MS
  }
  if (!(await runSuite([one], limit))) throw new Error(`${one.name} does not pass without a mutant`)
  facts.set(one, { touched, ms: performance.now() - begin, hooksMs })
  say({ type: 'ready' })
}
say({
  type: 'loaded',
  static: Array.from({ length: count }, (_, i) => i).filter(
    (i) => !switched.has(i) || (atLoad.has(i) && !isTouched(i)),
  ),
})

for await (const line of createInterface({ input: process.stdin })) {
  const index = Number(line)
  if (!isTouched(index)) say({ type: 'outcome', index, outcome: 'unreached' })
  else say({ type: 'outcome', index, outcome: (await survives(index)) ? 'survived' : 'killed' })
}
const isSound = await survives(-1)
say({ type: 'end', isSound })
process.exit(0)

/** The tests of the file itself first, then quick ones, until the budget is used up. */
async function survives(index: number): Promise<boolean> {
  const isOwn = (one: TakenTest): boolean => fileOf.get(one) === sourceOf[index]
  const chosen = [...bySuite].flatMap(([, members]) =>
    [true, false].map((own) =>
      choose(
        members.filter((one) => isOwn(one) === own),
        index,
      ),
    ),
  )
  let spentMs = 0
  for (const { members, ms } of chosen
    .filter((one) => one.ms > 0)
    .toSorted((a, b) => Number(b.members.some(isOwn)) - Number(a.members.some(isOwn)) || a.ms - b.ms)) {
    if (spentMs > 0 && spentMs + ms > Number(budgetMs)) continue
    spentMs += ms
    active = index
    const passed = await runSuite(members, limitOf)
    active = -1
    if (!passed) return false
  }
  return true
}

/** Says that the process is alive, too: a test that waits is not one that hangs. */
function limitOf(one?: TakenTest): number {
  say({ type: 'ready' })
  const known = one === undefined ? undefined : facts.get(one)
  return known === undefined ? LIMIT_MS : Math.max(MIN_LIMIT_MS, 10 * known.ms)
}

/** Tests of one suite, whose hooks run once for all of them. */
function choose(members: readonly TakenTest[], index: number) {
  const touching = members.filter((one) => index === -1 || facts.get(one)?.touched.has(index))
  const sorted = touching.toSorted((a, b) => (facts.get(a)?.ms ?? 0) - (facts.get(b)?.ms ?? 0))
  const times = sorted.map((one) => facts.get(one) ?? { ms: 0, hooksMs: 0 })
  const hooksMs = Math.max(0, ...times.map((one) => one.hooksMs))
  return { members: sorted, ms: times.reduce((sum, one) => sum + one.ms - one.hooksMs, hooksMs) }
}

function isTouched(index: number): boolean {
  return [...facts.values()].some((one) => one.touched.has(index))
}

function say(message: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}
