/**
 * A topology as one SVG file: no script, nothing fetched, readable on light and on dark ground. What is shown twice hangs
 * as a small box where it is named again, so that no line crosses another.
 */
import { escapeXml } from '../xml/lexical.ts'
import { describeBranch, type NodeWords } from './graph-words.ts'
import { type Box, layOut } from './svg-layout.ts'
import type { Topology } from './topology.ts'
import { type Branch, growTrees } from './topology-tree.ts'

const MARGIN = 16
const PADDING = 10
const LINE = 17
/** Of a character of 13 pixels in a font of fixed width, rounded up. */
const CHARACTER = 8

const STYLE = `
svg { color-scheme: light dark; background: #fff; font: 13px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace }
rect { fill: #f4f6f8; stroke: #5b6770 } path { fill: none; stroke: #5b6770 } text { fill: #1b2126 }
.title { font-weight: bold } .network rect, .outside rect { fill: #e6f0fa; stroke: #2f6db0 }
.router rect { fill: #e9f5ea; stroke: #2f7d3b } .foreign rect { stroke-dasharray: 5 3 }
.repeated rect { fill: none; stroke-dasharray: 2 3 } .cut { stroke-dasharray: 3 4 }
.warned rect { stroke: #b3261e; stroke-width: 2 } .warning { fill: #b3261e }
@media (prefers-color-scheme: dark) {
svg { background: #15191c } rect { fill: #22282d; stroke: #97a3ad } path { stroke: #97a3ad } text { fill: #e8edf1 }
.network rect, .outside rect { fill: #1b2a3a; stroke: #7ab0ea } .router rect { fill: #1c2e20; stroke: #7cc58a }
.repeated rect { fill: none } .warned rect { stroke: #ff8a80 } .warning { fill: #ff8a80 } }
`

interface Drawn {
  readonly branch: Branch
  readonly words: NodeWords
  readonly branches: readonly Drawn[]
}

export function renderSvg(topology: Topology): string {
  const layout = layOut(growTrees(topology).map(draw), {
    sizeOf: ({ words }) => {
      const lines = linesOf(words)
      const widest = lines.reduce((most, { text }) => Math.max(most, cellsOf(text)), 0)
      return { width: widest * CHARACTER + 2 * PADDING, height: lines.length * LINE + 2 * PADDING }
    },
    branchesOf: ({ branches }) => branches,
    columnGap: 36,
    rowGap: 12,
  })
  const [width, height] = [layout.width + 2 * MARGIN, layout.height + 2 * MARGIN]
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    '<title>Networks and machines</title>',
    `<style>${STYLE}</style>`,
    `<g transform="translate(${MARGIN} ${MARGIN})">`,
    ...layout.boxes.flatMap(formatLink),
    ...layout.boxes.map(formatBox),
    '</g>',
    '</svg>',
  ].join('\n')}\n`
}

function draw(branch: Branch): Drawn {
  return { branch, words: describeBranch(branch), branches: branch.branches.map(draw) }
}

function linesOf({ title, details, warnings }: NodeWords): readonly { readonly of: string; readonly text: string }[] {
  return [
    { of: 'title', text: title },
    ...details.map((text) => ({ of: 'detail', text })),
    ...warnings.map((text) => ({ of: 'warning', text: `! ${text}` })),
  ]
}

/** As terminals count: what is not Latin is taken to be wide, so that no text is wider than its box. */
function cellsOf(text: string): number {
  return Array.from(text).reduce((sum, character) => sum + ((character.codePointAt(0) ?? 0) < 0x250 ? 1 : 2), 0)
}

function formatLink({ of: { branch }, x, y, height, parent }: Box<Drawn>): string[] {
  if (parent === undefined) return []
  const [fromX, fromY, toY] = [parent.x + parent.width, parent.y + parent.height / 2, y + height / 2]
  const { edge } = branch
  const isWhole = edge?.isCut === false && !edge.isNext && edge.link !== undefined
  return [`<path${isWhole ? '' : ' class="cut"'} d="M${fromX} ${fromY}H${(fromX + x) / 2}V${toY}H${x}"/>`]
}

function formatBox({ of: { branch, words }, x, y, width, height }: Box<Drawn>): string {
  const { node, isRepeated } = branch
  const classes = [
    node.kind,
    ...(node.isForeign ? ['foreign'] : []),
    ...(isRepeated ? ['repeated'] : []),
    ...(node.marks.length > 0 ? ['warned'] : []),
  ]
  const text = linesOf(words).map(({ of, text: line }, i) => {
    const baseline = y + PADDING + (i + 1) * LINE - 4
    return `<text class="${of}" x="${x + PADDING}" y="${baseline}">${escapeXml(line)}</text>`
  })
  const frame = `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="6"/>`
  return `<g class="${classes.join(' ')}">${frame}${text.join('')}</g>`
}
