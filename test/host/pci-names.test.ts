import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { PciDevice } from '../../src/host/pci-device.ts'
import { describePciDevice, nameDevice, parsePciNames } from '../../src/host/pci-names.ts'

const LIST = [
  '# comment',
  '8086  Intel Corporation',
  '\t10d3  82574L Gigabit Network Connection',
  '\t\t103c 1785  NC112i 1-port Ethernet Server Adapter',
  '10de  NVIDIA Corporation',
  '',
  'C 02  Network controller',
  '\t00  Ethernet controller',
  '\t\t01  Something',
].join('\n')

const device: PciDevice = {
  address: '0000:03:00.0',
  vendor: '8086',
  device: '10d3',
  classCode: '020000',
  siblings: [],
  resetMethods: [],
  isBootVga: false,
  virtualFunctions: [],
  hasRom: false,
  hasMsi: false,
  bridges: [],
  nics: [],
}

describe('parsePciNames', () => {
  test('reads vendors, devices and classes, and leaves subsystems and interfaces', () => {
    const names = parsePciNames(LIST)
    assert.deepEqual(
      [...names.vendors],
      [
        ['8086', 'Intel Corporation'],
        ['10de', 'NVIDIA Corporation'],
      ],
    )
    assert.deepEqual([...names.devices], [['8086:10d3', '82574L Gigabit Network Connection']])
    assert.deepEqual(
      [...names.classes],
      [
        ['02', 'Network controller'],
        ['0200', 'Ethernet controller'],
      ],
    )
  })

  test('names a device as lspci does, by digits where the list is silent', () => {
    const names = parsePciNames(LIST)
    assert.equal(
      describePciDevice(nameDevice(device, names), names),
      'Ethernet controller: Intel Corporation 82574L Gigabit Network Connection',
    )
    const other = { ...device, vendor: '1234', classCode: '0c0330' }
    assert.equal(describePciDevice(nameDevice(other, names), names), 'class 0c03: vendor 1234 device 10d3')
  })
})
