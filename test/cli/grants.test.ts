import assert from 'node:assert/strict'
import { test } from 'node:test'
import { grantOptions } from '../../src/cli/grants.ts'

test('a capability may be granted by its name, or with its class or access', () => {
  const grant = ['network', 'pci:display', 'host-file:read', 'qemu-commandline']
  assert.deepEqual(grantOptions({ grant }), grant)
  assert.deepEqual(grantOptions({}), [])
})

test('a word that is no capability is refused with those that are', () => {
  for (const grant of ['hugepage', 'pci:gpu', 'network:read', ''])
    assert.throws(() => grantOptions({ grant: ['network', grant] }), { code: 'USAGE', hint: /hugepages/ }, grant)
})
