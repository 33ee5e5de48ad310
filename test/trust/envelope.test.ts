import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { sha256 } from '../../src/model/digest.ts'
import type { Envelope } from '../../src/model/registry.ts'
import { signEnvelope } from '../../src/publish/registry-version.ts'
import { peekRootVersion, verifyEnvelope } from '../../src/trust/envelope.ts'
import type { TrustMarks } from '../../src/trust/marks.ts'
import { openPinnedRoot, type TrustedRoot } from '../../src/trust/root-chain.ts'
import { HOUR_MS } from '../support/fixed-clock.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'

describe('verifyEnvelope', () => {
  let registry: TestRegistry
  let root: TrustedRoot
  before(async () => {
    registry = await buildRegistry()
    root = await openPinnedRoot(
      await readFile(join(registry.folder, 'root/1.json')),
      registry.pin,
      registry.clock.now(),
    )
  })
  after(async () => registry[Symbol.asyncDispose]())

  const verify = async (change: Partial<Envelope>, seen?: TrustMarks['envelope']) => {
    const { firstEnvelope, timestamping, pin, clock } = registry
    const file = await signEnvelope({ ...firstEnvelope, ...change }, timestamping)
    const marks: TrustMarks = {
      registryId: firstEnvelope.registryId,
      root: pin,
      ...(seen === undefined ? {} : { envelope: seen }),
    }
    return verifyEnvelope({ file, root, marks, policy: { kind: 'strict' }, now: clock.now(), keysAt: clock.now() })
  }

  test('accepts the one that belongs to the root, with the digest of its payload', async () => {
    const { envelope, payloadDigest, freshness } = await verify({})
    assert.deepEqual(envelope, registry.firstEnvelope)
    assert.match(payloadDigest, /^[0-9a-f]{64}$/)
    assert.equal(freshness, 'fresh')
    assert.equal(
      (await verify({}, { version: 1, sha256: payloadDigest, issuedAt: envelope.issuedAt })).freshness,
      'fresh',
    )
  })

  test('refuses each way in which it can name another root file', async () => {
    const { root: named } = registry.firstEnvelope
    for (const other of [{ version: named.version + 1 }, { sha256: sha256('other') }, { size: named.size + 1 }]) {
      await assert.rejects(verify({ root: { ...named, ...other } }), {
        code: 'ENVELOPE_INVALID',
        message: /another root/,
      })
    }
  })

  test('refuses another registry', async () => {
    await assert.rejects(verify({ registryId: 'f'.repeat(32) }), { code: 'SOURCE_CHANGED' })
  })

  test('refuses what is no envelope, is from the future or has expired, each by its name', async () => {
    const { clock, pin, firstEnvelope } = registry
    const marks = { registryId: firstEnvelope.registryId, root: pin }
    const facts = { root, marks, policy: { kind: 'strict' }, now: clock.now(), keysAt: clock.now() } as const
    await assert.rejects(verifyEnvelope({ ...facts, file: Buffer.from('{}') }), {
      code: 'ENVELOPE_INVALID',
      message: /^The envelope/,
    })
    const at = (ms: number) => new Date(clock.now().getTime() + ms)
    await assert.rejects(verify({ issuedAt: at(HOUR_MS), expiresAt: at(2 * HOUR_MS) }), {
      code: 'CLOCK_WRONG',
      message: /was issued at/,
    })
    await assert.rejects(verify({ issuedAt: at(-2 * HOUR_MS), expiresAt: at(-HOUR_MS) }), {
      code: 'ENVELOPE_EXPIRED',
      message: /^The envelope of the registry expired/,
    })
  })

  test('accepts a newer version and refuses an older one and another of the same number', async () => {
    const issuedAt = registry.clock.now()
    const previous = (version: number) => ({ version, sha256: sha256(String(version)) })
    await verify({ version: 5, previous: previous(4) }, { version: 4, sha256: sha256('seen'), issuedAt })
    const seen = { version: 5, sha256: sha256('seen'), issuedAt }
    await assert.rejects(verify({ version: 4, previous: previous(3) }, seen), { code: 'ENVELOPE_ROLLED_BACK' })
    await assert.rejects(verify({ version: 5, previous: previous(4) }, seen), { code: 'ENVELOPE_EQUIVOCATED' })
  })
})

describe('peekRootVersion', () => {
  test('reads the number without asking who signed, and refuses what is no envelope', async () => {
    await using registry = await buildRegistry()
    const { firstEnvelope, timestamping, publisher } = registry
    const named = { ...firstEnvelope, root: { ...firstEnvelope.root, version: 9 } }
    assert.equal(peekRootVersion(await signEnvelope(named, { ...timestamping, signers: [publisher] })), 9)
    assert.throws(() => peekRootVersion(Buffer.from('{}')), { code: 'ENVELOPE_INVALID', message: /^The envelope/ })
  })
})
