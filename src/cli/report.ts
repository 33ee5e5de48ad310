/**
 * The three reporters of progress, all on standard error: `human` (a terminal: lines redrawn in place), `plain` (a line per
 * finished thing), `json` (one event per line, documented in docs/events.md). Stages emit; only this prints.
 */
import type { Emit, Stage, VmpkgEvent } from '../events.ts'
import { Progress } from './progress.ts'
import { formatJson, hideAllCredentials, redact } from './redact.ts'
import { formatBytes } from './table.ts'
import { wrapText } from './wrap.ts'

export interface Reporter {
  readonly emit: Emit
  /** Removes a half-drawn progress line before other text is printed. */
  clear(): void
}

export type Write = (text: string) => void

const REDRAW_MS = 100
const JSON_PROGRESS_MS = 1000

const VERBS: Readonly<Record<Stage, string>> = {
  update: 'Updated',
  resolve: 'Resolved',
  fetch: 'Fetched',
  verify: 'Verified',
  unpack: 'Unpacked',
  render: 'Rendered',
  define: 'Defined',
  start: 'Started',
  boot: 'Booted',
  attest: 'Attested',
  build: 'Built',
  publish: 'Published',
  recover: 'Cleaned up',
  host: 'Prepared',
  convert: 'Converted',
  resize: 'Resized',
  compact: 'Compacted',
  backup: 'Backed up',
  restore: 'Restored',
  snapshot: 'Settled the snapshots of',
}

/** Progress of one download or image is told once a second at most. */
export function jsonReporter(write: Write, now: () => Date): Reporter {
  const toldAt = new Map<string, number>()
  const isDue = (event: VmpkgEvent): boolean => {
    const isDone = event.type === 'image-progressed' && event.doneBytes >= event.totalBytes
    if (event.type === 'fetch-finished' || isDone) toldAt.delete(event.subject)
    if (event.type !== 'fetch-progressed' && event.type !== 'image-progressed') return true
    const time = now().getTime()
    if (time - (toldAt.get(event.subject) ?? Number.NEGATIVE_INFINITY) < JSON_PROGRESS_MS) return false
    toldAt.set(event.subject, time)
    return true
  }
  return {
    emit: (event) => {
      if (!isDue(event)) return
      const document = { schema: 'vmpkg.event/1', time: now().toISOString(), ...event }
      write(`${formatJson(hideAllCredentials(document))}\n`)
    },
    clear: () => {},
  }
}

/** @param quiet only warnings are printed. */
export function plainReporter(write: Write, quiet: boolean): Reporter {
  const sizes = new Map<string, number>()
  const plans = new Map<string, TransferPlanned>()
  return {
    emit: (event) => {
      if (event.type === 'transfer-planned') plans.set(event.subject, event)
      if (event.type === 'fetch-started' && event.sizeBytes !== undefined) sizes.set(event.subject, event.sizeBytes)
      const text = lineOf(event, sizes, plans)
      if (text !== undefined && (!quiet || isWarning(event))) write(`${text}\n`)
    },
    clear: () => {},
  }
}

export interface HumanStyle {
  readonly columns: () => number
  readonly now: () => number
  /** Bars of block characters: for locales of UTF-8 only. */
  readonly isUnicode: boolean
}

/**
 * Draws the running downloads in place, a line each and one for all; redrawn every 100 ms at most, in the reporter, so that
 * stages may emit as often as they like. No colours.
 */
export function humanReporter(write: Write, { columns, now, isUnicode }: HumanStyle): Reporter {
  const sizes = new Map<string, number>()
  const plans = new Map<string, TransferPlanned>()
  const progress = new Progress(now)
  let drawn = 0
  let drawnAt = Number.NEGATIVE_INFINITY
  const clear = (): void => {
    if (drawn > 1) write(`\u001b[${drawn - 1}A`)
    if (drawn > 0) write('\r\u001b[J')
    drawn = 0
  }
  const draw = (lines: readonly string[]): void => {
    clear()
    write(lines.map((line) => redact(line).slice(0, columns() - 1)).join('\n'))
    drawn = lines.length
  }
  return {
    clear,
    emit: (event) => {
      if (event.type === 'fetch-planned') progress.plan(event.objects, event.sizeBytes)
      if (event.type === 'transfer-planned') {
        plans.set(event.subject, event)
        if (event.expectedBytes !== undefined) progress.correct(event.expectedBytes, event.chosen.bytes)
      }
      if (event.type === 'fetch-started') {
        if (event.sizeBytes !== undefined) sizes.set(event.subject, event.sizeBytes)
        progress.start(event.subject, event.sizeBytes)
      }
      if (event.type === 'stage-started') draw([`${event.stage}: ${event.subject} ${isUnicode ? '…' : '...'}`])
      if (event.type === 'fetch-progressed') {
        progress.advance(event.subject, event.receivedBytes)
        if (now() - drawnAt >= REDRAW_MS) {
          drawnAt = now()
          draw(progress.lines({ columns: columns(), isUnicode }))
        }
      }
      if (event.type === 'image-progressed') {
        const { subject, doneBytes, totalBytes } = event
        if (!progress.isRunning(subject)) progress.start(subject, totalBytes)
        progress.advance(subject, doneBytes)
        if (doneBytes >= totalBytes) progress.finish(subject)
        if (now() - drawnAt >= REDRAW_MS) {
          drawnAt = now()
          draw(progress.lines({ columns: columns(), isUnicode }))
        }
      }
      if (event.type === 'upload-progressed' && now() - drawnAt >= REDRAW_MS) {
        drawnAt = now()
        draw([`publish: ${event.subject}: ${formatBytes(event.sentBytes)} of ${formatBytes(event.totalBytes)}`])
      }
      if (event.type === 'fetch-finished') progress.finish(event.subject)
      const text = lineOf(event, sizes, plans)
      if (text === undefined) return
      clear()
      write(`${wrapText(text, columns())}\n`)
    },
  }
}

function isWarning(event: VmpkgEvent): boolean {
  return event.type === 'warned' || (event.type === 'link-changed' && event.link === 'down')
}

type TransferPlanned = Extract<VmpkgEvent, { type: 'transfer-planned' }>

function lineOf(
  event: VmpkgEvent,
  sizes: ReadonlyMap<string, number>,
  plans: ReadonlyMap<string, TransferPlanned>,
): string | undefined {
  switch (event.type) {
    case 'stage-finished':
      return redact(`${VERBS[event.stage]} ${event.subject}`)
    case 'fetch-finished': {
      const size = sizes.get(event.subject)
      const plan = plans.get(event.subject)
      if (plan !== undefined) return redact(`Fetched ${event.subject} (${describePlan(plan, event.from)})`)
      return redact(`Fetched ${event.subject}${size === undefined ? '' : ` (${formatBytes(size)}, ${event.from})`}`)
    }
    case 'link-changed':
      return redact(
        event.link === 'up'
          ? `The LAN of ${event.subject} is open: ${event.reason}`
          : `W: The LAN of ${event.subject} is closed: ${event.reason}`,
      )
    case 'noted':
      return `N: ${redact(event.message)}`
    case 'warned':
      return `W: ${redact(event.message)} [${event.code}]${event.hint === undefined ? '' : `\n   ${redact(event.hint)}`}`
    case 'stage-started':
    case 'fetch-planned':
    case 'transfer-planned':
    case 'fetch-started':
    case 'fetch-progressed':
    case 'upload-progressed':
    case 'image-progressed':
      return undefined
  }
}

/** `512.0 KiB of 8.0 MiB, network; 7.5 MiB saved by a delta`. */
function describePlan({ chosen, ways }: TransferPlanned, from: string): string {
  const full = ways[0]?.bytes ?? chosen.bytes
  if (chosen.bytes >= full) return `${formatBytes(chosen.bytes)}, ${from}`
  const means = { full: 'what was here', chunks: 'what was here', delta: 'a delta', mixed: 'deltas' }[chosen.kind]
  return `${formatBytes(chosen.bytes)} of ${formatBytes(full)}, ${from}; ${formatBytes(full - chosen.bytes)} saved by ${means}`
}
