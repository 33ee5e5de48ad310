import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError } from '../../src/errors.ts'
import { sha256 } from '../../src/model/digest.ts'
import type { DomainFacts, NetworkFacts } from '../../src/model/libvirt-facts.ts'
import type { Parameter } from '../../src/model/manifest.ts'
import { renderDomain } from '../../src/render/domain.ts'
import { verifyDomainPolicy } from '../../src/render/domain-policy.ts'
import { formatPlainDomainFacts, readDomainFacts, readNetworkFacts } from '../../src/render/facts-xml.ts'
import { renderNetwork } from '../../src/render/network.ts'
import { verifyNetworkPolicy } from '../../src/render/network-policy.ts'
import { stampDomain, stampNetwork } from '../../src/render/stamp.ts'
import { consoleContext, lanContext, readPartials, readTemplate } from '../support/render-contexts.ts'
import { findSchemaFault } from '../support/schema.ts'

const partials = readPartials()
const domain = verifyDomainPolicy({
  xml: renderDomain({ template: readTemplate('app-console/domain.xml.hbs'), partials, context: consoleContext }),
  context: consoleContext,
  capabilities: [{ name: 'network', wan: 'uni' }],
  granted: [],
})
const network = verifyNetworkPolicy({
  xml: renderNetwork({ template: readTemplate('router-uni/network.xml.hbs'), partials, context: lanContext }),
  context: lanContext,
  kind: 'lan',
  capabilities: [{ name: 'network', lan: 'uni', wan: 'uplink' }],
  granted: [],
})
const facts: DomainFacts = {
  package: 'app-console',
  version: '1.0.0-1',
  digest: sha256('archive'),
  origin: 'example',
  kind: 'app',
  net: 'uni0',
  ephemeral: true,
  overlay: '/var/lib/vmpkg/domains/app-console-1/disk.qcow2',
  medium: '/var/lib/vmpkg/domains/app-console-1/config.iso',
  base: sha256('base'),
  createdAt: '2026-11-21T04:00:00Z',
  parameters: {
    memory: { value: 134_217_728, origin: 'default' },
    greeting: { value: `a "b" <c> & 'd'\n\té`, origin: 'command line' },
    quiet: { value: false, origin: 'host' },
  },
}
const definitions: Record<string, Parameter> = {
  memory: { type: 'size' },
  greeting: { type: 'string' },
  quiet: { type: 'boolean' },
  password: { type: 'string', secret: true },
  vpn: { type: 'file', format: 'ovpn' },
}
const stamp = { facts, definitions, title: 'Console', description: 'A console', osId: 'debian12' }

test('stamped domains are valid, show the operating system, and read back the same facts', () => {
  const xml = stampDomain(domain, stamp)
  assert.equal(findSchemaFault(xml, 'domain'), undefined)
  assert.deepEqual(readDomainFacts(xml), facts)
  assert.match(xml, /<libosinfo:os id="http:\/\/debian.org\/debian\/12"\/>/)
  assert.match(xml, /<title>Console<\/title>/)
})

test('stamped networks are valid and read back the same facts', () => {
  const lan: NetworkFacts = {
    package: 'router-uni',
    version: '1.0.0-1',
    digest: sha256('router'),
    origin: 'example',
    layer: 'uni',
    instance: 'uni0',
    role: 'lan',
    cidr: '10.1.1.0/24',
    createdAt: '2026-11-21T04:00:00.123Z',
  }
  const xml = stampNetwork(network, lan)
  assert.equal(findSchemaFault(xml, 'network'), undefined)
  assert.deepEqual(readNetworkFacts(xml), lan)
  assert.equal(readDomainFacts(xml), undefined)
})

test('what a router behind a router declares reads back the same, and half a list as none', () => {
  const lower: DomainFacts = {
    ...facts,
    kind: 'router',
    net: 'uni0',
    wanMac: '02:00:00:00:00:01',
    wanAddress: '10.1.1.2',
    endpoints: [
      { address: '203.0.113.7', protocol: 'udp', port: 1194 },
      { address: '203.0.113.8', protocol: 'tcp', port: 443 },
    ],
  }
  const xml = stampDomain(domain, { ...stamp, facts: lower })
  assert.equal(findSchemaFault(xml, 'domain'), undefined)
  assert.deepEqual(readDomainFacts(xml), lower)
  assert.equal(readDomainFacts(xml.replace('tcp:203', 'icmp:203'))?.endpoints, undefined)
  const open: DomainFacts = { ...lower, endpoints: [], reach: 'tor' }
  const said = stampDomain(domain, { ...stamp, facts: open })
  assert.deepEqual(readDomainFacts(said), open)
  assert.equal(readDomainFacts(said.replace('reach="tor"', 'reach="all"'))?.reach, undefined)
  const plain = formatPlainDomainFacts(lower)
  assert.match(plain, /^<domain package=/)
  assert.doesNotMatch(plain, /vmpkg:/)
})

test('stamping adds lines and changes none of the rendered ones', () => {
  const lines = new Set(stampDomain(domain, { ...stamp, facts: { ...facts, ephemeral: false } }).split('\n'))
  for (const line of domain.xml.split('\n')) assert.ok(lines.has(line), line)
})

test('an ephemeral machine has no memory in dumps, and an encrypted one the key of its own name for its overlay alone', () => {
  const overlay = consoleContext.overlay?.path
  assert.ok(overlay !== undefined)
  const plain = stampDomain(domain, { ...stamp, facts: { ...facts, overlay } })
  assert.match(plain, /<memory unit='KiB' dumpCore=["']off["']>/)
  assert.doesNotMatch(plain, /<encryption/)
  const ciphered: DomainFacts = { ...facts, overlay, storage: 'encrypted' }
  const xml = stampDomain(domain, { ...stamp, facts: ciphered })
  assert.equal(findSchemaFault(xml, 'domain'), undefined)
  assert.deepEqual(readDomainFacts(xml), ciphered)
  const sources = xml.split('<source ').filter((part) => part.includes('<encryption format='))
  assert.equal(sources.length, 1)
  assert.ok(sources[0]?.startsWith(`file='${overlay}'`))
  assert.ok(sources[0]?.includes(`uuid='${consoleContext.domain.uuid}'`))
})

test('memory that is to be locked is, with little of what an emulator keeps beside it', () => {
  const lockMemory = { translationBytes: 256 * 1024 ** 2 }
  assert.doesNotMatch(stampDomain(domain, stamp), /<locked|<tb-cache/)
  const xml = stampDomain(domain, { ...stamp, lockMemory })
  assert.equal(findSchemaFault(xml, 'domain'), undefined)
  assert.match(xml, /<memoryBacking>\s*<locked\/>\s*<\/memoryBacking>/)
  const isEmulated = consoleContext.host.virtType === 'qemu'
  assert.equal(/<tcg>\s*<tb-cache unit='MiB'>256<\/tb-cache>\s*<\/tcg>\s*<\/features>/.test(xml), isEmulated)
  const twice = stampDomain(
    { ...domain, xml: domain.xml.replace('<vcpu', '<memoryBacking><locked/></memoryBacking><vcpu') },
    { ...stamp, lockMemory },
  )
  assert.equal(twice.match(/<locked\/>/g)?.length, 1)
})

test('what came out of a pool, or waits in one, says so in libvirt', () => {
  const waiting: DomainFacts = { ...facts, pool: 'ready', shape: facts.digest, attendant: `12 345 ${'0a'.repeat(18)}` }
  const taken: DomainFacts = { ...facts, alias: 'browser-1' }
  for (const one of [waiting, taken]) {
    const xml = stampDomain(domain, { ...stamp, facts: one })
    assert.equal(findSchemaFault(xml, 'domain'), undefined)
    assert.deepEqual(readDomainFacts(xml), one)
  }
  const read = (from: string, to: string) =>
    readDomainFacts(stampDomain(domain, { ...stamp, facts: { ...waiting, ...taken } }).replace(from, to))
  assert.equal(read('alias="browser-1"', 'alias="../x"')?.alias, undefined)
  assert.equal(read('pool="ready"', 'pool="mine"')?.pool, undefined)
  assert.equal(read('attendant="12 ', 'attendant="x ')?.attendant, undefined)
})

test('each machine has a generation of its own, always the same one, and a router has none', () => {
  const generationOf = (xml: string): string | undefined => /<genid>(.*)<\/genid>/.exec(xml)?.[1]
  const one = generationOf(stampDomain(domain, stamp))
  assert.match(String(one), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.equal(generationOf(stampDomain(domain, stamp)), one)
  const context = {
    ...consoleContext,
    domain: { ...consoleContext.domain, uuid: '0c8f2e1a-9a4d-4f0b-8a52-0d2f6a1b9c3e' },
  }
  const template = readTemplate('app-console/domain.xml.hbs')
  const other = verifyDomainPolicy({
    xml: renderDomain({ template, partials, context }),
    context,
    capabilities: [{ name: 'network', wan: 'uni' }],
    granted: [],
  })
  assert.notEqual(generationOf(stampDomain(other, stamp)), one)
  assert.equal(generationOf(stampDomain(domain, { ...stamp, facts: { ...facts, kind: 'router' } })), undefined)
})

test('secret parameters, files and undeclared ones never reach libvirt', () => {
  const parameters = {
    password: { value: 'hunter2', origin: 'host' },
    vpn: { value: '/home/me/hunter2.ovpn', origin: 'command line' },
    unknown: { value: 'hunter2', origin: 'profile' },
  } as const
  const xml = stampDomain(domain, { ...stamp, facts: { ...facts, parameters } })
  assert.doesNotMatch(xml, /hunter2/)
  assert.deepEqual(readDomainFacts(xml)?.parameters, {})
})

test('domains without our element, or with a damaged or hidden one, are foreign', () => {
  const xml = stampDomain(domain, stamp)
  const foreign = [
    domain.xml,
    xml.replace('urn:vmpkg:domain:1', 'urn:vmpkg:domain:2'),
    xml.replace(/ package="[^"]*"/, ''),
    xml.replace(/ digest="[^"]*"/, ' digest="abc"'),
    xml.replace(/ kind="[^"]*"/, ' kind="other"'),
    xml.replace(/ ephemeral="[^"]*"/, ''),
    xml.replace(/ createdAt="[^"]*"/, ' createdAt="yesterday"'),
    xml.replace('type="boolean" value="false"', 'type="boolean" value="maybe"'),
    xml.replace('<metadata>', '<description>').replace('</metadata>', '</description>'),
    xml.replace('<metadata>', '<metadata><x:y xmlns:x="urn:x">').replace('</metadata>', '</x:y></metadata>'),
    xml.replace('</metadata>', '<v:domain xmlns:v="urn:vmpkg:domain:1" package="other"/></metadata>'),
  ]
  for (const [index, text] of foreign.entries()) assert.equal(readDomainFacts(text), undefined, `case ${index}`)
})

test('another prefix, as other tools may write it, is still ours', () => {
  const xml = stampDomain(domain, stamp)
    .replaceAll('vmpkg:domain ', 'v:domain ')
    .replaceAll('vmpkg:parameter', 'v:parameter')
  const renamed = xml.replace('</vmpkg:domain>', '</v:domain>').replace('xmlns:vmpkg=', 'xmlns:v=')
  assert.deepEqual(readDomainFacts(renamed), facts)
})

test('hostile titles, descriptions and values give valid XML with the same facts, or XML_INVALID', () => {
  let valid = 0
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(']]>', '</title><x/>', '\u001b[31m', '\uD800', '&#0;'),
  )
  fc.assert(
    fc.property(text, text, text, (title, description, value) => {
      const parameters = { greeting: { value, origin: 'host' } } as const
      try {
        const xml = stampDomain(domain, { ...stamp, title, description, facts: { ...facts, parameters } })
        assert.deepEqual(readDomainFacts(xml)?.parameters, parameters)
        assert.doesNotMatch(/<title>([^]*)<\/title>/.exec(xml)?.[1] ?? '', /\p{Cc}/u)
        valid += 1
      } catch (error) {
        assert.ok(isVmpkgError(error, 'XML_INVALID'), String(error))
      }
    }),
    { numRuns: 500 },
  )
  assert.ok(valid > 100)
})

test('a disk that lies in a logical volume is a block device, and one that is encrypted names the secret', () => {
  const overlay = '/dev/vg0/vmpkg.fast.b2c7c5fb-7fbd-4a35-9a4a-0d0f1d4f8a11'
  const context = { ...consoleContext, overlay: { path: overlay, base: '/var/lib/vmpkg/images/dd/disk.raw' } }
  const xml = renderDomain({ template: readTemplate('app-console/domain.xml.hbs'), partials, context })
  const verified = verifyDomainPolicy({
    xml,
    context,
    capabilities: [{ name: 'network', wan: 'uni' }],
    granted: [],
  })
  const secret = '6f1e3c52-6a51-4f0e-9c58-6f0dd3a0a001'
  const home = '/srv/vault/console.home.qcow2'
  const stamped = stampDomain(verified, {
    ...stamp,
    facts: { ...facts, ephemeral: false, overlay },
    data: [{ path: home, serial: 'vmpkg-home' }],
    volumes: new Map([
      [overlay, { isDevice: true }],
      [home, { isDevice: false, secret }],
    ]),
  })
  assert.equal(findSchemaFault(stamped, 'domain'), undefined)
  const [own = '', data = ''] = [...stamped.matchAll(/<disk [^]*?<\/disk>/g)]
    .map(([text]) => text)
    .filter((text) => /device='disk'/.test(text))
  assert.match(own, /^<disk type='block' [^]*<source dev='\/dev\/vg0\/vmpkg\.fast\.[^']*'\/>/)
  assert.match(own, /<backingStore type='file'>/)
  assert.doesNotMatch(own, /encryption/)
  assert.match(
    data,
    new RegExp(`^<disk type='file' [^]*<encryption format='luks'>\\s*<secret type='passphrase' uuid='${secret}'/>`),
  )
})
