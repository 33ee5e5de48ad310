import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { RoleName } from '../../src/model/registry.ts'
import { readRegistry } from '../../src/publish/registry-state.ts'
import { changeRole, type RoleChange } from '../../src/publish/root-change.ts'
import { buildRegistry } from '../support/registry-builder.ts'
import { testSigner } from '../support/test-keys.ts'

const keysOf = ({ certificates }: { readonly certificates: readonly { readonly fingerprint: string }[] }) =>
  certificates.map(({ fingerprint }) => fingerprint)

describe('changeRole', () => {
  test('adds and removes keys of one role and leaves the others', async () => {
    await using registry = await buildRegistry()
    const { root } = await readRegistry(registry.folder)
    const fresh = (await testSigner('fresh', registry.clock)).certificate
    const change = async (role: RoleName, more: Partial<RoleChange>) =>
      changeRole(root, { role, add: [], remove: [], ...more })
    const timestamp = await change('timestamp', { add: [fresh], remove: [registry.timestamp.fingerprint] })
    assert.deepEqual(keysOf(timestamp.timestamp), [fresh.fingerprint])
    assert.deepEqual(keysOf(timestamp.root).toSorted(), root.root.keys)
    assert.equal(timestamp.root.threshold, 2)
    const holders = await change('root', { add: [fresh, fresh], threshold: 3 })
    assert.deepEqual([holders.root.certificates.length, holders.root.threshold], [4, 3])
    await assert.rejects(change('root', { threshold: 4 }), { code: 'USAGE' })
    await assert.rejects(change('timestamp', { remove: [registry.timestamp.fingerprint] }), { code: 'USAGE' })
    await assert.rejects(change('promoter', { remove: [registry.timestamp.fingerprint] }), { code: 'USAGE' })
  })

  test('gives names to publishers, shares them and takes them away', async () => {
    await using registry = await buildRegistry({ patterns: ['app-*'] })
    const { root } = await readRegistry(registry.folder)
    const fresh = (await testSigner('fresh', registry.clock)).certificate
    const [mine, theirs] = [registry.publisher.fingerprint, fresh.fingerprint]
    const change = async (more: Partial<RoleChange>) => {
      const { publishers } = await changeRole(root, { role: 'publisher', add: [], remove: [], ...more })
      return publishers.map((one) => [keysOf(one), one.threshold ?? 1, one.patterns])
    }
    assert.deepEqual(await change({ add: [fresh], patterns: ['tor-*'] }), [
      [[mine], 1, ['app-*']],
      [[theirs], 1, ['tor-*']],
    ])
    assert.deepEqual(await change({ add: [fresh] }), [[[mine, theirs], 1, ['app-*']]])
    assert.deepEqual(await change({ add: [fresh], patterns: ['app-*'], threshold: 2 }), [
      [[mine, theirs], 2, ['app-*']],
    ])
    assert.deepEqual(await change({ add: [fresh], remove: [registry.publisher.fingerprint] }), [
      [[theirs], 1, ['app-*']],
    ])
    assert.deepEqual(await change({ remove: [registry.publisher.fingerprint] }), [])
    await assert.rejects(change({ remove: [fresh.fingerprint] }), { code: 'USAGE' })
    await assert.rejects(change({ patterns: ['tor-*'], threshold: 1 }), { code: 'USAGE' })
  })
})
