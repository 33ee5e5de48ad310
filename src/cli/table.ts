/** Tables as apt and incus print them: aligned columns on a terminal, tab-separated values when piped. */

/** @param columns terminal width, or `undefined` when piped: then TSV with no header. */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  columns: number | undefined,
): string[] {
  const cells = rows.map((row) => row.map((cell) => cell.replaceAll(/[\t\n]/g, ' ')))
  if (columns === undefined) return cells.map((row) => row.join('\t'))
  const widths = header.map((title, i) => Math.max(title.length, ...cells.map((row) => (row[i] ?? '').length)))
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
