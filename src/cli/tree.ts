/** Trees on a terminal: a text that does not fit goes on beside the lines of the tree, not through them. */
import type { TreeLine } from '../router/graph-text.ts'
import { wrapText } from './wrap.ts'

/** @param columns width of the terminal, or `undefined` when there is none */
export function formatTree(tree: readonly TreeLine[], columns: number | undefined): string {
  const lines = tree.flatMap(({ lead, hang, text }) => {
    const [first = '', ...more] = wrapText(text, columns && columns - hang.length).split('\n')
    return [lead + first, ...more.map((line) => hang + line)]
  })
  return lines.join('\n')
}
