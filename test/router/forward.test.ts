import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findForwards, formatForward, parseForward, sameForwards } from '../../src/router/forward.ts'
import { client, router } from '../support/topologies.ts'

test('a forwarded port is written as it is read', () => {
  for (const text of ['tcp/443', 'udp/53', 'tcp/8443:443', 'tcp/65535:1'])
    assert.equal(formatForward(parseForward(text)), text)
  assert.equal(formatForward(parseForward('tcp/443:443')), 'tcp/443')
})

test('what is no port is refused', () => {
  for (const text of [
    '443',
    'tcp/0',
    'tcp/65536',
    'tcp/1:0',
    'tcp/1:65536',
    'icmp',
    'tcp/01',
    'tcp/1-2',
    'TCP/1',
    'tcp/1:',
    '',
  ]) {
    assert.throws(() => parseForward(text), /Not a port to forward/, text)
  }
})

test('only clients of that LAN with a card and an address count, in an order of their own', () => {
  const place = (net: string, wanAddress: string, kind = 'app') => {
    const { facts } = kind === 'router' ? router('r', 'gal', 'gal0') : client('c', net)
    if (facts === undefined) throw new TypeError()
    const forwards = [parseForward('udp/9'), parseForward('tcp/8443:443'), parseForward('tcp/22')]
    return { ...facts, net, wanMac: '02:00:00:00:00:01', wanAddress, forwards }
  }
  const first = { name: 'a', facts: place('uni0', '10.1.1.31') }
  const second = { name: 'b', facts: place('uni0', '10.1.1.30') }
  const { wanAddress: _, ...homeless } = place('uni0', '')
  const others = [
    { name: 'c', facts: place('uni1', '10.1.2.31') },
    { name: 'd', facts: place('uni0', '10.1.1.2', 'router') },
    { name: 'e', facts: homeless },
    { name: 'f', facts: { ...place('uni0', '10.1.1.29'), forwards: [] } },
  ]
  const found = findForwards('uni0', [first, ...others, second])
  assert.deepEqual(
    found.map(({ name, address }) => [name, address]),
    [
      ['b', '10.1.1.30'],
      ['a', '10.1.1.31'],
    ],
  )
  assert.deepEqual(found[0]?.ports.map(formatForward), ['tcp/22', 'tcp/8443:443', 'udp/9'])
  assert.ok(sameForwards(found, findForwards('uni0', [second, first])))
  assert.ok(!sameForwards(found, findForwards('uni0', [second])))
})
