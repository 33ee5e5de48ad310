/** Where an element stands in the text of its document. */
import type { XmlDocument, XmlElement, XmlNode } from './tree.ts'

/** Line of the element's start tag in the text of the document, from 1. */
export function lineOf(document: XmlDocument, wanted: XmlElement): number {
  let line = 1
  const count = (text: string): void => {
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) line += 1
  }
  const visit = (node: XmlNode): boolean => {
    if (node === wanted) return true
    if (node.type !== 'element') {
      count(node.raw)
      return false
    }
    for (const { before, equals, raw } of node.attributes) count(before + equals + raw)
    count(node.startTail)
    if (node.children.some(visit)) return true
    count(node.endTail)
    return false
  }
  document.nodes.some(visit)
  return line
}
