/** One mistake in a package, or a doubt about it. */
import { VmpkgError } from '../errors.ts'

export interface LintFinding {
  /** An error is refused sooner or later; a warning is a matter of taste or of doubt. */
  readonly severity: 'error' | 'warning'
  /** An error code of vmpkg, or a word of docs/publishing.md. */
  readonly code: string
  /** A file, a field or a parameter. */
  readonly subject: string
  readonly message: string
}

export function lintError(code: string, subject: string, message: string): LintFinding {
  return { severity: 'error', code, subject, message }
}

export function lintWarning(code: string, subject: string, message: string): LintFinding {
  return { severity: 'warning', code, subject, message }
}

/** What a failure of vmpkg's own says, each problem on its own where it lists several. @throws what is no refusal */
export function findingsOf(error: unknown, subject: string): readonly LintFinding[] {
  if (!(error instanceof VmpkgError)) throw error
  const { code, message, details } = error
  const list = details['problems'] ?? details['findings']
  if (!Array.isArray(list) || list.length === 0) return [lintError(code, subject, message)]
  return list.map((one: unknown) => {
    if (typeof one !== 'object' || one === null) return lintError(code, subject, String(one))
    const { path, problem, reason } = one as Readonly<Record<string, unknown>>
    const said = typeof problem === 'string' ? problem : reason
    return lintError(
      code,
      typeof path === 'string' ? `${subject} ${path}` : subject,
      typeof said === 'string' ? said : message,
    )
  })
}
