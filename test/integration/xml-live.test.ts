/** Every document that a libvirt of our own returns: a private host's, a session daemon's and the test driver's. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { diffXml } from '../../src/xml/diff.ts'
import { parseXml } from '../../src/xml/parse.ts'
import { formatXml } from '../../src/xml/tree.ts'
import { guestXml } from '../support/guest-xml.ts'
import { privateHostMissing, withPrivateHost } from '../support/private-host.ts'
import { startPrivateLibvirt, withoutLibvirt } from '../support/private-libvirt.ts'

type Virsh = (...args: readonly string[]) => string

/** Command that lists names, and those that print a document of each. */
const LISTS: readonly (readonly [readonly string[], readonly (readonly string[])[]])[] = [
  [
    ['list', '--all', '--name'],
    [['dumpxml'], ['dumpxml', '--inactive'], ['dumpxml', '--security-info'], ['dumpxml', '--migratable', '--inactive']],
  ],
  [
    ['net-list', '--all', '--name'],
    [['net-dumpxml'], ['net-dumpxml', '--inactive']],
  ],
  [
    ['pool-list', '--all', '--name'],
    [['pool-dumpxml'], ['pool-dumpxml', '--inactive']],
  ],
  [['nodedev-list'], [['nodedev-dumpxml']]],
  [['nwfilter-list'], [['nwfilter-dumpxml']]],
  [['iface-list', '--all'], [['iface-dumpxml']]],
  [['secret-list'], [['secret-dumpxml']]],
]
const SINGLE = [
  ['capabilities'],
  ['domcapabilities'],
  ['domcapabilities', '--machine', 'pc'],
  ['domcapabilities', '--virttype', 'qemu', '--arch', 'i686'],
  ['sysinfo'],
  ['pool-capabilities'],
]

/** What the connection has to say; a command that its driver does not know says nothing. */
function documentsOf(virsh: Virsh): ReadonlyMap<string, string> {
  const documents = new Map<string, string>()
  const ask = (...args: readonly string[]): string => {
    try {
      return virsh(...args)
    } catch {
      return ''
    }
  }
  const add = (...args: readonly string[]): void => {
    const text = ask(...args)
    if (text !== '') documents.set(args.join(' '), text)
  }
  const namesOf = (...args: readonly string[]): readonly string[] =>
    ask(...args)
      .split('\n')
      .map((line) => line.trim().split(/\s+/)[args[0] === 'nwfilter-list' ? 1 : 0] ?? '')
      .filter((name) => name !== '')
  for (const args of SINGLE) add(...args)
  for (const [list, prints] of LISTS) {
    for (const name of namesOf(...list)) for (const [command = '', ...options] of prints) add(command, name, ...options)
  }
  for (const pool of namesOf('pool-list', '--name'))
    for (const name of namesOf('vol-list', pool)) add('vol-dumpxml', name, pool)
  for (const domain of namesOf('list', '--all', '--name')) {
    for (const name of namesOf('snapshot-list', domain, '--name')) add('snapshot-dumpxml', domain, name)
    for (const name of namesOf('checkpoint-list', domain, '--name')) add('checkpoint-dumpxml', domain, name)
  }
  return documents
}

function check(documents: ReadonlyMap<string, string>): string {
  let bytes = 0
  for (const [command, text] of documents) {
    assert.equal(formatXml(parseXml(text)), text, command)
    assert.deepEqual(diffXml(parseXml(text), parseXml(text)), [], command)
    bytes += text.length
  }
  return `${documents.size} documents of ${new Set([...documents.keys()].map((command) => command.split(' ')[0])).size} kinds, ${bytes} bytes, 0 exceptions`
}

test('what a private host with machines, networks, pools, secrets and filters returns', {
  skip: await privateHostMissing(),
}, async (t) => {
  await withPrivateHost(async (host) => {
    const virsh: Virsh = (...args) =>
      execFileSync('virsh', ['-q', '-c', host.uri, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
    const define = async (command: string, xml: string, ...options: readonly string[]): Promise<void> => {
      const path = join(host.dir, 'definition.xml')
      await writeFile(path, xml)
      virsh(command, path, ...options)
    }
    await host.run(['mkdir', '-p', join(host.dir, 'pool')])
    await define('pool-define', `<pool type='dir'><name>p</name><target><path>${host.dir}/pool</path></target></pool>`)
    virsh('pool-start', 'p')
    virsh('vol-create-as', 'p', 'disk.qcow2', '16M', '--format', 'qcow2')
    await define(
      'net-define',
      "<network><name>n</name><bridge name='vb-xml'/><ip address='192.0.2.1' prefix='24'><dhcp><range start='192.0.2.9' end='192.0.2.20'/></dhcp></ip><metadata><x:a xmlns:x='urn:x' b=\"it's\">&lt;<![CDATA[<&>]]></x:a></metadata></network>",
    )
    await define(
      'secret-define',
      "<secret ephemeral='no' private='yes'><description>a &amp; \"b\"</description><usage type='volume'><volume>/x</volume></usage></secret>",
    )
    await define(
      'nwfilter-define',
      "<filter name='f'><rule action='accept' direction='in'><ip srcipaddr='192.0.2.0' srcipmask='24'/></rule></filter>",
    )
    const devices = `<interface type='network'><source network='n'/><model type='virtio'/></interface><graphics type='vnc' passwd='s"&amp;'/><rng model='virtio'><backend model='random'>/dev/urandom</backend></rng><controller type='usb' model='qemu-xhci'/>`
    const xml = guestXml({ name: 'guest', devices, disk: join(host.dir, 'pool/disk.qcow2'), format: 'qcow2' })
    await define(
      'define',
      xml.replace(
        '<memory',
        `<metadata><q:m xmlns:q='urn:q' k='"'><!-- kept? --><q:n/>&quot;text&quot;</q:m></metadata><memory`,
      ),
    )
    virsh('snapshot-create-as', 'guest', 's1', 'first "one" & more')
    const documents = documentsOf(virsh)
    t.diagnostic(check(documents))
    const kinds = new Set([...documents.keys()].map((command) => command.split(' ')[0]))
    for (const kind of [
      'capabilities',
      'domcapabilities',
      'dumpxml',
      'net-dumpxml',
      'pool-dumpxml',
      'vol-dumpxml',
      'secret-dumpxml',
      'nwfilter-dumpxml',
      'snapshot-dumpxml',
      'nodedev-dumpxml',
    ]) {
      assert.ok(kinds.has(kind), `${kind} is among what was asked`)
    }
  })
})

test('what a session daemon and the test driver return', { skip: withoutLibvirt }, async (t) => {
  await using daemon = await startPrivateLibvirt()
  for (const name of ['qemu:///session', 'test:///default']) {
    const documents = documentsOf((...args) =>
      execFileSync('virsh', ['-q', '-c', daemon.uri(name), ...args], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    )
    t.diagnostic(`${name}: ${check(documents)}`)
    assert.ok(documents.size > 1)
  }
})
