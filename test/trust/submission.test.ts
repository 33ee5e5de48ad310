import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { zstdDecompressSync } from 'node:zlib'
import { formatSignedFile, formatSubmission, parseIndexEntry } from '../../src/model/registry-schema.ts'
import { signFile } from '../../src/publish/signer.ts'
import { describeRoot, openPinnedRoot } from '../../src/trust/root-chain.ts'
import { verifySubmission } from '../../src/trust/submission.ts'
import { buildRegistry } from '../support/registry-builder.ts'

test('a submission is for this registry, and signed as one by a publisher', async () => {
  await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
  const { registryId } = registry.firstEnvelope
  const now = registry.clock.now()
  const root = await openPinnedRoot(await readFile(join(registry.folder, 'root/1.json')), registry.pin, now)
  const indexes = await Promise.all(
    (await readdir(join(registry.folder, 'index'))).map(async (name) =>
      zstdDecompressSync(await readFile(join(registry.folder, 'index', name))).toString(),
    ),
  )
  const line = indexes.find((text) => text.includes('\n'))?.trim() ?? ''
  assert.ok(line !== '')
  const payload = (id: string) => formatSubmission({ registryId: id, entries: [parseIndexEntry(Buffer.from(line))] })
  const submit = async (
    bytes: Uint8Array,
    signer = registry.publisher,
    type: 'submission' | 'channels' = 'submission',
  ) => verifySubmission(formatSignedFile(await signFile([signer], 'publisher', type, bytes)), root, now)
  const entries = await submit(payload(registryId))
  assert.deepEqual(
    entries.map(({ entry }) => entry.line.name),
    ['app-one'],
  )
  await assert.rejects(submit(payload(registryId), registry.timestamp), { code: 'SIGNATURE_UNTRUSTED' })
  await assert.rejects(submit(payload(registryId), registry.publisher, 'channels'), { code: 'SIGNATURE_INVALID' })
  await assert.rejects(submit(payload('f'.repeat(32))), { code: 'REGISTRY_INVALID', message: /another registry/ })
  await assert.rejects(verifySubmission(Buffer.from('{}'), root, now), {
    code: 'REGISTRY_INVALID',
    message: /^The submission/,
  })
})

test('a stored root file is shown only when it is the one that was accepted', async () => {
  await using registry = await buildRegistry()
  const file = await readFile(join(registry.folder, 'root/1.json'))
  const { root, userIds } = await describeRoot(file, registry.pin)
  assert.equal(root.version, 1)
  assert.deepEqual([...userIds.keys()].toSorted(), [...root.certificates.keys()].toSorted())
  assert.ok([...userIds.values()].every((texts) => texts.length === 1 && texts[0]?.startsWith('test ')))
  await assert.rejects(describeRoot(Buffer.concat([file, Buffer.from('\n')]), registry.pin), { code: 'STATE_INVALID' })
})
