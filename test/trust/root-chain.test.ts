import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { sha256 } from '../../src/model/digest.ts'
import type { Root } from '../../src/model/registry.ts'
import { formatRoot, formatSignedFile, parseRoot, parseSignedFile } from '../../src/model/registry-schema.ts'
import { type Signer, signFile } from '../../src/publish/signer.ts'
import {
  describeRoot,
  inspectRoot,
  isRotated,
  MAX_ROOT_STEPS,
  openPinnedRoot,
  verifyNextRoot,
} from '../../src/trust/root-chain.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'
import { testSigner } from '../support/test-keys.ts'

describe('root files', () => {
  let registry: TestRegistry
  let file: Uint8Array
  let root: Root
  let keysAt: Date
  before(async () => {
    registry = await buildRegistry()
    file = await readFile(join(registry.folder, 'root', '1.json'))
    root = parseRoot(parseSignedFile(file, 'ROOT_INVALID', 'It', 1024 * 1024).payload)
    keysAt = new Date(registry.clock.now().getTime() + 60_000)
  })
  after(async () => registry[Symbol.asyncDispose]())

  const sign = async (changed: Root, signers: readonly Signer[] = registry.rootSigners.slice(0, 2)) =>
    formatSignedFile(await signFile(signers, 'root', 'root', formatRoot(changed)))
  const pinOf = (bytes: Uint8Array, version = 1) => ({ version, sha256: sha256(bytes) })
  const open = async (bytes: Uint8Array, version = 1) => openPinnedRoot(bytes, pinOf(bytes, version), keysAt)
  const next = async (changed: Partial<Root>, signers?: readonly Signer[]) =>
    verifyNextRoot(await open(file), await sign({ ...root, version: 2, ...changed }, signers), keysAt)

  test('the pinned one is opened, and no other', async () => {
    assert.equal((await open(file)).root.version, 1)
    const other = await sign({ ...root, expiresAt: new Date(root.expiresAt.getTime() + 1000) })
    await assert.rejects(openPinnedRoot(other, pinOf(file), keysAt), {
      code: 'SOURCE_CHANGED',
      details: { expected: sha256(file), actual: sha256(other) },
    })
  })

  test('one that says another number than its pin is refused', async () => {
    await assert.rejects(open(file, 2), { code: 'ROOT_INVALID', message: 'Root file 2 says it is 1' })
  })

  test('one without its own threshold is refused, pinned or not', async () => {
    const weak = await sign(root, registry.rootSigners.slice(0, 1))
    await assert.rejects(open(weak), { code: 'THRESHOLD_UNMET', message: /^Root file 1 has 1 of 2/ })
    await assert.rejects(inspectRoot(weak, keysAt), { code: 'THRESHOLD_UNMET' })
  })

  test('what is no root file is refused as such', async () => {
    await assert.rejects(inspectRoot(Buffer.from('{}'), keysAt), { code: 'ROOT_INVALID', message: /^The root file/ })
    const envelope = await readFile(join(registry.folder, 'envelope.json'))
    await assert.rejects(inspectRoot(envelope, keysAt), { code: 'ROOT_INVALID', message: /^The root file/ })
  })

  test('one that was accepted is described with the names of its keys, and what is none is refused as such', async () => {
    const described = await describeRoot(file, pinOf(file))
    assert.deepEqual(described.root, root)
    assert.deepEqual(described.userIds.get(registry.promoter.fingerprint), registry.promoter.certificate.userIds)
    await assert.rejects(describeRoot(file, pinOf(Buffer.from('other'))), { code: 'STATE_INVALID' })
    const rubbish = Buffer.from('{}')
    await assert.rejects(describeRoot(rubbish, pinOf(rubbish)), { code: 'ROOT_INVALID', message: /^The root file/ })
  })

  test('are walked 1,024 in one go, as the format says', () => {
    assert.equal(MAX_ROOT_STEPS, 1024)
  })

  test('a certificate that is none, or another key’s, is refused', async () => {
    const [key = registry.timestamp.fingerprint] = root.timestamp.keys
    const rubbish = new Map([...root.certificates, [key, new Uint8Array([1, 2, 3])]])
    await assert.rejects(open(await sign({ ...root, certificates: rubbish })), {
      code: 'ROOT_INVALID',
      message: 'Root file 1 holds a certificate that cannot be read',
    })
    const swapped = new Map([...root.certificates, [key, registry.promoter.certificate.bytes]])
    await assert.rejects(open(await sign({ ...root, certificates: swapped })), {
      code: 'ROOT_INVALID',
      message: 'Root file 1 gives a key a wrong fingerprint',
    })
  })

  test('the next one has the next number and the same registry', async () => {
    assert.equal((await next({})).root.version, 2)
    await assert.rejects(next({ version: 3 }), { code: 'ROOT_INVALID', message: /3 does not follow root file 1/ })
    await assert.rejects(next({ version: 1 }), { code: 'ROOT_INVALID', message: /1 does not follow root file 1/ })
    await assert.rejects(next({ registryId: 'f'.repeat(32) }), { code: 'ROOT_INVALID', message: /another registry/ })
  })

  test('the next one needs the threshold of the one before as well as its own', async () => {
    const heir = await testSigner('root-heir', registry.clock)
    const certificates = new Map(root.certificates)
    for (const { fingerprint } of registry.rootSigners) certificates.delete(fingerprint)
    certificates.set(heir.fingerprint, heir.certificate.bytes)
    const changed = { certificates, root: { keys: [heir.fingerprint], threshold: 1 } }
    await assert.rejects(next(changed, [heir]), { code: 'SIGNATURE_UNTRUSTED', message: /checked with root file 1,/ })
    await assert.rejects(next(changed, registry.rootSigners.slice(0, 2)), { code: 'SIGNATURE_UNTRUSTED' })
    const [first] = registry.rootSigners
    assert.ok(first)
    await assert.rejects(next(changed, [heir, first]), { code: 'THRESHOLD_UNMET' })
    assert.equal((await next(changed, [heir, ...registry.rootSigners.slice(0, 2)])).root.version, 2)
  })

  test('a role is rotated when any of its keys is gone, not when one joins', () => {
    const [a, b] = [registry.timestamp.fingerprint, registry.promoter.fingerprint]
    const withKeys = (...keys: (typeof a)[]): Root => ({ ...root, timestamp: { keys, threshold: 1 } })
    assert.equal(isRotated('timestamp', withKeys(a), withKeys(a, b)), false)
    assert.equal(isRotated('timestamp', withKeys(a, b), withKeys(a)), true)
    assert.equal(isRotated('timestamp', withKeys(a), withKeys(b)), true)
  })
})
