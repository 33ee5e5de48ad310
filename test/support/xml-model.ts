/**
 * Documents as libxml2 sees them: xmllint writes canonical XML (c14n 1.0, with comments), in which one thing is written
 * in one way, and fast-xml-parser makes a plain model of it that a test can edit and compare.
 */
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { XMLParser } from 'fast-xml-parser'

/** One key with the node's name, `#text` or `#comment`; `:@` where it has attributes. */
export type Model = Record<string, unknown>

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  trimValues: false,
  parseTagValue: false,
  parseAttributeValue: false,
  processEntities: false,
  commentPropName: '#comment',
  maxNestedTags: 256,
})
/** Stands between the documents that one xmllint writes. */
const SEPARATOR = '<vmpkg-between-documents></vmpkg-between-documents>'

/** The canonical XML of each text, by one process of xmllint. */
export async function canonicalise(texts: readonly string[]): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-c14n-'))
  try {
    const separator = join(folder, 'separator.xml')
    await writeFile(separator, SEPARATOR)
    const paths = await Promise.all(
      texts.map(async (text, index) => {
        const path = join(folder, `${index}.xml`)
        await writeFile(path, text)
        return path
      }),
    )
    const { stdout, error } = spawnSync(
      'xmllint',
      ['--c14n', '--nonet', ...paths.flatMap((path) => [path, separator])],
      {
        encoding: 'utf8',
        maxBuffer: 512 * 1024 * 1024,
      },
    )
    if (error !== undefined) throw error
    const written = stdout.split(SEPARATOR).slice(0, -1)
    if (written.length !== texts.length) throw new Error(`xmllint wrote ${written.length} of ${texts.length} documents`)
    return written
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export function readModel(canonical: string): Model[] {
  return parser.parse(canonical) as Model[]
}

/** The element at a path of numbers among sibling elements, from the root's children downward. */
export function modelAt(models: readonly Model[], path: readonly number[]): Model {
  let model = elements(models)[0]
  for (const index of path) model = model && elements(childrenOf(model))[index]
  if (model === undefined) throw new TypeError('no such element in the model')
  return model
}

export function childrenOf(model: Model): Model[] {
  return model[nameOf(model)] as Model[]
}

export function attributesOf(model: Model): Record<string, string> {
  model[':@'] ??= {}
  return model[':@'] as Record<string, string>
}

export function insertModel(parent: Model, index: number, child: Model): void {
  const children = childrenOf(parent)
  const next = elements(children)[index]
  const last = elements(children).at(-1)
  const behind = last === undefined ? children.length : children.indexOf(last) + 1
  children.splice(next === undefined ? behind : children.indexOf(next), 0, child)
}

export function removeModel(parent: Model, index: number): void {
  const child = elements(childrenOf(parent))[index]
  if (child === undefined) throw new TypeError('no such element in the model')
  childrenOf(parent).splice(childrenOf(parent).indexOf(child), 1)
}

export function replaceModel(parent: Model, index: number, child: Model): void {
  const old = elements(childrenOf(parent))[index]
  if (old === undefined) throw new TypeError('no such element in the model')
  childrenOf(parent)[childrenOf(parent).indexOf(old)] = child
}

/** As canonical XML writes characters. */
export function escapeCanonical(text: string, where: 'attribute' | 'text'): string {
  const escapes: Readonly<Record<string, string>> =
    where === 'text'
      ? { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#xD;' }
      : { '&': '&amp;', '<': '&lt;', '"': '&quot;', '\t': '&#x9;', '\n': '&#xA;', '\r': '&#xD;' }
  return Array.from(text, (character) => escapes[character] ?? character).join('')
}

/** A copy to compare: runs of text joined, no empty attribute lists; without white space between elements if wanted. */
export function tidyModel(models: readonly Model[], withoutLayout: boolean): Model[] {
  const tidied: Model[] = []
  for (const model of models) {
    const name = nameOf(model)
    const last = tidied.at(-1)
    if (name === '#text') {
      if (last !== undefined && '#text' in last) last['#text'] = `${String(last['#text'])}${String(model['#text'])}`
      else tidied.push({ '#text': model['#text'] })
      continue
    }
    const inner = Array.isArray(model[name]) ? tidyModel(model[name] as Model[], withoutLayout) : model[name]
    const attributes = Object.entries((model[':@'] ?? {}) as Record<string, string>).toSorted(([a], [b]) =>
      a < b ? -1 : 1,
    )
    tidied.push({ [name]: inner, ...(attributes.length > 0 && { ':@': Object.fromEntries(attributes) }) })
  }
  const isLayout = ({ '#text': text }: Model): boolean => typeof text === 'string' && text.trim() === ''
  return withoutLayout ? tidied.filter((model) => !isLayout(model)) : tidied
}

function nameOf(model: Model): string {
  return Object.keys(model).find((key) => key !== ':@') ?? ''
}

function elements(models: readonly Model[]): Model[] {
  return models.filter((model) => !/^[#?]/.test(nameOf(model)))
}
