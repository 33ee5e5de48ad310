import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { lanNetwork, uplinkNetwork } from '../../../src/render/rules/network.ts'
import { debianSource } from '../../support/debian-source.ts'
import { findPathVerdict } from '../../support/policy-paths.ts'
import { rngPaths } from '../../support/rng-paths.ts'

const ONLY = ['tests', 'src/conf/schemas', 'docs/*.rst']

test('every element and attribute of a network that libvirt 9.0 and 11.3 know has a verdict', async () => {
  const sources = await debianSource('libvirt', { suite: 'trixie', only: ONLY })
  const paths = new Set([
    ...rngPaths('/usr/share/libvirt/schemas', 'network.rng'),
    ...rngPaths(join(sources, 'src/conf/schemas'), 'network.rng'),
  ])
  assert.ok(paths.size > 160, `${paths.size} paths`)
  for (const [kind, root] of [
    ['lan', lanNetwork],
    ['uplink', uplinkNetwork],
  ] as const) {
    const missing = [...paths].filter((path) => findPathVerdict(root, path) === 'missing')
    assert.deepEqual(missing, [], kind)
  }
  assert.equal(findPathVerdict(uplinkNetwork, 'network/warp'), 'missing')
  assert.equal(findPathVerdict(lanNetwork, 'network/dnsmasq:options/dnsmasq:option/@value'), 'never')
})
