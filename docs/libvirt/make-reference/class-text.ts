/** A class or interface as its source declares it, with what its comments say. */

import { blocks, fenced, throwsText } from './method-text.ts'
import type { Declaration, Doc, SourceFile } from './source.ts'

/** Members that other files of the client call and a program does not. */
const INTERNAL = new Set([
  'Connect.invoke',
  'EventFeed.lost',
  'EventFeed.renew',
  'EventFeed.dropped',
  'LibvirtEmitter.onClosed',
])
/** The methods of a stream that its connection calls. */
const SINK = new Set(['opened', 'answered', 'handOver', 'data', 'hole', 'ended', 'confirmed', 'failed', 'dropped'])

export function classText(file: SourceFile, name: string): string {
  const { node, doc } = file.declaration(name)
  return blocks([doc?.text, ...members(node, name, file).map((member) => memberText(member))])
}

/** An interface or type as it stands in the source. */
export function declarationText(file: SourceFile, name: string): string {
  const { node, doc } = file.declaration(name)
  return blocks([`### \`${name}\``, doc?.text, fenced(file.text.slice(node.start, node.end))])
}

interface Member {
  readonly name: string
  readonly code: string
  readonly doc: Doc | undefined
}

function memberText({ name, code, doc }: Member): string {
  return blocks([`### \`${name}\``, fenced(code), doc?.text, throwsText(doc)])
}

function members(node: Declaration, className: string, file: SourceFile): Member[] {
  if (node.type === 'TSInterfaceDeclaration' || node.type === 'TSTypeAliasDeclaration') return []
  return node.body.body.flatMap((member): Member[] => {
    if (member.type !== 'MethodDefinition' && member.type !== 'PropertyDefinition') return []
    if (member.key.type === 'PrivateIdentifier' || member.accessibility === 'private') return []
    if (member.type === 'MethodDefinition' && member.kind === 'constructor') return []
    const key = file.text.slice(member.key.start, member.key.end)
    const doc = file.docBefore(member.start)
    if (INTERNAL.has(`${className}.${key}`) || doc?.isInternal === true) return []
    if (member.override && doc === undefined) return []
    if (className === 'LibvirtStream' && SINK.has(key)) return []
    const end = member.type === 'MethodDefinition' ? member.value.body?.start : member.value?.start
    const code = file.text
      .slice(member.start, end ?? member.end)
      .replace(/\s*=?\s*$/, '')
      .replace(/^override /, '')
      .replace(/^(static )?async /, '$1')
      .replace(/^\*/, '')
    return [{ name: member.computed ? `[${key}]` : key, code, doc }]
  })
}
