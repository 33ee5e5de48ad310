import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareDefinition, type DefinitionChange } from '../../src/render/definition-changes.ts'

const rendered = (memory: string, devices = '', more = ''): string =>
  `<domain type='qemu'><name>r</name><memory unit='KiB'>${memory}</memory>${more}<devices>
    <interface type='network'><mac address='02:00:00:00:00:01'/><source network='up'/></interface>${devices}</devices></domain>`
/** As libvirt writes it down. */
const defined = (xml: string, memory: string): string =>
  xml
    .replace('</memory>', `</memory><currentMemory unit='KiB'>${memory}</currentMemory>`)
    .replaceAll('</interface>', "<alias name='net0'/><address type='pci' slot='0x01'/></interface>")
    .replace('</devices>', "<controller type='pci' index='0' model='pcie-root'/></devices>")

const OLD = rendered('32768')
const BASE = defined(OLD, '32768')
const base = { rendered: OLD, defined: BASE }
const short = (changes: readonly DefinitionChange[]): readonly string[] =>
  changes.map(({ kind, path, before, after }) => `${kind} ${path}: ${before} → ${after}`)

test('what libvirt filled in is no change, whether or not the former rendering is known', () => {
  assert.deepEqual(compareDefinition(BASE, OLD, base).changes, [])
  assert.deepEqual(compareDefinition(BASE, OLD), { changes: [], conflicts: [], isWhole: false, isEdited: false })
})

test('a changed value, a new and a gone device are told by path', () => {
  const tablet = "<input type='tablet' bus='usb'/>"
  const next = rendered('65536', tablet)
  const changes = compareDefinition(BASE, next, base).changes
  assert.deepEqual(short(changes).slice(0, 1), ['changed memory/text(): 32768 → 65536'])
  assert.match(short(changes)[1] ?? '', /^added devices\/input.*tablet/)
  assert.equal(changes.length, 2)
  assert.deepEqual(short(compareDefinition(BASE, next).changes), short(changes))
  const had = rendered('32768', tablet)
  const gone = compareDefinition(defined(had, '32768'), OLD, { rendered: had, defined: defined(had, '32768') })
  assert.deepEqual(
    gone.changes.map(({ kind, node }) => `${kind} ${node}`),
    ['removed element'],
  )
})

test('what libvirt derives is passed over only where the rendering did not say it', () => {
  const said = rendered('32768', '', "<currentMemory unit='KiB'>16384</currentMemory>")
  const { changes } = compareDefinition(said, OLD, { rendered: said, defined: said })
  assert.match(short(changes).join(), /^removed currentMemory/)
})

test('edits of the user stay, and are conflicts where the rendering changes the same', () => {
  const current = BASE.replace("'KiB'>32768</memory>", "'KiB'>49152</memory>").replace(
    '</devices>',
    "<watchdog model='itco'/></devices>",
  )
  const kept = compareDefinition(current, OLD, base)
  assert.deepEqual([kept.changes, kept.conflicts, kept.isEdited], [[], [], true])
  const both = compareDefinition(current, rendered('65536'), base)
  assert.deepEqual(
    both.conflicts.map(({ path }) => path),
    ['memory'],
  )
  assert.deepEqual(both.changes, [])
})
