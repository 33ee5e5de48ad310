import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseManifest } from '../../src/model/manifest-schema.ts'
import { type Draft, draftManifest, withSchema } from '../../src/publish/draft-package.ts'

const BASE = `# What it is.
vmpkg: 1
name: app-base
version: 2.3-4 # of the base
arch: amd64
kind: app
summary: A base
description: |
  Of the base.
license: Apache-2.0
depends: [router-uni (>= 1.0)]
capabilities:
  # Where it leads.
  - network: { wan: uni }
parameters:
  memory: { type: size, default: 128MiB }
templates: { domain: domain.xml.hbs }
`
const draft: Draft = {
  name: 'app-new',
  summary: undefined,
  description: undefined,
  license: undefined,
  kind: undefined,
  depends: [],
}

test('a draft has the new name and its first version, and all else as the base has it, comments included', () => {
  const text = draftManifest(BASE, draft)
  const expected = BASE.replace('app-base', 'app-new').replace('2.3-4', '1.0.0-1')
  assert.equal(text, `# yaml-language-server: $schema=../schemas/vmpkg.schema.json\n${expected}`)
})

test('a draft says what was given, and nothing about the base’s purpose', () => {
  const text = draftManifest(BASE, {
    ...draft,
    summary: 'Editor: "quoted" # and all',
    license: 'MIT',
    kind: 'utility',
    depends: ['router-gal (>= 1.0)', 'app-base'],
  })
  const manifest = parseManifest(text)
  assert.equal(manifest.summary, 'Editor: "quoted" # and all')
  assert.equal(manifest.description, '')
  assert.deepEqual([manifest.license, manifest.kind], ['MIT', 'utility'])
  assert.equal(manifest.depends.length, 2)
  assert.match(text, /# Where it leads\./)
})

test('a draft that would be no manifest is refused with the field', () => {
  assert.throws(() => draftManifest(BASE, { ...draft, kind: 'desktop' }), { code: 'MANIFEST_INVALID', message: /kind/ })
  assert.throws(() => draftManifest('- a list\n', draft), { code: 'MANIFEST_INVALID', message: /no mapping/ })
})

test('the line for editors stands once', () => {
  const once = withSchema('recipe: 1\n', 'recipe.yaml')
  assert.equal(once, '# yaml-language-server: $schema=../schemas/recipe.schema.json\nrecipe: 1\n')
  assert.equal(withSchema(once, 'recipe.yaml'), once)
})
