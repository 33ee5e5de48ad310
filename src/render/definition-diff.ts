/**
 * What changes in a definition, as a unified difference of its lines. Both texts are laid out anew first, one element a
 * line, so that only what they say counts. Source: POSIX diff -u. Test oracle: `patch`.
 */
import { createTwoFilesPatch } from 'diff'
import { childElements, getText } from '../xml/find.ts'
import { escapeXml } from '../xml/lexical.ts'
import { parseXml } from '../xml/parse.ts'
import type { XmlElement } from '../xml/tree.ts'

/** Empty where they say the same. @param name what the two are called in the head @throws {VmpkgError} `XML_INVALID` */
export function diffDefinitions(name: string, before: string, after: string): string {
  const [old, next] = [before, after].map((xml) => `${layOut(parseXml(xml).root).join('\n')}\n`)
  if (old === undefined || next === undefined || old === next) return ''
  const patch = createTwoFilesPatch(`a/${name}`, `b/${name}`, old, next, undefined, undefined, { context: 3 })
  return patch.replace(/^=+\n/, '').trimEnd()
}

/** One element a line, two spaces a level; comments are left out. */
export function layOut(element: XmlElement, depth = 0): readonly string[] {
  const indent = '  '.repeat(depth)
  const attributes = element.attributes.map(({ name, quote, raw }) => ` ${name}=${quote}${raw}${quote}`).join('')
  const children = childElements(element)
  const text = getText(element).trim()
  if (children.length > 0) {
    const inner = children.flatMap((child) => layOut(child, depth + 1))
    return [`${indent}<${element.name}${attributes}>`, ...inner, `${indent}</${element.name}>`]
  }
  if (text === '') return [`${indent}<${element.name}${attributes}/>`]
  return `${indent}<${element.name}${attributes}>${escapeXml(text)}</${element.name}>`.split('\n')
}
