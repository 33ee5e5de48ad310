/** Definitions that come back from a backup, by virt-xml-validate and our own reader of facts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isVmpkgError } from '../../src/errors.ts'
import { sha256 } from '../../src/model/digest.ts'
import { formatDomainFacts, readDomainFacts } from '../../src/render/facts-xml.ts'
import { restoreDefinition } from '../../src/render/restored.ts'

const UUID = '11111111-2222-4333-8444-555555555555'
const OTHER = '99999999-2222-4333-8444-555555555555'
const BASE = sha256('base')
const XML = `<domain type='qemu'>
  <name>web</name>
  <uuid>${UUID}</uuid>
  <title>web (vmpkg app 1.0-1)</title>
  <genid>${UUID.replaceAll('1', 'a')}</genid>
  <metadata>${formatDomainFacts({
    package: 'app',
    version: '1.0-1',
    digest: sha256('app'),
    origin: 'test',
    createdAt: '2026-01-01T00:00:00Z',
    kind: 'app',
    ephemeral: false,
    net: 'uni0',
    overlay: '/old/disk.qcow2',
    medium: '/old/medium.iso',
    base: BASE,
    wanMac: '02:00:00:00:00:40',
    wanAddress: '10.1.1.64',
    parameters: {},
  })}</metadata>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='/old/disk.qcow2'/>
      <backingStore type='file'><format type='raw'/><source file='/old/base'/></backingStore>
      <target dev='vda' bus='virtio'/>
    </disk>
    <interface type='network'>
      <mac address='02:00:00:00:00:40'/>
      <source network='uni0'/>
      <filterref filter='vmpkg-client'><parameter name='ADDRESS' value='10.1.1.64'/></filterref>
    </interface>
  </devices>
</domain>`
const paths = new Map([
  ['/old/disk.qcow2', '/new/disk.qcow2'],
  ['/old/medium.iso', '/new/medium.iso'],
])

test('files are where they are now, and the base is named again', () => {
  const bases = new Map([['vda', '/store/base']])
  const xml = restoreDefinition(XML, { paths, bases, generation: OTHER })
  assert.doesNotMatch(xml, /\/old\//)
  assert.match(
    xml,
    /<source file='\/new\/disk.qcow2'\/>\s*<backingStore type='file'>\s*<format type='raw'\/>\s*<source file='\/store\/base'>/,
  )
  assert.match(xml, new RegExp(`<genid>${OTHER}</genid>`))
  const facts = readDomainFacts(xml)
  assert.partialDeepStrictEqual(facts, {
    overlay: '/new/disk.qcow2',
    medium: '/new/medium.iso',
    base: BASE,
    wanAddress: '10.1.1.64',
  })
})

test('a disk that stands alone now names no base, and neither do the facts', () => {
  const xml = restoreDefinition(XML, { paths, bases: new Map([['vda', undefined]]), generation: OTHER })
  assert.doesNotMatch(xml, /backingStore/)
  assert.equal(readDomainFacts(xml)?.base, undefined)
})

test('another machine has another name, UUID, card and filter, and no ports of the first', () => {
  const mac = '02:00:00:00:00:55'
  const xml = restoreDefinition(
    XML,
    { paths, bases: new Map([['vda', undefined]]), generation: OTHER },
    {
      name: 'web-two',
      uuid: OTHER,
      macs: new Map([['02:00:00:00:00:40', mac]]),
      guards: {
        lans: [{ network: 'uni0', bridge: 'uni0', cidr: '10.1.1.0/24' }],
        cards: [{ mac, filter: 'vmpkg-client', address: '10.1.1.85' }],
      },
    },
  )
  assert.match(xml, /<name>web-two<\/name>/)
  assert.match(xml, /<title>web-two \(vmpkg app 1.0-1\)<\/title>/)
  assert.doesNotMatch(xml, new RegExp(`${UUID}|00:00:40|10\\.1\\.1\\.64`))
  assert.match(xml, /<parameter name='ADDRESS' value='10.1.1.85'\/>/)
  assert.equal(readDomainFacts(xml)?.wanAddress, undefined)
})

test('what is no definition of ours is refused', () => {
  const bad = XML.replace('<metadata>', '<metadata><!--').replace('</metadata>', '--></metadata>')
  assert.throws(
    () => restoreDefinition(bad, { paths, bases: new Map(), generation: OTHER }),
    (error) => isVmpkgError(error, 'BACKUP_INVALID'),
  )
})

test('a volume of LVM comes back as the file that it is now', () => {
  const device = '/dev/vg0/vmpkg.fast.one'
  const block = XML.replace("<disk type='file'", "<disk type='block'")
    .replace("<source file='/old/disk.qcow2'/>", `<source dev='${device}'/>`)
    .replace('overlay="/old/disk.qcow2"', `overlay="${device}"`)
  const words = new Map([...paths, [device, '/new/disk.qcow2']])
  const bases = new Map([['vda', '/store/base']])
  const plain = restoreDefinition(XML, { paths: words, bases, generation: OTHER })
  assert.equal(restoreDefinition(block, { paths: words, bases, generation: OTHER }), plain)
})
