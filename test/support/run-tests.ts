/**
 * Runs test files as `node --test` does, two at a time. There are two cores, and two guest systems at once would starve each
 * other: files that boot some go one after the other, in the first lane, and all others are for whoever has time. A file's
 * report comes when it is done; what fails is said at once.
 *
 * Guests, daemons and packets have deadlines that a busy machine can break. So where few files of all fail, those run once
 * more, alone: what fails again is broken, what does not is named as unsteady, which is a fault of the test to mend.
 *
 *     node test/support/run-tests.ts              all
 *     node test/support/run-tests.ts PATTERN…     these, one after the other
 */
import { globSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'

/** Files of the folder, and those that import one of these, boot guest systems or keep both cores busy with them. */
const GUESTS_FOLDER = 'e2e'
const BOOTS_GUESTS = /support\/(?:agent-guest|bare-guest|passthrough-host|publish-templates)\.ts'/
const TIMEOUT_MS = 900_000
/** Files that get a second run; more than these are no accident. */
const SECOND_RUNS = 3

type Event = { readonly type: string; readonly data: unknown }
interface Diagnostic {
  readonly nesting: number
  readonly message: string
  readonly level?: string
}

const top = join(import.meta.dirname, '..', '..')

/** What runs say at their end, by name: `tests`, `pass`, `fail`, … */
const totals = new Map<string, number>()
const TOTAL = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)$/

/** Whether that was one of a run's totals; those of all files are added up, but for the time. */
function addTotal({ type, data }: Event): boolean {
  if (type !== 'test:diagnostic') return false
  const { nesting, message } = data as Diagnostic
  const [, name, number] = (nesting === 0 ? TOTAL.exec(message) : null) ?? []
  if (name === undefined) return false
  if (name !== 'duration_ms') totals.set(name, (totals.get(name) ?? 0) + Number(number))
  return true
}

function start(files: readonly string[]): AsyncIterable<Event> {
  return run({ files: files.map((file) => join(top, file)), concurrency: 1, timeout: TIMEOUT_MS, cwd: top })
}

/** Files with a failure. */
const failed = new Set<string>()

interface Failure {
  readonly name: string
  readonly file?: string
  readonly line?: number
  readonly details: { readonly error: Error & { readonly failureType?: string; readonly cause?: unknown } }
}

/** Said at once on standard error: the report has it where the file ends. */
function noteFailure({ type, data }: Event): void {
  if (type !== 'test:fail') return
  const { name, file, line, details } = data as Failure
  failed.add(file ?? 'a file without a name')
  if (details.error.failureType === 'subtestsFailed') return
  const { cause } = details.error
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
  const place = file === undefined ? '' : `${relative(top, file)}:${line ?? 0}`
  process.stderr.write(`failed: ${place} ${name}\n${text.slice(0, 3000).replaceAll(/^/gm, '    ')}\n`)
}

/** Takes files from the first queue that has some until there are none; `done` gets the report of each. @returns seconds */
async function work(queues: readonly string[][], done: (events: readonly Event[]) => void): Promise<number> {
  const startedAt = Date.now()
  for (;;) {
    const file = queues.find(({ length }) => length > 0)?.shift()
    if (file === undefined) return Math.round((Date.now() - startedAt) / 1000)
    const events: Event[] = []
    for await (const event of start([file])) {
      noteFailure(event)
      if (event.type !== 'test:summary' && !addTotal(event)) events.push(event)
    }
    done(events)
  }
}

async function* report(lanes: readonly (readonly string[][])[], secondRuns: number): AsyncGenerator<Event> {
  const startedAt = Date.now()
  const waiting: Event[] = []
  let { promise: news, resolve: tell } = Promise.withResolvers<void>()
  const done = (events: readonly Event[]): void => {
    waiting.push(...events)
    tell()
  }
  let isOver = false
  const all = Promise.all(lanes.map(async (queues) => work(queues, done))).finally(() => {
    isOver = true
    tell()
  })
  while (!isOver) {
    await news
    ;({ promise: news, resolve: tell } = Promise.withResolvers<void>())
    yield* waiting.splice(0)
  }
  yield* waiting.splice(0)
  yield remark(`lanes took ${(await all).join(' and ')} s`)
  for (const [name, number] of totals) yield remark(`${name} ${number}`)
  yield remark(`duration_ms ${Date.now() - startedAt}`)
  if (failed.size > 0 && failed.size <= secondRuns) yield* runAgain([...failed])
}

async function* runAgain(paths: readonly string[]): AsyncGenerator<Event> {
  failed.clear()
  const names = paths.map((path) => relative(top, path))
  yield remark(`once more, alone: ${names.join(', ')}`)
  for await (const event of start(names)) {
    noteFailure(event)
    if (event.type !== 'test:summary') yield event
  }
  const unsteady = names.filter((name) => !failed.has(join(top, name)))
  if (unsteady.length > 0) yield remark(`unsteady, to be mended: ${unsteady.join(', ')}`)
}

function remark(message: string): Event {
  return { type: 'test:diagnostic', data: { nesting: 0, message, level: 'info' } }
}

const patterns = process.argv.slice(2)
const files = globSync(patterns.length > 0 ? patterns : ['test/**/*.test.ts'], { cwd: top }).toSorted()
if (files.length === 0) throw new Error(`no test file is called ${patterns.join(' ')}`)
const bootsGuests = (file: string): boolean =>
  file.split('/')[1] === GUESTS_FOLDER || BOOTS_GUESTS.test(readFileSync(join(top, file), 'utf8'))
const guests = patterns.length > 0 ? [] : files.filter(bootsGuests)
const others = files.filter((file) => !guests.includes(file))
const lanes = patterns.length > 0 ? [[others]] : [[guests, others], [others]]
const reporter = spec()
reporter.pipe(process.stdout)
for await (const event of report(lanes, patterns.length > 0 ? 0 : SECOND_RUNS)) reporter.write(event)
reporter.end()
if (failed.size > 0) process.exitCode = 1
