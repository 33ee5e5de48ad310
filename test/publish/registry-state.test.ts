import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { writeImmutable } from '../../src/publish/registry-folder.ts'
import { readRegistry, verifyUnchanged } from '../../src/publish/registry-state.ts'
import { buildRegistry } from '../support/registry-builder.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

describe('the files of a registry', () => {
  test('are never overwritten with other bytes', async (t) => {
    const folder = await makeTempFolder(t)
    await writeImmutable(folder, 'root/1.json', new Uint8Array([1]))
    await writeImmutable(folder, 'root/1.json', new Uint8Array([1]))
    await assert.rejects(writeImmutable(folder, 'root/1.json', new Uint8Array([2])), { code: 'REGISTRY_CHANGED' })
  })

  test('are noticed when missing', async (t) => {
    await assert.rejects(readRegistry(await makeTempFolder(t)), { code: 'REGISTRY_INVALID' })
  })

  test('are compared again before the envelope is replaced', async () => {
    await using registry = await buildRegistry()
    const state = await readRegistry(registry.folder)
    await verifyUnchanged(state)
    await registry.add({ name: 'app-one' })
    await assert.rejects(verifyUnchanged(state), { code: 'REGISTRY_CHANGED' })
  })
})
