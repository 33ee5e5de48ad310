/** Every rendering that is kept reads as it is nested: two spaces a level, whichever partials and branches it came from. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseXml } from '../../src/xml/parse.ts'
import type { XmlElement } from '../../src/xml/tree.ts'

const folder = fileURLToPath(new URL('../golden/render/', import.meta.url))

/** Names of elements that do not begin, or end, where their depth says. */
function findCrooked(element: XmlElement, depth: number): readonly string[] {
  const elements = element.children.filter((child) => child.type === 'element')
  if (elements.length === 0) return []
  const crooked: string[] = []
  element.children.forEach((child, at) => {
    if (child.type !== 'element') return
    const before = element.children[at - 1]
    if (before?.type !== 'text' || before.raw !== `\n${'  '.repeat(depth)}`) crooked.push(`<${child.name}>`)
    crooked.push(...findCrooked(child, depth + 1))
  })
  const last = element.children.at(-1)
  if (last?.type !== 'text' || last.raw !== `\n${'  '.repeat(depth - 1)}`) crooked.push(`</${element.name}>`)
  return crooked
}

const files = readdirSync(folder).filter((name) => name.endsWith('.xml'))

test('there are renderings to look at', () => {
  assert.ok(files.length > 40, String(files.length))
})

for (const file of files) {
  test(`${file} is indented as it is nested`, () => {
    assert.deepEqual(findCrooked(parseXml(readFileSync(`${folder}${file}`, 'utf8')).root, 1), [])
  })
}
