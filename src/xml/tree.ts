/**
 * The preserved tree: every node keeps the characters it was written with, so that `formatXml` gives back the text that
 * was parsed, byte for byte, and an edit changes only the node it names. Pure data; `parse.ts` makes it.
 */

/** One attribute with its white space: `before name equals quote raw quote`. `raw` still holds its references. */
export interface XmlAttribute {
  before: string
  name: string
  equals: string
  quote: '"' | "'"
  raw: string
}

export interface XmlElement {
  readonly type: 'element'
  readonly name: string
  attributes: XmlAttribute[]
  /** White space before `>` or `/>` of the start tag. */
  startTail: string
  /** `<a/>`; with children it becomes a pair of tags. */
  selfClosing: boolean
  children: XmlNode[]
  /** White space before `>` of the end tag. */
  endTail: string
}

/** Text, comment, CDATA, processing instruction or declaration, exactly as written (delimiters included). */
export interface XmlLeaf {
  readonly type: 'text' | 'comment' | 'cdata' | 'instruction' | 'declaration'
  raw: string
}

export type XmlNode = XmlElement | XmlLeaf

export interface XmlDocument {
  /** Declaration, white space and comments around exactly one element. */
  nodes: XmlNode[]
  readonly root: XmlElement
}

/**
 * The text of a document, an element or any other node. Of an unedited document: the very text that was parsed.
 * `keep` may leave out leaves (comments, instructions).
 */
export function formatXml(node: XmlDocument | XmlNode, keep: (leaf: XmlLeaf) => boolean = () => true): string {
  const parts: string[] = []
  if ('nodes' in node) for (const child of node.nodes) append(child, parts, keep)
  else append(node, parts, keep)
  return parts.join('')
}

function append(node: XmlNode, parts: string[], keep: (leaf: XmlLeaf) => boolean): void {
  if (node.type !== 'element') {
    if (keep(node)) parts.push(node.raw)
    return
  }
  parts.push('<', node.name)
  for (const { before, name, equals, quote, raw } of node.attributes) {
    parts.push(before, name, equals, quote, raw, quote)
  }
  parts.push(node.startTail)
  if (node.selfClosing && node.children.length === 0) {
    parts.push('/>')
    return
  }
  parts.push('>')
  for (const child of node.children) append(child, parts, keep)
  parts.push('</', node.name, node.endTail, '>')
}
