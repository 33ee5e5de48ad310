import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { placeDisks, placeNvram, readNvram } from '../../src/domain/disk-chain.ts'
import type { ChainFile } from '../../src/image/chain.ts'
import { formatDomainFacts } from '../../src/render/facts-xml.ts'
import { client } from '../support/topologies.ts'

const file = (name: string, format: 'raw' | 'qcow2', backing?: string): readonly [string, ChainFile] => [
  name,
  { file: name, format, virtualSize: 512, modified: new Date(0), backing, snapshots: [] },
]
const FILES = new Map([file('/o/2', 'qcow2', '/o/1'), file('/o/1', 'qcow2', '/store/base'), file('/store/base', 'raw')])
const REQUEST = {
  files: FILES,
  tops: new Map([['vda', '/o/2']]),
  isShared: (name: string) => name.startsWith('/store/'),
}

const facts = client('a', 'uni0').facts
const DOMAIN = `<domain>
  <metadata>${formatDomainFacts({ ...(facts ?? assert.fail()), overlay: '/o/1' })}</metadata>
  <os><nvram template='/t'>/o/vars</nvram></os>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='/o/1'/>
      <target dev='vda'/>
    </disk>
    <disk type='file' device='cdrom'><source file='/iso'/><target dev='sda'/></disk>
  </devices>
</domain>`

describe('disks of a definition', () => {
  test('name their whole chain, label nothing of the image store, and our metadata follows', () => {
    const placed = placeDisks(DOMAIN, REQUEST)
    assert.match(
      placed,
      /<source file='\/o\/2'\/>[^]*<backingStore type='file'><format type='qcow2'\/><source file='\/o\/1'\/>/,
    )
    assert.match(placed, /<source file='\/store\/base'><seclabel model='dac' relabel='no'\/><\/source><backingStore\/>/)
    assert.match(placed, / overlay="\/o\/2"/)
    assert.match(placed, /<source file='\/iso'\/>/)
  })

  test('are left as they are, to the letter, where they say it already', () => {
    const placed = placeDisks(DOMAIN, REQUEST)
    assert.equal(placeDisks(placed, REQUEST), placed)
  })

  test('firmware variables are another file, and nothing else changes', () => {
    assert.equal(readNvram(DOMAIN), '/o/vars')
    assert.equal(placeNvram(DOMAIN, '/o/new'), DOMAIN.replace('/o/vars', '/o/new'))
    assert.equal(readNvram('<domain/>'), undefined)
  })
})
