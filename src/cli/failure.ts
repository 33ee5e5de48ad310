/** Prints a failure as apt does (`E: message [CODE]`, then the hint), or as one JSON object. */
import { CommanderError } from 'commander'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import { redact } from './redact.ts'

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
  const { code, message, hint, details, causes } = describe(error)
  if (json) {
    write(`${JSON.stringify({ schema: 'vmpkg.error/1', code, message, hint, details, causes })}\n`)
    return
  }
  write(`E: ${redact(message)} [${code}]\n`)
  const findings = details['findings']
  if (Array.isArray(findings)) for (const finding of findings.slice(0, 20)) write(`   - ${redact(String(finding))}\n`)
  if (hint !== undefined) write(`   ${redact(hint)}\n`)
  const [nearest] = causes
  if (verbose) for (const cause of causes) write(`   because: ${redact(cause)}\n`)
  else if (nearest !== undefined && code !== 'USAGE')
    write(`   because: ${redact(nearest.split('\n')[0] ?? '').slice(0, 300)}\n`)
}

function describe(error: unknown): {
  code: string
  message: string
  hint: string | undefined
  details: Readonly<Record<string, unknown>>
  causes: string[]
} {
  if (error instanceof VmpkgError) {
    const { code, message, hint, details } = error
    return { code, message, hint, details, causes: causesOf(error) }
  }
  if (error instanceof CommanderError) {
    const message = error.message.replace(/^error: /, '')
    return { code: 'USAGE', message, hint: 'Add --help to see what this command takes.', details: {}, causes: [] }
  }
  const message = error instanceof Error ? error.message : String(error)
  return {
    code: 'INTERNAL',
    message: `vmpkg met a fault of its own: ${message}`,
    hint: 'Run it again with --verbose and report what it prints.',
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
