/**
 * The first version of a new package, made from another one: its manifest under a new name, with comments and layout kept,
 * and pointers for editors to the JSON Schemas that lie beside the package. Pure; `operations/new-package.ts` writes.
 */
import { isMap, parseDocument } from 'yaml'
import { VmpkgError } from '../errors.ts'
import { parseManifest } from '../model/manifest-schema.ts'

/** Folder beside the packages that holds the schemas. */
export const SCHEMA_FOLDER = 'schemas'
export const SCHEMA_FILES = { 'vmpkg.yaml': 'vmpkg.schema.json', 'recipe.yaml': 'recipe.schema.json' } as const

const FIRST_VERSION = '1.0.0-1'

export interface Draft {
  readonly name: string
  /** What stays as it is in the package that it is made from when absent. */
  readonly summary: string | undefined
  readonly description: string | undefined
  readonly license: string | undefined
  readonly kind: string | undefined
  /** Relations such as `router-uni (>= 1.0)`; none for those of the base. */
  readonly depends: readonly string[]
}

/**
 * The base's `vmpkg.yaml` with the values of the draft.
 * @throws {VmpkgError} `MANIFEST_INVALID` where the result would not be a manifest, with every problem
 */
export function draftManifest(base: string, draft: Draft): string {
  const document = parseDocument(base, { version: '1.2' })
  if (!isMap(document.contents)) {
    throw new VmpkgError('MANIFEST_INVALID', 'The manifest to begin with is no mapping', {
      hint: 'Name a package folder whose vmpkg.yaml vmpkg lint accepts.',
    })
  }
  const { name, summary, description, license, kind, depends } = draft
  const values = { name, version: FIRST_VERSION, kind, summary, description, license }
  for (const [key, value] of Object.entries(values)) if (value !== undefined) document.set(key, value)
  if (summary !== undefined && description === undefined) document.delete('description')
  if (depends.length > 0) document.set('depends', document.createNode(depends, { flow: true }))
  const written = document.toString({ lineWidth: 120 }).replaceAll(/^(.*: )\[ (.*) \]$/gm, '$1[$2]')
  const text = withSchema(written, 'vmpkg.yaml')
  parseManifest(text)
  return text
}

/** The text with a line on top that editors' YAML support reads (the modeline of yaml-language-server). */
export function withSchema(text: string, file: keyof typeof SCHEMA_FILES): string {
  const line = `# yaml-language-server: $schema=../${SCHEMA_FOLDER}/${SCHEMA_FILES[file]}\n`
  return line + text.replace(/^# yaml-language-server: .*\n/, '')
}
