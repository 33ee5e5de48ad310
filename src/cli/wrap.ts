/** Breaks lines between words for a terminal, as fmt(1) does; piped text is left as it is. */

/** Below this the terminal breaks lines as well as we could. */
const LEAST_COLUMNS = 20

/**
 * Lines longer than `columns` go on below, as far in as they began; after `E: `, `W: `, `N: ` and `- ` that far further in. A
 * word that is longer than a line, such as a path, stays whole, so that it can be copied.
 * @param columns width of the terminal, or `undefined` when there is none
 */
export function wrapText(text: string, columns: number | undefined): string {
  if (columns === undefined || columns < LEAST_COLUMNS) return text
  return text
    .split('\n')
    .map((line) => (line.length <= columns ? line : wrapLine(line, columns)))
    .join('\n')
}

function wrapLine(line: string, columns: number): string {
  const start = /^ *(?:[EWN]: |- )?/.exec(line)?.[0] ?? ''
  const lines: string[] = []
  let current = start
  let isEmpty = true
  for (const word of line.slice(start.length).split(' ')) {
    if (!isEmpty && current.length + 1 + word.length > columns) {
      lines.push(current.trimEnd())
      current = ' '.repeat(start.length) + word
    } else current += isEmpty ? word : ` ${word}`
    isEmpty = false
  }
  return [...lines, current].join('\n')
}
