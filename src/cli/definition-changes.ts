/** Changes of a definition for a person: the path with old and new value, on lines that fit a terminal. */

import type { DefinitionChange, DefinitionComparison } from '../render/definition-changes.ts'
import { layOut } from '../render/definition-diff.ts'
import { parseXml } from '../xml/parse.ts'

const WIDTH = 80
const SIGNS = { added: '+', removed: '-', changed: '~', moved: '>' } as const

/** `~ memory/text(): 32768 → 65536`; what is longer goes below its path. */
export function formatDefinitionChanges({ changes, conflicts }: DefinitionComparison): readonly string[] {
  return [
    ...changes.flatMap(formatChange),
    ...conflicts.flatMap(({ path, before, after, current }) => [
      ...fold(`! ${path}`, '  '),
      ...fold(`    was ${before ?? 'nothing'}`, '      '),
      ...fold(`    the package makes it ${after ?? 'nothing'}`, '      '),
      ...fold(`    you made it ${current ?? 'nothing'}`, '      '),
    ]),
  ]
}

function formatChange(change: DefinitionChange): readonly string[] {
  const { kind, path, before, after } = change
  const head = `${SIGNS[kind]} ${path.replaceAll(/\s+/g, ' ')}`
  const [old, now] = [before, after].map((value) => (value === undefined ? undefined : linesOf(change, value)))
  const isShort = (old?.length ?? 1) === 1 && (now?.length ?? 1) === 1
  const values = [old?.[0], now?.[0]].filter((value) => value !== undefined).join(' → ')
  const line = `${head}: ${values}`
  if (isShort && line.length <= WIDTH) return [line]
  const below = (sign: string, lines: readonly string[] = []): readonly string[] =>
    lines.flatMap((text) => fold(`    ${sign} ${text}`, '      '))
  return [...fold(head, '  '), ...below('-', old), ...below('+', now)]
}

/** Elements are laid out, one a line; all else is on one line. */
function linesOf({ node, kind }: DefinitionChange, value: string): readonly string[] {
  if (node !== 'element') return [JSON.stringify(value).slice(1, -1)]
  return kind === 'moved' ? [`place ${value}`] : layOut(parseXml(value).root)
}

/** Long words are cut, since XML has few spaces where one may. */
function fold(text: string, indent: string): readonly string[] {
  const lines: string[] = []
  let rest = text
  while (rest.length > WIDTH) {
    const space = rest.lastIndexOf(' ', WIDTH)
    const whole = /[\uD800-\uDBFF]/.test(rest[WIDTH - 1] ?? '') ? WIDTH - 1 : WIDTH
    const at = space > indent.length + 20 ? space : whole
    lines.push(rest.slice(0, at))
    rest = `${indent}${rest.slice(at).trimStart()}`
  }
  return [...lines, rest]
}
