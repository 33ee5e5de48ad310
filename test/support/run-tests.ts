/**
 * Runs test files as `node --test` does, in two lanes at a time: files that boot guest systems one after the other,
 * and beside them the others. There are two cores, and two guests at once would starve each other. One report of both: the
 * first lane's as it comes, the second's after it.
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

/** Folders whose files boot guest systems: those go in the first lane that start libvirtd. */
const HEAVY = ['e2e', 'integration']
const STARTS_LIBVIRT =
  /support\/(?:bare-guest|cli|daemon|host-lab|libvirt-house|passthrough-host|private-host|private-libvirt|session-domain|site|tree-host)\.ts'/
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

/** What a run says at its end, by name: `tests`, `pass`, `fail`, … */
const totals = new Map<string, number>()
const TOTAL = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)$/

/** Whether that was one of a run's totals; the lanes' are added up, but for the time, which they share. */
function addTotal({ type, data }: Event): boolean {
  if (type !== 'test:diagnostic') return false
  const { nesting, message } = data as Diagnostic
  const [, name, number] = (nesting === 0 ? TOTAL.exec(message) : null) ?? []
  if (name === undefined) return false
  const [old, own] = [totals.get(name) ?? 0, Number(number)]
  totals.set(name, name === 'duration_ms' ? Math.max(old, own) : old + own)
  return true
}

function start(files: readonly string[]): AsyncIterable<Event> {
  return run({ files: files.map((file) => join(top, file)), concurrency: 1, timeout: TIMEOUT_MS, cwd: top })
}

async function gather(lane: AsyncIterable<Event>): Promise<readonly Event[]> {
  const events: Event[] = []
  for await (const event of lane) {
    noteFailure(event)
    events.push(event)
  }
  return events
}

/** Files with a failure. */
const failed = new Set<string>()

interface Place {
  /** Where it is written, which may be a helper of many test files. */
  readonly file?: string
  /** The test file that was run. */
  readonly entryFile?: string
}

interface Failure extends Place {
  readonly name: string
  readonly line?: number
  readonly details: { readonly error: Error & { readonly failureType?: string; readonly cause?: unknown } }
}

function testFileOf({ entryFile, file }: Place): string {
  return entryFile ?? file ?? 'a file without a name'
}

/** Said at once on standard error, also of the second lane: the report has it at its end. */
function noteFailure({ type, data }: Event): void {
  if (type !== 'test:fail') return
  const { name, file, line, details } = data as Failure
  failed.add(testFileOf(data as Place))
  if (details.error.failureType === 'subtestsFailed') return
  const { cause } = details.error
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
  const place = file === undefined ? '' : `${relative(top, file)}:${line ?? 0}`
  process.stderr.write(`failed: ${place} ${name}\n${text.slice(0, 3000).replaceAll(/^/gm, '    ')}\n`)
}

async function* report(lanes: readonly (readonly string[])[], secondRuns: number): AsyncGenerator<Event> {
  const [first, ...others] = lanes.filter(({ length }) => length > 0).map(start)
  const later = others.map(gather)
  const keep = (event: Event): boolean => event.type !== 'test:summary' && !addTotal(event)
  const startedAt = Date.now()
  const ends = later.map(async (events) => events.then(() => Date.now()))
  for await (const event of first ?? []) {
    noteFailure(event)
    if (keep(event)) yield event
  }
  const firstEnd = Date.now()
  for (const events of later) yield* (await events).filter(keep)
  const seconds = [firstEnd, ...(await Promise.all(ends))].map((end) => Math.round((end - startedAt) / 1000))
  yield remark(`lanes took ${seconds.join(' and ')} s`)
  for (const [name, number] of totals) yield remark(`${name} ${number}`)
  if (failed.size > 0 && failed.size <= secondRuns) yield* runAgain([...failed])
}

async function* runAgain(paths: readonly string[]): AsyncGenerator<Event> {
  failed.clear()
  const names = paths.map((path) => relative(top, path))
  yield remark(`once more, alone: ${names.join(', ')}`)
  const ran = new Set<string>()
  for await (const event of start(names)) {
    noteFailure(event)
    if (event.type === 'test:pass') ran.add(testFileOf(event.data as Place))
    if (event.type !== 'test:summary') yield event
  }
  // What did not run has not passed.
  for (const path of paths) if (!ran.has(path)) failed.add(path)
  const unsteady = names.filter((name) => !failed.has(join(top, name)))
  if (unsteady.length > 0) yield remark(`unsteady, to be mended: ${unsteady.join(', ')}`)
}

function remark(message: string): Event {
  return { type: 'test:diagnostic', data: { nesting: 0, message, level: 'info' } }
}

const patterns = process.argv.slice(2)
const files = globSync(patterns.length > 0 ? patterns : ['test/**/*.test.ts'], { cwd: top }).toSorted()
if (files.length === 0) throw new Error(`no test file is called ${patterns.join(' ')}`)
const isHeavy = (file: string): boolean =>
  HEAVY.includes(file.split('/')[1] ?? '') && STARTS_LIBVIRT.test(readFileSync(join(top, file), 'utf8'))
const lanes = patterns.length > 0 ? [files] : [files.filter(isHeavy), files.filter((file) => !isHeavy(file))]
const reporter = spec()
reporter.pipe(process.stdout)
for await (const event of report(lanes, patterns.length > 0 ? 0 : SECOND_RUNS)) reporter.write(event)
reporter.end()
if (failed.size > 0) process.exitCode = 1
