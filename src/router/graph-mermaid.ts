/**
 * A topology as a flowchart of Mermaid, which Git forges and editors draw. Names are of others, so a label holds letters,
 * digits, blanks and a few marks as they are, and everything else as a numbered entity.
 *
 * Source: https://mermaid.js.org/syntax/flowchart.html, sections "Entity codes to escape characters" and "Links".
 */
import { describeNode } from './graph-words.ts'
import type { Topology, TopologyEdge, TopologyNode } from './topology.ts'

export function renderMermaid({ nodes, edges }: Topology): string {
  const ids = new Map(nodes.map(({ id }, i) => [id, `n${i}`]))
  const lines = [
    ...nodes.map((node) => `  ${ids.get(node.id)}${formatNode(node)}`),
    ...edges.flatMap((edge) => {
      const [from, to] = [ids.get(edge.from), ids.get(edge.to)]
      return from === undefined || to === undefined ? [] : [`  ${from} ${formatEdge(edge)} ${to}`]
    }),
    '  classDef foreign stroke-dasharray:4 3',
    '  classDef warned stroke:#c03030,stroke-width:2px',
    ...formatClass(
      'foreign',
      nodes.filter(({ isForeign }) => isForeign),
      ids,
    ),
    ...formatClass(
      'warned',
      nodes.filter(({ marks }) => marks.length > 0),
      ids,
    ),
  ]
  return `flowchart TD\n${lines.join('\n')}\n`
}

/** Networks are round, machines have corners. */
function formatNode(node: TopologyNode): string {
  const { title, details, warnings } = describeNode(node)
  const label = [title, ...details, ...warnings.map((one) => `! ${one}`)].map(escapeLabel).join('<br/>')
  return node.kind === 'network' || node.kind === 'outside' ? `(["${label}"])` : `["${label}"]`
}

/** Dotted where nothing passes: the link is down, or there is no card. */
function formatEdge({ link, address, isCut, isNext }: TopologyEdge): string {
  const words = [
    ...(address === undefined ? [] : [address]),
    ...(isCut ? ['link down'] : []),
    ...(isNext ? ['from the next start'] : []),
  ]
  const arrow = isCut || isNext || link === undefined ? '-.->' : '-->'
  return words.length === 0 ? arrow : `${arrow}|"${escapeLabel(words.join(', '))}"|`
}

function formatClass(
  name: string,
  nodes: readonly TopologyNode[],
  ids: ReadonlyMap<string, string>,
): readonly string[] {
  return nodes.length === 0 ? [] : [`  class ${nodes.map(({ id }) => ids.get(id)).join(',')} ${name}`]
}

function escapeLabel(text: string): string {
  return text.replaceAll(/[^\p{L}\p{N} ._/,!-]/gu, (character) => `#${character.codePointAt(0)};`)
}
