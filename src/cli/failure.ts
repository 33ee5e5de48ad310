/** Prints a failure as apt does (`E: message [CODE]`, then the hint), or as one JSON object. */
import { CommanderError } from 'commander'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import { HINTS } from './hints.ts'
import { formatJson, hideAllCredentials, redact } from './redact.ts'
import { translateFailure } from './translate.ts'

export interface FailureStyle {
  readonly json: boolean
  /** Show the chain of causes. */
  readonly verbose: boolean
  readonly write: (text: string) => void
}

export function printFailure(error: unknown, style: FailureStyle): void {
  const failures = error instanceof AggregateError ? error.errors : [error]
  for (const failure of failures) print(failure, style)
}

/** 0 where commander has printed help. */
export function exitStatusOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (isVmpkgError(error, 'USAGE')) return 2
  if (isVmpkgError(error, 'ABORTED')) return 130
  return 100
}

function print(error: unknown, { json, verbose, write }: FailureStyle): void {
  const { code, message, hint, details, causes } = describe(translateFailure(error))
  if (json) {
    write(`${formatJson(hideAllCredentials({ schema: 'vmpkg.error/1', code, message, hint, details, causes }))}\n`)
    return
  }
  const [first = '', ...further] = redact(message).split('\n')
  write(`E: ${first} [${code}]\n`)
  for (const line of further) write(`   ${line.trimStart()}\n`)
  const findings = details['findings']
  if (Array.isArray(findings))
    for (const text of findings.slice(0, 20).map(findingText))
      if (!message.includes(text)) write(`   - ${redact(text)}\n`)
  write(`   ${redact(hint)}\n`)
  if (verbose) for (const cause of causes) write(`   because: ${redact(cause)}\n`)
  const nearest = causes[0]?.split('\n')[0]
  if (verbose || nearest === undefined || code === 'USAGE' || message.includes(nearest)) return
  write(`   because: ${redact(nearest).slice(0, 300)}\n`)
}

/** Findings of the policy gate are `{path, reason}`. */
function findingText(finding: unknown): string {
  if (typeof finding !== 'object' || finding === null) return String(finding)
  const { path = '', reason = '' } = finding as Readonly<Record<string, unknown>>
  return `${String(path)}: ${String(reason)}`
}

function describe(error: unknown): {
  code: string
  message: string
  hint: string
  details: Readonly<Record<string, unknown>>
  causes: string[]
} {
  if (error instanceof VmpkgError) {
    const { code, message, hint = HINTS[code], details } = error
    return { code, message, hint, details, causes: causesOf(error) }
  }
  if (error instanceof CommanderError) {
    const text = error.message.replace(/^error: /, '').replaceAll('\n', ' ')
    const message = `${text.charAt(0).toUpperCase()}${text.slice(1)}`
    return { code: 'USAGE', message, hint: HINTS.USAGE, details: {}, causes: [] }
  }
  const message = error instanceof Error ? error.message : String(error)
  return {
    code: 'INTERNAL',
    message: `vmpkg met a fault of its own: ${message}`,
    hint: HINTS.INTERNAL,
    details: {},
    causes: error instanceof Error ? [error.stack ?? message, ...causesOf(error)] : [],
  }
}

function causesOf(error: Error): string[] {
  const causes: string[] = []
  let cause = error.cause
  while (cause instanceof Error && causes.length < 8) {
    causes.push(cause.message)
    cause = cause.cause
  }
  return causes
}
