/**
 * Our own lines in files of the host: between two markers, at the end, and taken out again without touching anything
 * else. Pure.
 */

const BEGIN = '# BEGIN vmpkg (vmpkg host undo takes these lines out)'
const END = '# END vmpkg'

/** What became of our part of a file: in place as written, gone, or changed by somebody. */
export type Withdrawal =
  | { readonly state: 'taken'; readonly text: string }
  | { readonly state: 'gone' }
  | { readonly state: 'changed' }

export function formatBlock(lines: readonly string[]): string {
  return [BEGIN, ...lines, END, ''].join('\n')
}

/** @param base the file without our block; undefined where there is none */
export function insertBlock(base: string | undefined, lines: readonly string[]): string {
  if (base === undefined || base === '') return formatBlock(lines)
  return `${base}${base.endsWith('\n') ? '' : '\n'}${formatBlock(lines)}`
}

/** @param base what the file was before, for the line's end that we may have added */
export function withdrawBlock(text: string, lines: readonly string[], base: string | undefined): Withdrawal {
  const block = formatBlock(lines)
  const at = text.indexOf(block)
  const hasMarkers = text.includes(BEGIN) || text.split('\n').includes(END)
  if (at === -1) return { state: hasMarkers ? 'changed' : 'gone' }
  const rest = text.slice(0, at) + text.slice(at + block.length)
  if (rest.includes(BEGIN)) return { state: 'changed' }
  const isGlued =
    base !== undefined && base !== '' && !base.endsWith('\n') && at > 0 && at === text.length - block.length
  return { state: 'taken', text: isGlued && rest.endsWith(base.slice(-40) + '\n') ? rest.slice(0, -1) : rest }
}
