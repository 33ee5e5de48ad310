import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  ACCESS,
  CAPABILITY_NAMES,
  type Capability,
  explainCapability,
  grantName,
  isGrantedBy,
  isOptional,
  needsGrant,
  PCI_CLASSES,
  PLAIN_NAMES,
} from '../../src/model/capability.ts'
import { parseManifest } from '../../src/model/manifest-schema.ts'

test('each capability is explained by what it lets a package do', () => {
  const texts = [
    explainCapability({ name: 'network', lan: 'uni', wan: 'uplink' }),
    explainCapability({ name: 'network', wan: 'uni' }),
    explainCapability({ name: 'network', lan: 'gal' }),
    explainCapability({ name: 'host-bridge', optional: true }),
    explainCapability({ name: 'pci', class: 'network', optional: false }),
    explainCapability({ name: 'hugepages', optional: true }),
    explainCapability({ name: 'host-folder', access: 'read' }),
    explainCapability({ name: 'host-file', access: 'write' }),
  ]
  assert.deepEqual(texts, [
    'a network card on this host’s uplink',
    'a network card on the uni LAN',
    'a network card on a LAN of its own',
    'a network card on a bridge of this host',
    'a PCI device of class network, taken away from this host while it runs',
    'memory from this host’s hugepages',
    'reading a folder of this host that you choose, with all that is in it',
    'reading and writing a file of this host that you choose',
  ])
})

const manifest = (capabilities: string): string => `vmpkg: 1
name: app-one
version: 1.0.0
arch: amd64
kind: app
summary: A test
license: Apache-2.0
capabilities: ${capabilities}
templates: { domain: domain.xml.hbs }
`

test('every capability can be written in a manifest, and all but a plain network need a grant', () => {
  const bodies: Readonly<Record<string, string>> = {
    network: '{ wan: uni }',
    pci: '{ class: display }',
    'host-folder': '{ access: read }',
    'host-file': '{ access: write, optional: true }',
  }
  for (const name of CAPABILITY_NAMES) {
    const { capabilities } = parseManifest(manifest(`[{ ${name}: ${bodies[name] ?? 'optional'} }]`))
    const [one] = capabilities
    assert.ok(one)
    assert.equal(one.name, name)
    assert.equal(isOptional(one), bodies[name] === undefined || name === 'host-file')
    assert.equal(needsGrant(one), name !== 'network')
    assert.match(explainCapability(one), /^[a-zU].{10,90}$/u)
  }
})

test('a grant by name holds every capability of that name, a grant by its full name only that one', () => {
  const display: Capability = { name: 'pci', class: 'display', optional: true }
  const audio: Capability = { name: 'pci', class: 'audio' }
  assert.equal(grantName(display), 'pci:display')
  assert.deepEqual(
    [['pci'], ['pci:display'], ['usb'], []].map((grants) => [isGrantedBy(display, grants), isGrantedBy(audio, grants)]),
    [
      [true, true],
      [true, false],
      [false, false],
      [false, false],
    ],
  )
  const folder: Capability = { name: 'host-folder', access: 'read' }
  assert.deepEqual([grantName(folder), isGrantedBy(folder, ['host-folder:write'])], ['host-folder:read', false])
})

test('two classes of one name may stand in a manifest, the same twice may not', () => {
  const two = parseManifest(manifest('[{ pci: { class: display } }, { pci: { class: audio } }]'))
  assert.deepEqual(two.capabilities.map(grantName), ['pci:display', 'pci:audio'])
  for (const twice of [
    '[{ pci: { class: audio } }, { pci: { class: audio, optional: true } }]',
    '[{ usb: optional }, { usb: required }]',
  ]) {
    assert.throws(() => parseManifest(manifest(twice)), /a capability appears twice/)
  }
})

test('docs/templates.md shows every capability in the words that install shows', () => {
  const samples: readonly Capability[] = [
    { name: 'network', wan: 'uni' },
    { name: 'network', wan: 'uplink' },
    ...PCI_CLASSES.map((one): Capability => ({ name: 'pci', class: one })),
    ...(['host-folder', 'host-file'] as const).flatMap((name) =>
      ACCESS.map((access): Capability => ({ name, access })),
    ),
    ...PLAIN_NAMES.map((name): Capability => ({ name })),
  ]
  const rows = samples.map((one) => `| \`${grantName(one)}\` | ${explainCapability(one)} |`)
  const page = readFileSync(join(import.meta.dirname, '../../docs/templates.md'), 'utf8')
  const [, table = ''] = /<!-- begin capabilities -->\n([^]*?)\n<!-- end capabilities -->/.exec(page) ?? []
  assert.equal(table, ['| capability | granted means |', '|---|---|', ...rows].join('\n'))
})
