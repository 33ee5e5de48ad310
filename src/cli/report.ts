/**
 * The three reporters of progress, all on standard error: `human` (a terminal: one redrawn line), `plain` (a line per
 * finished thing), `json` (one event per line, documented in docs/events.md). Stages emit; only this prints.
 */
import type { Emit, Stage, VmpkgEvent } from '../events.ts'
import { formatJson, redact } from './redact.ts'
import { formatBytes } from './table.ts'

export interface Reporter {
  readonly emit: Emit
  /** Removes a half-drawn progress line before other text is printed. */
  clear(): void
}

export type Write = (text: string) => void

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
}

export function jsonReporter(write: Write, now: () => Date): Reporter {
  return {
    emit: (event) => write(`${formatJson({ schema: 'vmpkg.event/1', time: now().toISOString(), ...event })}\n`),
    clear: () => {},
  }
}

/** @param quiet only warnings are printed. */
export function plainReporter(write: Write, quiet: boolean): Reporter {
  const sizes = new Map<string, number>()
  return {
    emit: (event) => {
      if (event.type === 'fetch-started' && event.sizeBytes !== undefined) sizes.set(event.subject, event.sizeBytes)
      const text = lineOf(event, sizes)
      if (text !== undefined && (!quiet || event.type === 'warned')) write(`${text}\n`)
    },
    clear: () => {},
  }
}

/** Redraws at most every 100 ms, in the reporter, so that stages may emit as often as they like. */
export function humanReporter(write: Write, columns: () => number, now: () => number): Reporter {
  const sizes = new Map<string, number>()
  let drawn = false
  let drawnAt = 0
  let startedAt = 0
  const clear = (): void => {
    if (drawn) write('\r\u001b[K')
    drawn = false
  }
  const draw = (text: string): void => {
    clear()
    write(redact(text).slice(0, columns() - 1))
    drawn = true
  }
  return {
    clear,
    emit: (event) => {
      if (event.type === 'fetch-started') {
        if (event.sizeBytes !== undefined) sizes.set(event.subject, event.sizeBytes)
        startedAt = now()
      }
      if (event.type === 'stage-started') draw(`${event.stage}: ${event.subject} …`)
      if (event.type === 'fetch-progressed' && now() - drawnAt >= 100) {
        drawnAt = now()
        draw(progressOf(event.subject, event.receivedBytes, sizes.get(event.subject), now() - startedAt))
      }
      if (event.type === 'upload-progressed' && now() - drawnAt >= 100) {
        drawnAt = now()
        draw(`publish: ${event.subject}: ${formatBytes(event.sentBytes)} of ${formatBytes(event.totalBytes)}`)
      }
      const text = lineOf(event, sizes)
      if (text === undefined) return
      clear()
      write(`${text}\n`)
    },
  }
}

function progressOf(subject: string, received: number, size: number | undefined, elapsedMs: number): string {
  const speed = elapsedMs > 0 ? received / (elapsedMs / 1000) : 0
  if (size === undefined || size === 0) return `${subject}: ${formatBytes(received)}`
  const share = Math.min(1, received / size)
  const bar = '#'.repeat(Math.round(share * 20)).padEnd(20, '.')
  const left = speed > 0 ? `${Math.ceil((size - received) / speed)} s left` : ''
  return `${subject} [${bar}] ${Math.floor(share * 100)}% of ${formatBytes(size)}  ${formatBytes(Math.round(speed))}/s  ${left}`
}

function lineOf(event: VmpkgEvent, sizes: ReadonlyMap<string, number>): string | undefined {
  switch (event.type) {
    case 'stage-finished':
      return redact(`${VERBS[event.stage]} ${event.subject}`)
    case 'fetch-finished': {
      const size = sizes.get(event.subject)
      return redact(`Fetched ${event.subject}${size === undefined ? '' : ` (${formatBytes(size)}, ${event.from})`}`)
    }
    case 'noted':
      return `N: ${redact(event.message)}`
    case 'warned':
      return `W: ${redact(event.message)} [${event.code}]${event.hint === undefined ? '' : `\n   ${redact(event.hint)}`}`
    case 'stage-started':
    case 'fetch-planned':
    case 'fetch-started':
    case 'fetch-progressed':
    case 'upload-progressed':
      return undefined
  }
}
