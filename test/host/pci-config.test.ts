import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { parsePciConfig } from '../../src/host/pci-config.ts'
import { debianSource } from '../support/debian-source.ts'

describe('parsePciConfig', () => {
  test('reads the configuration spaces that libvirt keeps', async () => {
    const source = await debianSource('libvirt', {
      suite: 'bookworm',
      only: ['tests', 'src/conf/schemas', 'docs/*.rst'],
    })
    const folder = join(source, 'tests/virpcitestdata')
    const types = new Map<string, number | undefined>()
    for (const name of await readdir(folder)) {
      if (name.endsWith('.config')) types.set(name, parsePciConfig(await readFile(join(folder, name)))?.headerType)
    }
    assert.equal(types.get('0001-00-00.0.config'), 1) // class 0604 in virpcimock
    assert.equal(types.get('0001-01-00.0.config'), 0)
    assert.ok(types.size >= 10)
    assert.ok([...types.values()].every((type) => type === 0 || type === 1))
  })

  test('finds MSI and the serial number through their lists', () => {
    const bytes = new Uint8Array(4096)
    bytes.set([0x10], 0x06)
    bytes.set([0x80], 0x0e)
    bytes.set([0x40], 0x34)
    bytes.set([0x01, 0x50], 0x40) // power management, then MSI-X
    bytes.set([0x11, 0x00], 0x50)
    const view = new DataView(bytes.buffer)
    view.setUint32(0x144, 0x0003, true)
    view.setBigUint64(0x148, 0x0011_22ff_ff33_4455n, true)
    view.setUint32(0x100, (0x144 << 20) | 0x1_0001, true)
    assert.deepEqual(parsePciConfig(bytes), {
      headerType: 0,
      isMultifunction: true,
      hasMsi: true,
      serial: '001122ffff334455',
    })
  })

  test('ends for whatever bytes there are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 4096 }), (bytes) => {
        assert.equal(parsePciConfig(bytes) === undefined, bytes.length < 64)
      }),
    )
    assert.equal(parsePciConfig(new Uint8Array(4096).fill(0xff))?.headerType, 0x7f)
  })
})
