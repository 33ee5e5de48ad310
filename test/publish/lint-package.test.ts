import assert from 'node:assert/strict'
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { lintAgainstRegistry } from '../../src/publish/lint-manifest.ts'
import { lintPackage } from '../../src/publish/lint-package.ts'
import { readRegistryView } from '../../src/publish/registry-view.ts'
import { testMirror } from '../support/mirror.ts'
import { buildRegistry } from '../support/registry-builder.ts'
import { readPartials } from '../support/render-contexts.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { tinyApp, tinyRouter } from '../support/tiny-packages.ts'

const TEMPLATES = join(import.meta.dirname, '..', '..', 'templates')
const partials = readPartials()

interface Edit {
  /** Text of files that are written over the copy. */
  readonly files?: Readonly<Record<string, string>>
  readonly manifest?: (text: string) => string
  readonly recipe?: (text: string) => string
  readonly domain?: (text: string) => string
}

/** What lint says of a template of this project after an edit, as `code subject`. */
async function lintEdited(
  t: TestContext,
  name: string,
  { files = {}, manifest, recipe, domain }: Edit,
): Promise<readonly string[]> {
  const folder = join(await makeTempFolder(t), name)
  await cp(join(TEMPLATES, name), folder, { recursive: true })
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  for (const [file, edit] of Object.entries({
    'vmpkg.yaml': manifest,
    'recipe.yaml': recipe,
    'domain.xml.hbs': domain,
  })) {
    const path = join(folder, file)
    if (edit !== undefined) await writeFile(path, edit(await readFile(path, 'utf8')))
  }
  const { findings } = await lintPackage(folder, partials)
  return findings.map(({ severity, code, subject }) => `${severity} ${code} ${subject}`)
}

const replaced = (from: string, to: string) => (text: string) => {
  assert.ok(text.includes(from))
  return text.replace(from, to)
}

describe('lintPackage', () => {
  for (const name of [
    'router-uni',
    'router-gal',
    'router-sol',
    'app-console',
    'os-debian',
    'app-base',
    'app-firefox',
  ]) {
    test(`finds nothing in ${name}, and knows what of it travels`, async () => {
      const { findings, travels, stays } = await lintPackage(join(TEMPLATES, name), partials)
      assert.deepEqual(findings, [])
      assert.ok(travels.some(({ path }) => path === 'domain.xml.hbs'))
      assert.ok(stays.includes('recipe.yaml') && !travels.some(({ path }) => path === 'recipe.yaml'))
    })
  }

  test('lists every fault of a manifest, and goes on without one', async (t) => {
    const broken = await lintEdited(t, 'app-console', { manifest: (text) => `${text}surprise: 1\nkind: app\n` })
    assert.ok(broken.length > 0 && broken.every((one) => one.startsWith('error MANIFEST_INVALID')))
    const { findings } = await lintPackage(await makeTempFolder(t), partials)
    assert.deepEqual(
      findings.map(({ code }) => code),
      ['MANIFEST_INVALID'],
    )
  })

  const CASES: readonly (readonly [string, string, Edit, string])[] = [
    [
      'a template that does not parse',
      'app-console',
      { files: { 'domain.xml.hbs': '<domain>{{#if}}' } },
      'error TEMPLATE_INVALID domain.xml.hbs',
    ],
    [
      'a name that is not declared',
      'app-console',
      { files: { 'guest/x.env.hbs': 'A={{params.colour}}\n' } },
      'error TEMPLATE_INVALID guest file x.env.hbs',
    ],
    [
      'a verified root whose hash the kernel is not told',
      'router-uni',
      { domain: replaced('verity={{images.verity}} ', '') },
      'error POLICY_REFUSED domain.xml.hbs',
    ],
    [
      'a root hash that the recipe does not make',
      'router-uni',
      { recipe: replaced(', verity: true', '') },
      'error RENDER_REFUSED domain.xml.hbs',
    ],
    ['a template that nothing names', 'app-console', { files: { 'old.hbs': 'x' } }, 'warning template-unused old.hbs'],
    [
      'an element that the gate refuses',
      'router-uni',
      { files: { 'network.xml.hbs': '<network><name>{{network.name}}</name><route/></network>' } },
      'error POLICY_REFUSED network.xml.hbs network/route',
    ],
    [
      'a parameter that nothing uses',
      'app-console',
      { manifest: replaced('  memory:', '  colour: { type: string, default: red }\n  memory:') },
      'warning parameter-unused colour',
    ],
    [
      'a pattern that values could never be matched against',
      'app-console',
      { manifest: replaced('  memory:', "  colour: { type: string, pattern: '[a-z]{1,2000}' }\n  memory:") },
      'error MANIFEST_INVALID parameters.colour.pattern',
    ],
    [
      'pins that the template has no place for',
      'app-console',
      { manifest: replaced('  memory:', '  pin: { type: boolean, default: false }\n  memory:') },
      'warning parameter-unused pin',
    ],
    [
      'pins without the capability',
      'server-plain',
      { manifest: replaced('  - cpu-pinning: optional\n', '') },
      'error POLICY_REFUSED domain.xml.hbs domain/cputune/vcpupin',
    ],
    [
      'a capability that nothing uses',
      'app-console',
      { manifest: replaced('  - network: { wan: uni }', '  - network: { wan: uni }\n  - hugepages: optional') },
      'warning capability-unused hugepages',
    ],
    [
      'cards without the capability',
      'app-console',
      { manifest: replaced('capabilities:\n  - network: { wan: uni }\n', '') },
      'warning capability-missing network',
    ],
    [
      'a recipe that is not valid',
      'app-console',
      { files: { 'recipe.yaml': 'recipe: 2\n' } },
      'error RECIPE_INVALID recipe',
    ],
    [
      'a missing recipe',
      'app-console',
      { manifest: replaced('recipe: recipe.yaml', 'recipe: other.yaml') },
      'error RECIPE_INVALID other.yaml',
    ],
    ['a secret that would travel', 'app-console', { files: { 'guest/tls.key': 'x' } }, 'error SECRET_REFUSED files'],
    [
      'a secret in the image',
      'app-console',
      { files: { 'image/etc/app.conf': `password = "q7Rk2ZpV9xLw4TnB8mYc"\n` } },
      'error SECRET_REFUSED image/etc/app.conf',
    ],
    ['a file that nobody asked for', 'app-console', { files: { 'notes.txt': 'x' } }, 'warning file-unlisted notes.txt'],
    [
      'notes that steer a terminal',
      'app-console',
      { manifest: (text) => `${text}notes: "a\\e[2Jb"\n` },
      'error control-characters notes',
    ],
    [
      'a summary that is a sentence',
      'app-console',
      { manifest: replaced('trying things out', 'trying things out.') },
      'warning summary-style summary',
    ],
    [
      'a licence that is none',
      'app-console',
      { manifest: replaced('Apache-2.0', 'do what you like, but ask') },
      'warning license-unknown license',
    ],
    [
      'no word on when it is ready',
      'router-uni',
      { manifest: replaced('ready: { agent: rules-loaded, timeoutSeconds: 120 }', '') },
      'warning ready-missing ready',
    ],
    [
      'a router that is ready without rules',
      'router-uni',
      { manifest: replaced('rules-loaded', 'up') },
      'error ready-agent ready.agent',
    ],
    [
      'no description',
      'app-console',
      { manifest: (text) => text.replace(/description: \|\n(?: {2}.*\n)+/, '') },
      'warning description-missing description',
    ],
  ]
  for (const [title, name, edit, expected] of CASES) {
    test(`finds ${title}`, async (t) => {
      const findings = await lintEdited(t, name, edit)
      assert.ok(
        findings.some((one) => one.startsWith(expected)),
        `${expected} is not among\n${findings.join('\n')}`,
      )
    })
  }

  const DEVICES = `    {{> hostdevs parameter="gpu"}}
    {{> disks parameter="data"}}
    {{> cdroms}}
    {{> serial-socket path=params.port port=1}}
    {{> medium}}`
  const PARAMETERS = `parameters:
  gpu: { type: pci, class: display }
  data: { type: disk, list: true }
  other: { type: disk }
  installer: { type: iso }
  port: { type: socket }
  memory:`
  const CAPABILITIES = `
  - pci: { class: display }
  - host-file: { access: write }
  - host-chardev: required`

  test('imagines what a user may choose: with the capabilities nothing is found, without each the gate says which', async (t) => {
    const domain = await readFile(join(TEMPLATES, 'app-console', 'domain.xml.hbs'), 'utf8')
    const files = { 'domain.xml.hbs': domain.replace('    {{> medium}}', DEVICES) }
    const lint = async (capabilities: string) => {
      const edited = replaced('parameters:\n  memory:', PARAMETERS)
      const granted = replaced('  - network: { wan: uni }', `  - network: { wan: uni }${capabilities}`)
      return lintEdited(t, 'app-console', { files, manifest: (text) => granted(edited(text)) })
    }
    assert.deepEqual(await lint(CAPABILITIES), [])
    for (const capability of CAPABILITIES.split('\n').slice(1)) {
      const found = await lint(CAPABILITIES.replace(`\n${capability}`, ''))
      assert.ok(
        found.some((one) => one.startsWith('error POLICY_REFUSED domain.xml.hbs')),
        `${capability}: ${found.join('\n')}`,
      )
    }
  })

  test('a path that the package chose itself is refused, and a choice that no template walks is pointed out', async (t) => {
    const manifest = replaced(
      'parameters:',
      'parameters:\n  data: { type: disk, default: /etc/shadow }\n  music: { type: folder }',
    )
    const domain = await readFile(join(TEMPLATES, 'app-console', 'domain.xml.hbs'), 'utf8')
    const files = { 'domain.xml.hbs': domain.replace('    {{> medium}}', '    {{> disks}}\n    {{> medium}}') }
    const granted = replaced('  - network: { wan: uni }', '  - network: { wan: uni }\n  - host-file: { access: write }')
    const found = await lintEdited(t, 'app-console', { files, manifest: (text) => granted(manifest(text)) })
    assert.ok(
      found.some((one) => one.startsWith('error POLICY_REFUSED domain.xml.hbs')),
      found.join('\n'),
    )
    assert.ok(found.includes('warning parameter-unused music'), found.join('\n'))
    assert.ok(!found.includes('warning parameter-unused data'))
  })

  test('finds links, which a build would refuse', async (t) => {
    const folder = join(await makeTempFolder(t), 'app-console')
    await cp(join(TEMPLATES, 'app-console'), folder, { recursive: true })
    await symlink('/etc/passwd', join(folder, 'guest', 'link'))
    const { findings } = await lintPackage(folder, partials)
    assert.ok(findings.some(({ severity, subject }) => severity === 'error' && subject === 'files'))
  })

  test('takes built packages as they are, with the images they have', async () => {
    await using registry = await buildRegistry()
    const app = await lintPackage(await registry.build(tinyApp('app-tiny')), partials)
    const router = await lintPackage(await registry.build(tinyRouter('router-tiny')), partials)
    for (const { findings } of [app, router]) assert.ok(findings.every(({ severity }) => severity === 'warning'))
    const bad = await lintPackage(await registry.build({ name: 'app-one', files: { '.env': 'x' } }), partials)
    assert.deepEqual(
      bad.findings.map(({ code }) => code),
      ['SECRET_REFUSED'],
    )
  })
})

describe('lintAgainstRegistry', () => {
  test('compares names and versions with what is published', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }], patterns: ['app-*'] })
    const view = await readRegistryView(testMirror(pathToFileURL(`${registry.folder}/`)))
    const { manifest } = await lintPackage(join(TEMPLATES, 'app-console'), partials)
    assert.ok(manifest)
    const codes = (more: object, together: readonly string[] = []) =>
      lintAgainstRegistry({ ...manifest, ...more }, view, together).map(({ code }) => code)
    assert.deepEqual(codes({ name: 'app-one', version: '1.0-1', depends: [] }), ['version-published'])
    assert.deepEqual(codes({ name: 'app-one', version: '0.9', depends: [] }), ['version-lower'])
    assert.deepEqual(codes({ name: 'app-one', version: '1.1', depends: ['app-one (>= 1) | x-y'] }), [])
    assert.deepEqual(codes({ name: 'router-x', depends: [] }), ['name-unassigned'])
    assert.deepEqual(codes({}), ['depends-unknown'])
    assert.deepEqual(codes({}, ['router-uni']), [])
  })
})
