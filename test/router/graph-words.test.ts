import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { describeBranch, describeNode, plainText } from '../../src/router/graph-words.ts'
import type { TopologyNode } from '../../src/router/topology.ts'
import { hostileName } from '../support/topologies.ts'

const NODE: TopologyNode = { id: 'machine:m', kind: 'router', name: 'm', isForeign: false, state: 'running', marks: [] }

describe('plainText', () => {
  test('leaves a name as it is, and makes one short line of anything', () => {
    assert.equal(plainText('router-gal ü 東'), 'router-gal ü 東')
    assert.equal(plainText('a\nb\u001b[0m\u202e'), 'a?b?[0m?')
    assert.equal(Array.from(plainText('🦊'.repeat(200))).length, 80)
    fc.assert(
      fc.property(hostileName, (name) => {
        const text = plainText(name)
        assert.ok(text.isWellFormed() && Array.from(text).length <= 80)
        assert.doesNotMatch(text, /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufffe\uffff]/)
      }),
    )
  })
})

describe('describeNode', () => {
  test('says of a lower router where it is and what it may reach, of a network its subnet, of others their kind', () => {
    const endpoints = [{ protocol: 'tcp', address: '203.0.113.7', port: 443 }] as const
    assert.deepEqual(describeNode({ ...NODE, layer: 'gal', endpoints }, '10.1.1.2').details, [
      'gal',
      'running',
      'at 10.1.1.2',
      'to tcp 203.0.113.7 port 443',
    ])
    const open = describeNode({ ...NODE, layer: 'sol', endpoints: [], reach: 'tor' }).details
    assert.deepEqual(open, ['sol', 'running', 'to relays of Tor in the tunnel'])
    const network = { ...NODE, kind: 'network', cidr: '10.1.1.0/24', bridge: 'b', role: 'uplink' } as const
    assert.deepEqual(describeNode(network).details, ['10.1.1.0/24', 'b', 'uplink'])
    const bridge = { ...NODE, kind: 'outside', place: 'bridge', name: 'br0' } as const
    assert.equal(describeNode(bridge).title, 'bridge br0')
    assert.equal(describeNode({ ...bridge, place: 'user', name: '' }).title, 'user-mode network')
  })

  test('says who did not come from vmpkg, and every mark', () => {
    const warned = { ...NODE, isForeign: true, marks: ['loop', 'no-lan'] as const }
    assert.deepEqual(describeNode(warned).warnings, ['not made by vmpkg', 'in a loop', 'its LAN is gone'])
  })
})

test('what is named again says where to look, and what is wrong with its card there', () => {
  const edge = { from: 'network:n', to: 'machine:m', link: 'down', isCut: true, isNext: true } as const
  const node = { ...NODE, marks: ['loop'] as const }
  const branch = { node, edge, branches: [] }
  assert.deepEqual(describeBranch({ ...branch, isRepeated: true }), {
    title: 'm',
    details: ['see above'],
    warnings: ['link down', 'from the next start'],
  })
  assert.deepEqual(describeBranch({ ...branch, isRepeated: false }).warnings, [
    'link down',
    'from the next start',
    'in a loop',
  ])
})
