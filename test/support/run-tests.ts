/**
 * Runs test files as `node --test` does, in two lanes at a time: files that boot guests or start daemons one after the other,
 * and beside them the others. There are two cores, and two guests at once would starve each other. One report of both: the
 * first lane's as it comes, the second's after it.
 *
 *     node test/support/run-tests.ts              all
 *     node test/support/run-tests.ts PATTERN…     these, one after the other
 */
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'

/** Folders of tests whose files boot guests or start many daemons. */
const HEAVY = ['e2e', 'integration', 'libvirt', 'operations']
const TIMEOUT_MS = 900_000

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
  for await (const event of lane) events.push(event)
  return events
}

async function* report(lanes: readonly (readonly string[])[]): AsyncGenerator<Event> {
  const [first, ...others] = lanes.filter(({ length }) => length > 0).map(start)
  const later = others.map(gather)
  const keep = (event: Event): boolean => {
    if (event.type === 'test:fail') process.exitCode = 1
    return event.type !== 'test:summary' && !addTotal(event)
  }
  for await (const event of first ?? []) if (keep(event)) yield event
  for (const events of later) yield* (await events).filter(keep)
  for (const [name, number] of totals) {
    yield { type: 'test:diagnostic', data: { nesting: 0, message: `${name} ${number}`, level: 'info' } }
  }
}

const patterns = process.argv.slice(2)
const files = globSync(patterns.length > 0 ? patterns : ['test/**/*.test.ts'], { cwd: top }).toSorted()
if (files.length === 0) throw new Error(`no test file is called ${patterns.join(' ')}`)
const isHeavy = (file: string): boolean => HEAVY.includes(file.split('/')[1] ?? '')
const lanes = patterns.length > 0 ? [files] : [files.filter(isHeavy), files.filter((file) => !isHeavy(file))]
const reporter = spec()
reporter.pipe(process.stdout)
for await (const event of report(lanes)) reporter.write(event)
reporter.end()
