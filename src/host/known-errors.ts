/**
 * Looks up what libvirt, QEMU, the kernel and their tools print among the errors that are known, with cause and fix.
 * Pure. A text that fits no rule is unknown: a wrong fix costs more than none.
 *
 * Lines are matched one by one, as programs prefix them differently (virsh, journalctl, a QEMU log, dmesg); the words of
 * the C library are put into English first.
 */
import type { KnownError } from './known-error.ts'
import { ACCESS_ERRORS } from './known-errors-access.ts'
import { GUEST_ERRORS } from './known-errors-guest.ts'
import { NETWORK_ERRORS } from './known-errors-network.ts'
import { PCI_ERRORS } from './known-errors-pci.ts'
import { STORAGE_ERRORS } from './known-errors-storage.ts'
import { translateSystemWords } from './system-words.ts'

/** In the order in which they are tried; the first that fits a line explains it. */
export const KNOWN_ERRORS: readonly KnownError[] = [
  ...PCI_ERRORS,
  ...NETWORK_ERRORS,
  ...ACCESS_ERRORS,
  ...STORAGE_ERRORS,
  ...GUEST_ERRORS,
]

export interface KnownErrorMatch {
  readonly error: KnownError
  /** First line that fits, cleaned and shortened. */
  readonly line: string
  /** 1-based. */
  readonly lineNumber: number
  /** How many lines fit. */
  readonly count: number
}

/** A line's first characters; a QEMU command line in a log can have more. */
const LINE_LIMIT = 8_192

/** The rule for one message, which may have several lines; `undefined` for an unknown one. */
export function findKnownError(message: string): KnownError | undefined {
  return explainText(message)[0]?.error
}

/** Every known error in a text such as a log, in order of first appearance. */
export function explainText(text: string): readonly KnownErrorMatch[] {
  const found = new Map<KnownError, KnownErrorMatch>()
  for (const [index, raw] of text.split(/\r\n|\n|\r/).entries()) {
    const line = normaliseLine(raw)
    const error = line === '' ? undefined : KNOWN_ERRORS.find(({ patterns }) => patterns.some((one) => one.test(line)))
    if (error === undefined) continue
    const before = found.get(error)
    found.set(
      error,
      before === undefined
        ? { error, line: line.slice(0, 300), lineNumber: index + 1, count: 1 }
        : { ...before, count: before.count + 1 },
    )
  }
  return [...found.values()]
}

/** Without colours and control characters, quotes as ASCII, the C library's words in English. */
function normaliseLine(line: string): string {
  const plain = line
    .slice(0, LINE_LIMIT)
    // oxlint-disable-next-line no-control-regex
    .replaceAll(/\u001B\[[0-9;]{0,20}[A-Za-z]|[\u0000-\u0008\u000B-\u001F\u007F]/g, '')
    .replaceAll(/[‘’‚´]/g, "'")
    .replaceAll(/[“”„«»]/g, '"')
    .replaceAll(/[\s\u00A0]+/g, ' ')
    .trim()
  return translateSystemWords(plain)
}
