import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { generateKey } from 'openpgp'
import { packImage } from '../../src/image/pack-image.ts'
import type { WireSignature } from '../../src/model/registry.ts'
import { addPackages } from '../../src/publish/registry-add.ts'
import { promotePackage } from '../../src/publish/registry-promote.ts'
import { resignRegistry } from '../../src/publish/registry-resign.ts'
import { rotateRoot } from '../../src/publish/registry-rotate.ts'
import { type Signer, signerOf } from '../../src/publish/signer.ts'
import { verifyRole } from '../../src/trust/roles.ts'
import { fixedClock } from '../support/fixed-clock.ts'
import { buildRegistry } from '../support/registry-builder.ts'
import { testSigner } from '../support/test-keys.ts'

const clock = fixedClock()
const payload = new TextEncoder().encode('{}')

async function check(signers: readonly Signer[], threshold: number, signatures: readonly WireSignature[]) {
  return verifyRole({
    subject: 'The test',
    type: 'root',
    payload,
    signatures,
    roleName: 'root',
    role: { keys: signers.map((one) => one.fingerprint), threshold },
    certificates: new Map(signers.map((one) => [one.fingerprint, one.certificate])),
    now: clock.now(),
  })
}

const sign = async (signer: Signer, role: 'root' | 'timestamp' = 'root') => signer.sign(role, 'root', payload)

describe('verifyRole', () => {
  const three = Promise.all(['a', 'b', 'c'].map((name) => testSigner(name, clock)))

  test('accepts two of three', async () => {
    const [a, b, c] = (await three) as [Signer, Signer, Signer]
    assert.deepEqual(await check([a, b, c], 2, [await sign(a), await sign(c)]), [a.fingerprint, c.fingerprint])
  })

  test('refuses one of three, and the same key twice', async () => {
    const [a, b, c] = (await three) as [Signer, Signer, Signer]
    await assert.rejects(check([a, b, c], 2, [await sign(a)]), { code: 'THRESHOLD_UNMET' })
    await assert.rejects(check([a, b, c], 2, [await sign(a), await sign(a)]), { code: 'THRESHOLD_UNMET' })
  })

  test('ignores unknown and broken signatures beside enough good ones', async () => {
    const [a, b, c] = (await three) as [Signer, Signer, Signer]
    const broken = { ...(await sign(b)), signature: new Uint8Array([1, 2, 3]) }
    assert.deepEqual(await check([a], 1, [await sign(c), await sign(a)]), [a.fingerprint])
    assert.deepEqual(await check([a, b], 1, [broken, await sign(a)]), [a.fingerprint])
    await assert.rejects(check([a, b], 2, [broken, await sign(a)]), { code: 'THRESHOLD_UNMET' })
  })

  test('refuses a stranger and names who signed and who should have', async () => {
    const [a, b] = (await three) as [Signer, Signer, Signer]
    await assert.rejects(check([a], 1, [await sign(b)]), (error: Error) => {
      return (
        'code' in error &&
        error.code === 'SIGNATURE_UNTRUSTED' &&
        error.message.includes(a.fingerprint) &&
        error.message.includes(b.fingerprint)
      )
    })
  })

  test('refuses a signature under the name of another key', async () => {
    const [a, b] = (await three) as [Signer, Signer, Signer]
    const forged = { ...(await sign(b)), fingerprint: a.fingerprint }
    await assert.rejects(check([a], 1, [forged]), { code: 'KEY_INVALID' })
  })

  test('refuses a signature given for another role', async () => {
    const [a] = (await three) as [Signer, Signer, Signer]
    await assert.rejects(check([a], 1, [await sign(a, 'timestamp')]), { code: 'SIGNATURE_UNTRUSTED' })
  })

  test('says why the only signature does not count', async () => {
    const expired = await testSigner('expired', fixedClock('2026-01-02T00:00:00Z'), 30)
    await assert.rejects(check([expired], 1, [await sign(expired)]), { code: 'KEY_EXPIRED' })
  })

  test('says who signed, and does without certificates that are not at hand', async () => {
    const [a, b, c] = (await three) as [Signer, Signer, Signer]
    await assert.rejects(check([a], 1, []), { message: /not signed by the root role, but by nobody; expected/ })
    await assert.rejects(check([a], 1, [await sign(b), await sign(c)]), {
      message: new RegExp(`but by ${b.fingerprint}, ${c.fingerprint}; expected ${a.fingerprint}`),
    })
    const facts = { subject: 'It', type: 'root', payload, roleName: 'root', now: clock.now() } as const
    const signatures = [await sign(a), await sign(b)]
    const both = [a.fingerprint, b.fingerprint]
    const some = new Map([[b.fingerprint, b.certificate]])
    await assert.rejects(
      verifyRole({ ...facts, signatures, role: { keys: both, threshold: 1 }, certificates: new Map() }),
      { code: 'THRESHOLD_UNMET', message: /has 0 of 1 needed/ },
    )
    const counted = await verifyRole({ ...facts, signatures, role: { keys: both, threshold: 1 }, certificates: some })
    assert.deepEqual(counted, [b.fingerprint])
  })

  test('hides no fault of the program', async () => {
    const [a] = (await three) as [Signer, Signer, Signer]
    const fault = { ...(await sign(a)), signature: undefined as unknown as Uint8Array }
    await assert.rejects(check([a], 1, [fault]), TypeError)
  })

  test('counts two subkeys of one primary key once', async () => {
    const { privateKey } = await generateKey({
      type: 'ecc',
      curve: 'ed25519Legacy',
      userIDs: [{ name: 'two subkeys' }],
      subkeys: [{ sign: true }, { sign: true }],
      date: new Date('2026-01-01T00:00:00Z'),
      format: 'object',
    })
    const [a] = (await three) as [Signer, Signer, Signer]
    const whole = await signerOf(privateKey, clock)
    const [first, second] = privateKey.subkeys
    assert.ok(first && second)
    const signatures: WireSignature[] = []
    for (const subkey of [first, second]) {
      privateKey.subkeys = [subkey]
      signatures.push(await sign(await signerOf(privateKey, clock)))
    }
    for (const one of signatures) assert.deepEqual(await check([whole], 1, [one]), [whole.fingerprint])
    await assert.rejects(check([whole, a], 2, signatures), { code: 'THRESHOLD_UNMET' })
  })
})

describe('thresholds', () => {
  test('of two hold for timestamp, promoter and publisher as they do for root', async () => {
    await using registry = await buildRegistry()
    const pair = async (role: string) => {
      const signers = await Promise.all([1, 2].map((i) => testSigner(`${role} ${i}`, registry.clock)))
      return { signers, certificates: signers.map((one) => one.certificate), threshold: 2 }
    }
    const [timestamp, promoter, publisher] = await Promise.all(['timestamp', 'promoter', 'publisher'].map(pair))
    assert.ok(timestamp && promoter && publisher)
    const { folder } = registry
    const setup = { ...registry.setup, timestamp, promoter, publishers: [{ ...publisher, patterns: ['*'] }] }
    const timestamping = { ...registry.timestamping, signers: timestamp.signers }
    const half = { ...timestamping, signers: timestamp.signers.slice(1) }
    const rotation = { folder, setup, rootSigners: registry.rootSigners, promoters: promoter.signers }
    await assert.rejects(rotateRoot({ ...rotation, timestamping: half }), { code: 'THRESHOLD_UNMET' })
    await rotateRoot({ ...rotation, timestamping })
    const packages = [await registry.build({ name: 'app-one' })]
    const add = { folder, packages, pack: packImage, timestamping }
    await assert.rejects(addPackages({ ...add, publishers: publisher.signers.slice(1) }), { code: 'THRESHOLD_UNMET' })
    await addPackages({ ...add, publishers: publisher.signers })
    const entry = { name: 'app-one', version: '1.0-1', arch: 'amd64', channel: 'testing' } as const
    const promote = { folder, entry, timestamping }
    await assert.rejects(promotePackage({ ...promote, promoters: promoter.signers.slice(1) }), {
      code: 'THRESHOLD_UNMET',
    })
    await promotePackage({ ...promote, promoters: promoter.signers })
    await assert.rejects(resignRegistry(folder, half, { force: true }), { code: 'THRESHOLD_UNMET' })
    assert.equal((await resignRegistry(folder, timestamping, { force: true })).envelope.version, 5)
  })

  test('count a signing key that two certificates share once', async () => {
    const [a, b] = await Promise.all(['shared a', 'shared b'].map((name) => testSigner(name, clock)))
    assert.ok(a && b)
    const signature = await sign(a)
    // The second certificate is the first one under another name: what an attacker with one key would make.
    const twin = { ...a.certificate, fingerprint: b.fingerprint }
    const role = { keys: [a.fingerprint, b.fingerprint], threshold: 2 }
    const certificates = new Map([
      [a.fingerprint, a.certificate],
      [b.fingerprint, twin],
    ])
    const signatures = [signature, { ...signature, fingerprint: b.fingerprint }]
    const facts = { subject: 'It', type: 'root', payload, roleName: 'root', certificates, now: clock.now() } as const
    await assert.rejects(verifyRole({ ...facts, signatures, role }), { code: 'THRESHOLD_UNMET' })
    assert.deepEqual(await verifyRole({ ...facts, signatures, role: { ...role, threshold: 1 } }), [a.fingerprint])
  })

  test('say which keys counted and why the others did not', async () => {
    const [a, b] = await Promise.all(['counted', 'broken'].map((name) => testSigner(name, clock)))
    assert.ok(a && b)
    const broken = { ...(await sign(b)), signature: new Uint8Array([1, 2, 3]) }
    await assert.rejects(check([a, b], 2, [await sign(a), broken]), (error: { details?: unknown }) => {
      const { counted, failures } = error.details as { counted: string[]; failures: { code: string }[] }
      assert.deepEqual(counted, [a.fingerprint])
      assert.deepEqual(
        failures.map(({ code }) => code),
        ['SIGNATURE_INVALID'],
      )
      return true
    })
  })
})
