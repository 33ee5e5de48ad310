import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { makeRoot } from '../../src/publish/registry-root.ts'
import { publishRoot } from '../../src/publish/registry-rotate.ts'
import { readRegistry } from '../../src/publish/registry-state.ts'
import {
  draftProgress,
  finishDraft,
  formatDraft,
  makeDraft,
  parseDraft,
  type RootDraft,
  rootHolders,
  signDraft,
} from '../../src/publish/root-draft.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'
import { testSigner } from '../support/test-keys.ts'

/** A root of three in which one holder is another; two must sign. */
async function draftOf(registry: TestRegistry): Promise<RootDraft> {
  const fresh = await testSigner('root-d', registry.clock)
  const certificates = [...registry.rootSigners.slice(1), fresh].map((one) => one.certificate)
  const setup = { ...registry.setup, root: { certificates, threshold: 2 } }
  const { root } = await readRegistry(registry.folder)
  const next = makeRoot(setup, root.registryId, 2, registry.clock)
  return makeDraft(await readFile(join(registry.folder, 'root/1.json')), next)
}

const travel = (draft: RootDraft): RootDraft => parseDraft(formatDraft(draft))

describe('the draft of a root file', () => {
  test('is complete when enough of the old and enough of the new have signed, in any order and place', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const now = registry.clock.now()
    const [a, b] = registry.rootSigners
    const d = await testSigner('root-d', registry.clock)
    assert.ok(a && b)
    let draft = travel(await draftOf(registry))
    assert.equal(rootHolders(draft).length, 4)
    await assert.rejects(finishDraft(draft, now), { code: 'THRESHOLD_UNMET' })
    draft = travel(await signDraft(draft, [d]))
    await assert.rejects(finishDraft(draft, now), { code: 'THRESHOLD_UNMET' })
    draft = travel(await signDraft(draft, [b]))
    assert.deepEqual(
      (await draftProgress(draft, now)).map(({ role, signed }) => [role, signed.length]),
      [
        ['old', 1],
        ['new', 2],
      ],
    )
    await assert.rejects(finishDraft(draft, now), { code: 'THRESHOLD_UNMET' })
    draft = travel(await signDraft(travel(await signDraft(draft, [a])), [a]))
    assert.equal(draft.signatures.length, 3)
    const rootFile = await finishDraft(draft, now)
    await publishRoot({ folder: registry.folder, rootFile, promoters: [], timestamping: registry.timestamping })
    const { marks } = await refresh({ ...registry, now })
    assert.equal(marks.root.version, 2)
    await assert.rejects(
      publishRoot({ folder: registry.folder, rootFile, promoters: [], timestamping: registry.timestamping }),
      { code: 'REGISTRY_CHANGED' },
    )
  })

  test('counts no stranger and no signature over other bytes, and cannot be of another registry', async () => {
    await using registry = await buildRegistry()
    await using other = await buildRegistry()
    const now = registry.clock.now()
    const draft = await draftOf(registry)
    const stranger = await testSigner('stranger', registry.clock)
    const [, b] = registry.rootSigners
    assert.ok(b)
    const elsewhere = await signDraft(await draftOf(other), [b])
    const mixed = { ...(await signDraft(draft, [stranger])), signatures: elsewhere.signatures }
    assert.ok((await draftProgress(mixed, now)).every(({ signed }) => signed.length === 0))
    const swapped = { ...draft, beforeFile: elsewhere.beforeFile }
    assert.throws(() => travel(swapped), { code: 'ROOT_INVALID' })
    assert.throws(() => parseDraft(new TextEncoder().encode('{}')), { code: 'ROOT_INVALID' })
    await assert.rejects(finishDraft(mixed, now), { code: 'SIGNATURE_INVALID' })
  })
})
