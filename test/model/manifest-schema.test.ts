import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isVmpkgError } from '../../src/errors.ts'
import { manifestJsonSchema, parseManifest } from '../../src/model/manifest-schema.ts'

const router = `
vmpkg: 1
name: router-gal
version: 1.0.0-1
arch: amd64
kind: router
summary: VPN gateway behind router-uni
description: |
  More than one
  line.
license: Apache-2.0
os: { id: debian12, family: linux }
depends: [router-uni (>= 1.0)]
layer: gal
images: { recipe: recipe.yaml }
capabilities:
  - network: { lan: gal, wan: uni }
  - hugepages: optional
  - pci: { class: network, optional: true }
  - host-bridge: required
parameters:
  memory: { type: size, default: 192MiB, minimum: 128MiB }
  vpn: { type: file, format: ovpn, optional: true }
  mode: { type: choice, values: [a, b], default: a }
  uplink: { type: uplink, default: "bridge:br0" }
templates: { domain: domain.xml.hbs, network: network.xml.hbs }
guest: { files: guest/ }
ready: { agent: rules-loaded }
notes: |
  Shown before install.
`

describe('parseManifest', () => {
  test('reads every field, with defaults for those left out', () => {
    const manifest = parseManifest(router)
    assert.deepEqual(manifest.capabilities, [
      { name: 'network', lan: 'gal', wan: 'uni' },
      { name: 'hugepages', optional: true },
      { name: 'pci', class: 'network', optional: true },
      { name: 'host-bridge' },
    ])
    assert.deepEqual(manifest.parameters['memory'], { type: 'size', default: '192MiB', minimum: '128MiB' })
    assert.deepEqual(manifest.ready, { agent: 'rules-loaded', timeoutSeconds: 120 })
    assert.deepEqual(manifest.recommends, [])
  })

  test('takes data disks of apps, each with a name, label and place of its own', () => {
    const app = router.replace('kind: router', 'kind: app').replace('layer: gal\n', '')
    const data = (text: string): string => `${app}data: ${text}\n`
    const { data: read } = parseManifest(
      data('{ home: { size: 8GiB, mount: /home }, mail: { size: 16MiB, mount: /srv/mail, label: MAIL } }'),
    )
    assert.deepEqual(read?.['mail'], { size: '16MiB', mount: '/srv/mail', label: 'MAIL' })
    for (const bad of [
      '{ Home: { size: 8GiB, mount: /home } }',
      '{ abcdefghijklmno: { size: 8GiB, mount: /home } }',
      '{ home: { size: 1MiB, mount: /home } }',
      '{ home: { size: 8GiB, mount: home } }',
      '{ home: { size: 8GiB, mount: /a/../b } }',
      '{ home: { size: 8GiB, mount: /home, label: "a b" } }',
      '{ home: { size: 8GiB, mount: /home }, mail: { size: 8GiB, mount: /home } }',
      '{ home: { size: 8GiB, mount: /home }, mail: { size: 8GiB, mount: /mail, label: home } }',
    ]) {
      assert.ok(
        problems(data(bad)).some((path) => path.startsWith('data')),
        bad,
      )
    }
    assert.deepEqual(problems(`${router}data: { home: { size: 8GiB, mount: /home } }\n`), ['data'])
  })

  test('reports every problem at once, each with its path', () => {
    const bad = router
      .replace('arch: amd64', 'arch: mips')
      .replace('hugepages: optional', 'gpu: all')
      .replace('type: file', 'type: blob')
      .replace('license:', 'licence:')
    assert.deepEqual(problems(bad).toSorted(), ['arch', 'capabilities.1', 'licence', 'license', 'parameters.vpn.type'])
    assert.throws(
      () => parseManifest(bad),
      /allowed are network, pci, host-folder, host-file, host-bridge, hugepages, usb/,
    )
    assert.throws(() => parseManifest(bad), /allowed are size, integer, boolean, string, choice, uplink, file/)
  })

  const refused: readonly (readonly [string, string, string, string])[] = [
    ['an unknown field', 'notes: |', 'preinst: run.sh\nnotes: |', 'preinst'],
    ['another format', 'vmpkg: 1', 'vmpkg: 2', 'vmpkg'],
    ['a default below the minimum', 'default: 192MiB', 'default: 64MiB', 'parameters.memory.default'],
    ['a default that is no choice', 'default: a }', 'default: c }', 'parameters.mode.default'],
    ['a size in decimal units', 'default: 192MiB', 'default: 192MB', 'parameters.memory.default'],
    ['a router without a layer', 'layer: gal\n', '', 'layer'],
    ['a path that leaves the package', 'recipe: recipe.yaml', 'recipe: ../recipe.yaml', 'images.recipe'],
    ['an absolute path', 'domain: domain.xml.hbs', 'domain: /etc/x.hbs', 'templates.domain'],
    ['a name that is not plain', 'name: router-gal', 'name: Router_Gal', 'name'],
    ['a summary with control characters', 'summary: VPN gateway behind router-uni', 'summary: "\\e[31mVPN"', 'summary'],
    ['a relation that is none', 'router-uni (>= 1.0)', 'router-uni > 1', 'depends.0'],
    ['a parameter named like a method', 'memory: { type: size', 'constructor: { type: size', 'parameters.constructor'],
    ['a capability twice', '- hugepages: optional', '- network: { lan: sol }', 'capabilities'],
    [
      'a field of a capability that does not exist',
      'lan: gal, wan',
      'lan: gal, spoof: true, wan',
      'capabilities.0.network.spoof',
    ],
    ['an uplink that is none', 'bridge:br0', 'exec:sh', 'parameters.uplink.default'],
    ['a prototype', 'notes: |', '__proto__: { a: 1 }\nnotes: |', '__proto__'],
  ]
  for (const [what, from, to, path] of refused) {
    test(`refuses ${what}, naming ${path}`, () => {
      assert.ok(router.includes(from))
      assert.deepEqual(problems(router.replace(from, to)), [path])
    })
  }

  const notPlain = {
    'doubled keys': 'name: aa\nname: bb',
    'anchors and aliases': 'a: &x [1]\nb: *x',
    'an anchor alone': 'a: &x 1',
    'merge keys': 'a: &x {b: 1}\nc: {<<: *x}',
    tags: 'a: !!binary aGk=',
    'own tags': 'a: !exec rm',
    'two documents': '---\na: 1\n---\nb: 2',
    'broken YAML': '[1, 2',
    'a hundred thousand levels': '['.repeat(100_000),
    'a file too large': `a: ${'x'.repeat(300_000)}`,
  }
  for (const [what, text] of Object.entries(notPlain)) {
    test(`refuses ${what}`, () => {
      assert.throws(() => parseManifest(text), { code: 'MANIFEST_INVALID' })
    })
  }
})

describe('manifestJsonSchema', () => {
  test('describes the fields for editors', () => {
    const schema = JSON.parse(JSON.stringify(manifestJsonSchema())) as {
      properties: Record<string, unknown>
      required: string[]
    }
    assert.ok(schema.required.includes('name'))
    assert.ok(!schema.required.includes('depends'))
    assert.ok('parameters' in schema.properties)
  })
})

function problems(text: string): readonly string[] {
  try {
    parseManifest(text)
  } catch (error) {
    if (!isVmpkgError(error, 'MANIFEST_INVALID')) throw error
    return (error.details['problems'] as { path: string }[]).map(({ path }) => path)
  }
  return []
}
