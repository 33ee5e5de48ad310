/**
 * Makes untrusted text safe to show: no control characters (terminal escapes, A14), no credentials inside URLs.
 * The scan is linear: a hostile text cannot make a regular expression backtrack.
 */

const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** Text for a terminal or a log: control and bidirectional characters become `?`, `user:secret@` in URLs becomes `***@`. */
export function redact(text: string): string {
  return hideCredentials(text).replaceAll(CONTROL, '?')
}

/** JSON that says the same and steers no terminal: `JSON.stringify` escapes only part of these characters. */
export function formatJson(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, undefined, indent)
  return text.replaceAll(CONTROL, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** The same for every text in a JSON document: those of URLs only, `formatJson` takes care of the rest. */
export function hideAllCredentials(value: unknown): unknown {
  if (typeof value === 'string') return hideCredentials(value)
  if (Array.isArray(value)) return value.map(hideAllCredentials)
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, hideAllCredentials(one)]))
}

function hideCredentials(text: string): string {
  let result = ''
  let from = 0
  for (;;) {
    const scheme = text.indexOf('://', from)
    if (scheme === -1) return result + text.slice(from)
    const start = scheme + 3
    let end = start
    while (end < text.length && !' \t\r\n/?#"\'<>'.includes(text.charAt(end))) end++
    const at = text.lastIndexOf('@', end - 1)
    result += text.slice(from, start) + (at >= start ? `***${text.slice(at, end)}` : text.slice(start, end))
    from = end
  }
}
