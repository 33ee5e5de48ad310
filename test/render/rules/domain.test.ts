import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { domain } from '../../../src/render/rules/domain.ts'
import { debianSource } from '../../support/debian-source.ts'
import { findPathVerdict } from '../../support/policy-paths.ts'
import { rngPaths } from '../../support/rng-paths.ts'

/** What libvirt's sources hold that this folder's tests read. */
const ONLY = ['tests', 'src/conf/schemas', 'docs/*.rst']

const installed = rngPaths('/usr/share/libvirt/schemas', 'domain.rng')

test('every element and attribute of a domain that libvirt 9.0 and 11.3 know has a verdict', async () => {
  const sources = await debianSource('libvirt', { suite: 'trixie', only: ONLY })
  const newer = rngPaths(join(sources, 'src/conf/schemas'), 'domain.rng')
  assert.ok(installed.size > 2500, `${installed.size} paths`)
  assert.ok(newer.size > 3000, `${newer.size} paths`)
  const missing = [...new Set([...installed, ...newer])].filter((path) => findPathVerdict(domain, path) === 'missing')
  assert.deepEqual(missing, [])
})

test('a path that no schema knows has none, so the test above can fail', () => {
  for (const path of ['domain/devices/warp', 'domain/devices/disk/@warp', 'domain/os/kernel/warp', 'domain/@warp']) {
    assert.equal(findPathVerdict(domain, path), 'missing', path)
  }
  assert.equal(findPathVerdict(domain, 'domain/lxc:namespace/lxc:sharenet/@value'), 'never')
  assert.equal(findPathVerdict(domain, 'domain/qemu:commandline/qemu:arg/@value'), 'named')
})

test('the walker of schemas finds what libvirt’s pages show', () => {
  for (const path of [
    'domain/@type',
    'domain/devices/disk/backingStore/source/slices/slice/@offset',
    'domain/devices/disk/backingStore/backingStore',
    'domain/devices/hostdev/source/address/@uuid',
    'domain/devices/tpm/backend/device/@path',
    'domain/qemu:commandline/qemu:env/@name',
    'domain/cputune/cachetune/monitor/@vcpus',
  ]) {
    assert.ok(installed.has(path), path)
  }
})
