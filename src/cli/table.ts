/** Tables as apt and incus print them: aligned columns on a terminal, tab-separated values when piped. */
import { wrapText } from './wrap.ts'

/** What is left for the last column must be this wide, or it is shortened like the others. */
const LEAST_LAST = 20

/**
 * @param columns terminal width, or `undefined` when piped: then TSV with no header.
 * @param last the last column where it does not fit: `shortened` for many rows, `whole` in further lines for sentences
 */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  columns: number | undefined,
  last: 'shortened' | 'whole' = 'shortened',
): string[] {
  const cells = rows.map((row) => row.map((cell) => cell.replaceAll(/[\t\n]/g, ' ')))
  if (columns === undefined) return cells.map((row) => row.join('\t'))
  const widths = header.map((title, i) => Math.max(title.length, ...cells.map((row) => (row[i] ?? '').length)))
  const lastAt = widths.slice(0, -1).reduce((sum, width) => sum + width + 2, 0)
  if (last === 'whole' && columns - lastAt >= LEAST_LAST) {
    return [header, ...cells].flatMap((row) => {
      const left = row.slice(0, -1).map((cell, i) => cell.padEnd((widths[i] ?? 0) + 2))
      const [first = '', ...more] = wrapText(row.at(-1) ?? '', columns - lastAt).split('\n')
      return [left.join('') + first, ...more.map((line) => ' '.repeat(lastAt) + line.trimStart())].map((line) =>
        shorten(line, columns),
      )
    })
  }
  return [header, ...cells].map((row) =>
    shorten(row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join('  '), columns),
  )
}

function shorten(line: string, columns: number): string {
  const text = line.trimEnd()
  return text.length > columns ? `${text.slice(0, Math.max(1, columns - 1))}…` : text
}

/** `1 package`, `2 packages`. */
export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** `33.5 MiB`: binary units, one decimal from KiB on. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}
