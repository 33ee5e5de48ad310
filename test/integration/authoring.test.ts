/** Beginning a package: what `new` makes builds on what is shipped, lints, and is what the JSON Schemas describe. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { parse } from 'yaml'
import { type Cli, makeCli } from '../support/cli.ts'
import { schemaErrors } from '../support/json-schema.ts'
import { runOnTerminal } from '../support/pty.ts'

const TEMPLATES = join(import.meta.dirname, '..', '..', 'templates')

describe('authoring', () => {
  let cli: Cli
  let out: string
  let bases: readonly { readonly name: string; readonly kind: string }[]
  before(async () => {
    cli = await makeCli()
    out = join(cli.folder, 'packages')
    bases = ((await cli.json(['new', '--list'])) as { bases: typeof bases }).bases
  })
  after(async () => cli.close())

  test('every shipped package can be begun with, and lint finds no error in the draft', async () => {
    const shipped = (await readdir(TEMPLATES)).filter((name) => existsSync(join(TEMPLATES, name, 'vmpkg.yaml')))
    assert.deepEqual(
      bases.map(({ name }) => name),
      shipped.toSorted(),
    )
    for (const { name } of bases) {
      await cli.ok(['new', `my-${name}`, '--from', name, '--out', out, '--summary', 'Mine', '--description', 'Mine.'])
    }
    const drafts = bases.map(({ name }) => join(out, `my-${name}`))
    const { packages } = (await cli.json(['lint', ...drafts])) as { packages: { findings: { severity: string }[] }[] }
    assert.deepEqual(
      packages.flatMap(({ findings }) => findings.filter(({ severity }) => severity === 'error')),
      [],
    )
  })

  test('what is there already stays as it is', async () => {
    const manifest = join(out, 'my-app-console', 'vmpkg.yaml')
    await writeFile(manifest, 'mine')
    const { status, stderr } = await cli.run(['new', 'my-app-console', '--out', out])
    assert.equal(status, 2)
    assert.match(stderr, /exists \[USAGE\]/)
    assert.equal(await readFile(manifest, 'utf8'), 'mine')
  })

  test('a dry run, a bad name and a manifest that cannot be make nothing', async () => {
    const empty = join(cli.folder, 'empty')
    await mkdir(empty)
    assert.match(await cli.ok(['new', 'app-x', '--out', empty, '--dry-run']), /Would make app-x\/vmpkg\.yaml/)
    for (const words of [
      ['App'],
      ['a/b'],
      ['app-x', '--from', 'nothing'],
      ['app-x', '--from', './nothing'],
      ['app-x', '--kind', 'desktop'],
      [],
    ]) {
      const { status, stderr } = await cli.run(['new', ...words, '--out', empty])
      assert.equal(status, words.includes('--kind') || words.includes('./nothing') ? 100 : 2, words.join(' '))
      assert.match(stderr, /^E: .*\n {3}\S/m)
    }
    assert.deepEqual(await readdir(empty), [])
  })

  test('the schemas beside a package accept what is shipped and find what is wrong', async () => {
    const read = async (path: string): Promise<unknown> => parse(await readFile(join(TEMPLATES, path), 'utf8'))
    for (const [file, schema] of [
      ['vmpkg.yaml', 'vmpkg.schema.json'],
      ['recipe.yaml', 'recipe.schema.json'],
    ] as const) {
      const held = bases.filter(({ name }) => existsSync(join(TEMPLATES, name, file)))
      const documents = await Promise.all(held.map(async ({ name }) => read(`${name}/${file}`)))
      assert.ok(documents.length >= 3)
      const document: unknown = JSON.parse(await readFile(join(out, 'schemas', schema), 'utf8'))
      assert.deepEqual(
        await schemaErrors(document, documents),
        documents.map(() => []),
      )
      const wrong = documents.map((one) => ({ ...(one as object), colour: 'red' }))
      for (const errors of await schemaErrors(document, wrong)) assert.notDeepEqual(errors, [])
    }
  })

  test('the schema of a package’s parameters accepts its defaults and no other names', async () => {
    const text = await cli.ok(['schema', 'parameters', join(out, 'my-os-debian')])
    assert.deepEqual(await schemaErrors(JSON.parse(text), [{ memory: '1GiB', vcpus: 2 }, {}]), [[], []])
    for (const errors of await schemaErrors(JSON.parse(text), [{ memory: 5 }, { vcpus: 65 }, { colour: 'red' }]))
      assert.notDeepEqual(errors, [])
    assert.equal(JSON.parse(await cli.ok(['schema', 'manifest'])).title, 'vmpkg.yaml, format 1')
    const { status, stderr } = await cli.run(['schema', 'parameters'])
    assert.equal(status, 2)
    assert.match(stderr, /the last with a package/)
  })

  test('on a terminal it asks, and says the command that does the same', async () => {
    const asked = join(cli.folder, 'asked')
    const answers = [
      ['Begin with', ''],
      ['Name of the package', 'app-asked'],
      ['in one line', "It's asked"],
    ] as const
    const { status, stdout } = await runOnTerminal(cli, ['new', '--out', asked], answers)
    assert.equal(status, 0, stdout)
    const said = /The same without questions: (vmpkg new .*)\r/.exec(stdout)?.[1]
    assert.equal(said, String.raw`vmpkg new app-asked --from app-console --summary 'It'\''s asked'`)
    const by = join(cli.folder, 'by-flags')
    await cli.ok(['new', 'app-asked', '--from', 'app-console', '--summary', "It's asked", '--out', by])
    const read = async (folder: string) => readFile(join(folder, 'app-asked', 'vmpkg.yaml'), 'utf8')
    assert.equal(await read(asked), await read(by))
  })
})
