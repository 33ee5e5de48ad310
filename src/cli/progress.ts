/**
 * Running downloads, and images that are being written, as lines of text: one for each, and one for all together where
 * several are planned. Pure: the clock is handed in. Speed is smoothed over some seconds, so that the time left does not jump.
 */
import { formatBytes } from './table.ts'

export interface ProgressStyle {
  /** Of the terminal. */
  readonly columns: number
  /** Bars of block characters, finer than a column; `#` and `.` without. */
  readonly isUnicode: boolean
}

interface Transfer {
  readonly sizeBytes: number | undefined
  received: number
  /** From the first bytes on. */
  speed: SmoothedSpeed | undefined
}

/** Weight of what was measured this many milliseconds ago falls to a third. */
const SMOOTHING_MS = 3000
const BAR_COLUMNS = 20
const SMALLEST_BAR = 8
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const

/** Bytes a second, smoothed; the first second counts as it is. */
export class SmoothedSpeed {
  #speed: number | undefined
  #at: number
  #bytes = 0

  constructor(now: number) {
    this.#at = now
  }

  add(bytes: number, now: number): void {
    this.#bytes += bytes
    const elapsed = now - this.#at
    if (elapsed < 100) return // too little to measure
    const speed = (this.#bytes * 1000) / elapsed
    const weight = 1 - Math.exp(-elapsed / SMOOTHING_MS)
    this.#speed = this.#speed === undefined ? speed : this.#speed + (speed - this.#speed) * weight
    this.#at = now
    this.#bytes = 0
  }

  get perSecond(): number {
    return this.#speed ?? 0
  }
}

export class Progress {
  readonly #transfers = new Map<string, Transfer>()
  readonly #now: () => number
  #planned: { readonly objects: number; readonly sizeBytes: number } | undefined
  #finished = 0
  #finishedBytes = 0
  /** From the first bytes on: waiting for a server is no speed. */
  #total: SmoothedSpeed | undefined

  constructor(now: () => number) {
    this.#now = now
  }

  plan(objects: number, sizeBytes: number): void {
    this.#planned = { objects, sizeBytes }
    this.#finished = 0
    this.#finishedBytes = 0
    this.#total = undefined
  }

  /** Something turns out to move another number of bytes than was planned. */
  correct(expectedBytes: number, bytes: number): void {
    if (this.#planned === undefined) return
    const sizeBytes = Math.max(0, this.#planned.sizeBytes + bytes - expectedBytes)
    this.#planned = { ...this.#planned, sizeBytes }
  }

  start(subject: string, sizeBytes: number | undefined): void {
    this.#transfers.set(subject, { sizeBytes, received: 0, speed: undefined })
  }

  isRunning(subject: string): boolean {
    return this.#transfers.has(subject)
  }

  advance(subject: string, received: number): void {
    const transfer = this.#transfers.get(subject)
    if (transfer === undefined) return
    // The first word of a transfer says where it goes on, not how fast.
    const fresh = transfer.speed === undefined ? 0 : Math.max(0, received - transfer.received)
    transfer.received = received
    transfer.speed ??= new SmoothedSpeed(this.#now())
    transfer.speed.add(fresh, this.#now())
    this.#total ??= new SmoothedSpeed(this.#now())
    this.#total.add(fresh, this.#now())
  }

  finish(subject: string): void {
    const transfer = this.#transfers.get(subject)
    this.#transfers.delete(subject)
    if (transfer === undefined) return
    this.#finished++
    this.#finishedBytes += transfer.sizeBytes ?? transfer.received
  }

  /** Nothing where nothing runs. */
  lines(style: ProgressStyle): readonly string[] {
    const running = [...this.#transfers]
    if (running.length === 0) return []
    const lines = running.map(([subject, { received, sizeBytes, speed }]) =>
      formatTransfer(subject, received, sizeBytes, speed?.perSecond ?? 0, style),
    )
    if (this.#planned === undefined || this.#planned.objects < 2) return lines
    const { objects, sizeBytes } = this.#planned
    const received = this.#finishedBytes + running.reduce((sum, [, transfer]) => sum + transfer.received, 0)
    const title = `Total ${Math.min(objects, this.#finished)}/${objects}`
    return [...lines, formatTransfer(title, received, sizeBytes, this.#total?.perSecond ?? 0, style)]
  }
}

/** `subject  42% ████▏    3.1 MiB/7.4 MiB  1.2 MiB/s  4 s left`; what does not fit goes from the right, then the bar. */
export function formatTransfer(
  subject: string,
  received: number,
  sizeBytes: number | undefined,
  perSecond: number,
  { columns, isUnicode }: ProgressStyle,
): string {
  const width = Math.max(10, columns - 1) // a full last column makes some terminals wrap
  const speed = perSecond > 0 ? `${formatBytes(Math.round(perSecond))}/s` : ''
  if (sizeBytes === undefined || sizeBytes === 0) return fit([subject, formatBytes(received), speed], width)
  const share = Math.min(1, received / sizeBytes)
  const percent = `${Math.floor(share * 100)}%`.padStart(4)
  const left = perSecond > 0 && received < sizeBytes ? `${formatSeconds((sizeBytes - received) / perSecond)} left` : ''
  const amounts = `${formatBytes(received)}/${formatBytes(sizeBytes)}`
  for (const parts of [[amounts, speed, left], [speed, left], [left], []]) {
    const rest = [subject, percent, ...parts].filter((part) => part !== '').join(' ')
    const room = width - rest.length - 1
    if (room < SMALLEST_BAR) continue
    const bar = formatBar(share, Math.min(BAR_COLUMNS, room), isUnicode)
    const words = [subject, percent, bar, ...parts].filter((part) => part !== '')
    return words.join(' ').slice(0, width)
  }
  return fit([subject, percent], width)
}

/** The last part stays whole, the first gives way. */
function fit(parts: readonly string[], width: number): string {
  const [subject = '', ...others] = parts.filter((part) => part !== '')
  const rest = others.map((part) => ` ${part}`).join('')
  const room = Math.max(1, width - rest.length)
  const shown = subject.length > room ? `${subject.slice(0, Math.max(0, room - 1))}~` : subject
  return `${shown}${rest}`.slice(0, width)
}

export function formatBar(share: number, columns: number, isUnicode: boolean): string {
  if (!isUnicode) {
    const inner = columns - 2
    return `[${'#'.repeat(Math.floor(share * inner)).padEnd(inner, '.')}]`
  }
  const eighths = Math.floor(share * columns * 8)
  return `${'█'.repeat(Math.floor(eighths / 8))}${EIGHTHS[eighths % 8] ?? ''}`.padEnd(columns, ' ')
}

/** `5 s`, `2 min 5 s`, `3 h 12 min`; more than a day is no estimate. */
export function formatSeconds(seconds: number): string {
  const whole = Math.ceil(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
  return 'days'
}
