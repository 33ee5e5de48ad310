import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isVmpkgError } from '../../src/errors.ts'
import type { Parameter } from '../../src/model/manifest.ts'
import { type ChosenInput, chooseForDomain, chooseForNetwork } from '../../src/render/chosen.ts'

const uuid = 'b2c7c5fb-7fbd-4a35-9a4a-0d0f1d4f8a11'
const pci = (slot: string, fn: string) => ({ domain: '0000', bus: '01', slot, function: fn })

function refusal(definitions: Record<string, Parameter>, values: ChosenInput['values']): string {
  try {
    chooseForDomain({ definitions, values, uuid })
  } catch (error) {
    assert.ok(isVmpkgError(error, 'PARAMETER_INVALID'), String(error))
    return error.message
  }
  return assert.fail('accepted')
}

test('parameters without a value, and of other types, choose nothing', () => {
  const definitions: Record<string, Parameter> = {
    memory: { type: 'size', default: '1GiB' },
    disk: { type: 'disk', optional: true },
    usb: { type: 'usb', list: true },
  }
  const chosen = chooseForDomain({ definitions, values: { memory: 1024 ** 3, usb: '' }, uuid })
  assert.deepEqual(
    Object.values(chosen).flatMap((list: readonly unknown[]) => list),
    [],
  )
})

test('every function of a PCI device is listed once, under its parameter', () => {
  const definitions: Record<string, Parameter> = { gpu: { type: 'pci' }, cards: { type: 'pci', list: true } }
  const values = { gpu: '01:00.0', cards: '01:01.0,01:02.0' }
  const found = { gpu: [pci('00', '0'), pci('00', '1')], cards: [pci('01', '0'), pci('02', '0')] }
  const { hostdevs } = chooseForDomain({ definitions, values, uuid, pci: found })
  assert.deepEqual(
    hostdevs.map((one) => [one.parameter, one.kind === 'pci' ? `${one.pci.slot}.${one.pci.function}` : '']),
    [
      ['gpu', '00.0'],
      ['gpu', '00.1'],
      ['cards', '01.0'],
      ['cards', '02.0'],
    ],
  )
})

test('disks and CD-ROMs have letters of their own, access and format as declared', () => {
  const definitions: Record<string, Parameter> = {
    data: { type: 'disk', format: 'qcow2', list: true },
    installer: { type: 'iso' },
    old: { type: 'block', access: 'read' },
  }
  const values = { data: '/srv/1.qcow2,/srv/2.qcow2', installer: '/srv/i.iso', old: '/dev/sdx' }
  const { disks, cdroms } = chooseForDomain({ definitions, values, uuid })
  assert.deepEqual(
    [...disks, ...cdroms].map(({ letter, kind, format, readonly, path }) => [letter, kind, format, readonly, path]),
    [
      ['b', 'file', 'qcow2', false, '/srv/1.qcow2'],
      ['c', 'file', 'qcow2', false, '/srv/2.qcow2'],
      ['e', 'block', 'raw', true, '/dev/sdx'],
      ['d', 'cdrom', 'raw', true, '/srv/i.iso'],
    ],
  )
  const many = Array.from({ length: 25 }, (_, at) => `/srv/${at}`).join(',')
  assert.match(refusal({ data: { type: 'disk', list: true } }, { data: many }), /more than 24 disks/)
})

test('folders have the label of their last word, told apart where it is the same, safe for mount and short', () => {
  const definitions: Record<string, Parameter> = { shares: { type: 'folder', list: true, access: 'write' } }
  const values = { shares: `/srv/books,/old/books,/srv/my files,/srv/${'x'.repeat(80)}` }
  const { folders } = chooseForDomain({ definitions, values, uuid })
  assert.deepEqual(
    folders.map(({ label }) => label),
    ['host_books', 'host_books-2', 'host_my-files', `host_${'x'.repeat(23)}`],
  )
  assert.ok(folders.every(({ readonly }) => !readonly))
  const { folders: plain } = chooseForDomain({ definitions: { a: { type: 'folder' } }, values: { a: '/srv' }, uuid })
  assert.equal(plain[0]?.readonly, true)
})

test('what can be had once only is refused the second time, across parameters', () => {
  const disk: Parameter = { type: 'disk' }
  assert.match(
    refusal({ a: disk, b: disk }, { a: '/srv/x', b: '/srv/x' }),
    /"b": \/srv\/x is chosen twice \(by a as well\)/,
  )
  const reader: Parameter = { type: 'disk', access: 'read' }
  assert.equal(
    chooseForDomain({ definitions: { a: reader, b: reader }, values: { a: '/x', b: '/x' }, uuid }).disks.length,
    2,
  )
  const forward: Parameter = { type: 'forward', list: true }
  assert.match(refusal({ a: forward, b: forward }, { a: '80:80', b: '70-90:70-90' }), /"b": the host's port 80\/tcp/)
})

test('cards keep their MACs for the same machine, and differ from all others; no MAC has QEMU’s prefix', () => {
  const definitions: Record<string, Parameter> = { a: { type: 'card', list: true }, b: { type: 'card' } }
  const macs = (id: string): readonly string[] =>
    chooseForDomain({ definitions, values: { a: 'user,user', b: 'user' }, uuid: id }).cards.map(({ mac }) => mac)
  assert.deepEqual(macs(uuid), macs(uuid))
  const all = Array.from({ length: 500 }, (_, at) => macs(uuid.replace(/^.{3}/, String(at).padStart(3, '0')))).flat()
  assert.equal(new Set(all).size, 1500)
  for (const mac of all) assert.match(mac, /^[0-9a-f][26ae](?::[0-9a-f]{2}){5}$/)
})

test('networks get their reservations, routes, names and servers', () => {
  const definitions: Record<string, Parameter> = {
    fixed: { type: 'reservation', list: true },
    ways: { type: 'route' },
    names: { type: 'host-name' },
    servers: { type: 'address', list: true },
  }
  const values = {
    fixed: '52:54:00:aa:bb:cc=192.0.2.5=printer',
    ways: '10.9.0.0/16=192.0.2.2',
    names: 'a.lan=192.0.2.9',
    servers: '::1,192.0.2.1',
  }
  assert.deepEqual(chooseForNetwork({ definitions, values }), {
    reservations: [{ parameter: 'fixed', mac: '52:54:00:aa:bb:cc', address: '192.0.2.5', name: 'printer' }],
    routes: [{ parameter: 'ways', address: '10.9.0.0', prefix: 16, gateway: '192.0.2.2' }],
    hostNames: [{ parameter: 'names', name: 'a.lan', address: '192.0.2.9' }],
    addresses: [
      { parameter: 'servers', address: '::1' },
      { parameter: 'servers', address: '192.0.2.1' },
    ],
  })
})
