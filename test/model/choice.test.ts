import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import {
  CHOICE_TYPES,
  type ChoiceType,
  choicePattern,
  clashes,
  imagineChoice,
  isChoice,
  parseCard,
  parseForward,
  parseNetworkDisk,
  parseUsb,
} from '../../src/model/choice.ts'
import { parsePciSelector } from '../../src/model/pci.ts'

const ACCEPTED: Readonly<Record<ChoiceType, readonly string[]>> = {
  pci: ['01:00.0', '0000:01:1f.7', '10de:1b80', 'class:gpu', '03:00', 'mac:52:54:00:12:34:56', 'slot:PCIE 2'],
  usb: ['046d:c52b', '3.4'],
  mdev: ['6f8b0a3c-6f1c-4b0e-9d2b-0d6a7c0e5b11'],
  evdev: ['/dev/input/by-id/usb-Example_K-event-kbd', '/dev/input/by-path/pci-0000:00:14.0-usb-0:3:1.0-event-mouse'],
  folder: ['/srv', '/srv/a b/ü', '/srv/...x'],
  disk: ['/srv/a.qcow2'],
  iso: ['/srv/it’s "quoted" & <odd>.iso'],
  block: ['/dev/vg/lv', '/dev/disk/by-uuid/0-1'],
  'network-disk': [
    'nbd://h/e',
    'rbd://ceph.example.org:6790/pool/image',
    'https://192.0.2.1/a/b.img',
    'iscsi://h/iqn.2026-01.org.example:t/1',
  ],
  forward: ['80:80', '127.0.0.1:8080:80/udp', '8000-8010:9000-9010', '65535:1'],
  card: [
    'network:default',
    'bridge:br0',
    'direct:eth0.5',
    'user',
    'passt',
    'passt:eth0',
    'mcast:230.0.0.1:5558',
    'udp:127.0.0.1:1:127.0.0.1:2',
  ],
  cpuset: ['0', '2-5'],
  mac: ['52:54:00:12:34:56'],
  address: ['192.0.2.1', '2001:db8::1', '::1'],
  interface: ['eth0', 'enp5s0f0', 'br-1.2_3'],
  device: ['/dev/tpm0', '/dev/dri/renderD128'],
  socket: ['/run/x.sock'],
  reservation: ['52:54:00:aa:bb:cc=192.0.2.5', '52:54:00:aa:bb:cc=192.0.2.5=printer'],
  route: ['10.9.0.0/16=192.0.2.2'],
  'host-name': ['printer.lan=192.0.2.9'],
}

const REFUSED: Readonly<Record<ChoiceType, readonly string[]>> = {
  pci: ['1:0.0', '01:20.0', '01:00.8', 'gpu', '10DE:1B80', '01:00.0\n', '01:00.0,02:00.0'],
  usb: ['46d:c52b', '0.1', '3.4.5', '046d:'],
  mdev: ['6f8b0a3c'],
  evdev: ['/dev/input/event3', '/dev/input/by-id/../event3', '/dev/input/by-id/'],
  folder: ['srv', '/srv/../etc', '/srv/.', '/', '//srv', '/srv/', '/a,b', '/a\nb', '/a\u0000', '/a\u2028b'],
  disk: ['a.qcow2', '/srv/./a'],
  iso: [''],
  block: ['/dev', '/etc/passwd', '/dev/../etc/passwd'],
  'network-disk': ['ftp://h/e', 'nbd://h', 'nbd://h:0/e', 'nbd://h:70000/e', 'nbd://h/a b', 'nbd:///e', "nbd://h/'x"],
  forward: ['80', '0:80', '80:65536', '80-70:80-70', '80-81:80', '80:80/icmp', '1.2.3:80:80', '::1:80:80'],
  card: [
    'bridge:',
    'bridge:a-very-long-name-x',
    'mcast:230.0.0.1',
    'ethernet:tap0',
    'network:a/b',
    'user:x',
    'udp:127.0.0.1:1',
  ],
  cpuset: ['5-2', '-1', '1,2', ''],
  mac: ['52:54:00:12:34', '53:54:00:12:34:56', '52:54:00:12:34:5G'],
  address: ['256.0.0.1', '1.2.3', 'localhost', 'g::1', '1:2'],
  interface: ['', '-x', 'a/b', 'a'.repeat(16)],
  device: ['/dev/', '/proc/1/mem', '/dev/../proc'],
  socket: ['run/x'],
  reservation: ['192.0.2.5', '52:54:00:aa:bb:cc=300.0.0.1', '52:54:00:aa:bb:cc=192.0.2.5=-x'],
  route: ['10.9.0.0/33=192.0.2.2', '10.9.0.0/16'],
  'host-name': ['=192.0.2.9', 'Printer=192.0.2.9', 'a..b=192.0.2.9'],
}

for (const type of CHOICE_TYPES) {
  test(`${type}: texts are told apart, and the exported pattern takes what is accepted`, () => {
    const schema = z.fromJSONSchema({ type: 'string', pattern: choicePattern(type) })
    for (const text of ACCEPTED[type]) {
      assert.ok(isChoice(type, text), text)
      assert.ok(schema.safeParse(text).success, text)
    }
    for (const number of [0, 7, 99]) assert.ok(isChoice(type, imagineChoice(type, number)), imagineChoice(type, number))
    for (const text of REFUSED[type]) assert.ok(!isChoice(type, text), JSON.stringify(text))
  })
}

test('no text that is accepted can break out of a list, a line or a path', () => {
  const fragment = fc.constantFrom(
    '/',
    '..',
    '.',
    ',',
    '\n',
    '\u0000',
    '\u2028',
    'a',
    ':',
    '=',
    '80',
    '"',
    "'",
    '<',
    '-',
  )
  fc.assert(
    fc.property(fc.constantFrom(...CHOICE_TYPES), fc.array(fragment, { maxLength: 8 }), (type, parts) => {
      const text = parts.join('')
      if (!isChoice(type, text)) return
      assert.doesNotMatch(text, /[\p{Cc}\u2028\u2029,]/u)
      if (text.startsWith('/')) assert.ok(!text.split('/').some((part) => part === '..' || part === '.'), text)
    }),
    { numRuns: 5000 },
  )
})

test('PCI texts are those that the selectors of devices read', () => {
  for (const text of ACCEPTED.pci) assert.doesNotThrow(() => parsePciSelector(text), text)
})

test('texts say what they look like', () => {
  assert.deepEqual(parseUsb('046d:c52b'), { vendor: '046d', product: 'c52b' })
  assert.deepEqual(parseUsb('3.4'), { bus: 3, device: 4 })
  assert.deepEqual(parseForward('0.0.0.0:8000-8010:9000-9010/udp'), {
    protocol: 'udp',
    address: '0.0.0.0',
    host: 8000,
    hostEnd: 8010,
    guest: 9000,
    guestEnd: 9010,
  })
  assert.deepEqual(parseNetworkDisk('rbd://ceph/pool/image'), {
    protocol: 'rbd',
    host: 'ceph',
    port: 6789,
    name: 'pool/image',
  })
  assert.deepEqual(parseCard('udp:127.0.0.1:11115:127.0.0.2:11116'), {
    kind: 'udp',
    address: '127.0.0.1',
    port: 11_115,
    localAddress: '127.0.0.2',
    localPort: 11_116,
  })
})

test('two forwards clash exactly where a port of an address and protocol is common', () => {
  const clash = (a: string, b: string): boolean => clashes(parseForward(a), parseForward(b))
  assert.ok(clash('80:80', '80:8080'))
  assert.ok(clash('80-90:80-90', '85:1'))
  assert.ok(clash('0.0.0.0:80:80', '80:80'))
  assert.ok(!clash('80:80', '80:80/udp'))
  assert.ok(!clash('80:80', '81:80'))
  assert.ok(!clash('192.0.2.1:80:80', '80:80'))
})
