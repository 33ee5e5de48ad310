/**
 * Makes untrusted text safe to show: no control characters (terminal escapes, A14), no credentials inside URLs.
 * The scan is linear: a hostile text cannot make a regular expression backtrack.
 */

/** Text for a terminal or a log: control and bidirectional characters become `?`, `user:secret@` in URLs becomes `***@`. */
export function redact(text: string): string {
  return hideCredentials(text).replaceAll(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    '?',
  )
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
