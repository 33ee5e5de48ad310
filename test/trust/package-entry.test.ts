import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { zstdDecompressSync } from 'node:zlib'
import { sha256 } from '../../src/model/digest.ts'
import { formatPackageLine } from '../../src/model/line-schema.ts'
import { parseIndexEntry } from '../../src/model/registry-schema.ts'
import { signEnvelope } from '../../src/publish/registry-version.ts'
import { signFile } from '../../src/publish/signer.ts'
import { verifyPackageEntry } from '../../src/trust/package-entry.ts'
import { openPinnedRoot } from '../../src/trust/root-chain.ts'
import { buildRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'
import { testSigner } from '../support/test-keys.ts'

describe('a publisher', () => {
  test('cannot sign outside its name patterns', async () => {
    await using registry = await buildRegistry({ patterns: ['router-*'] })
    await assert.rejects(registry.add({ name: 'app-one' }), {
      code: 'SIGNATURE_UNTRUSTED',
      message: /no publisher may use that name/,
    })
    assert.equal((await registry.add({ name: 'router-one' })).kind, 'published')
  })

  test('of another registry is a stranger', async () => {
    await using registry = await buildRegistry()
    const stranger = await testSigner('stranger', registry.clock)
    const { envelope } = await refresh({ ...registry, now: registry.clock.now() })
    const file = await signEnvelope(envelope, { ...registry.timestamping, signers: [stranger] })
    await writeFile(join(registry.folder, 'envelope.json'), file)
    await assert.rejects(refresh({ ...registry, now: registry.clock.now() }), { code: 'SIGNATURE_UNTRUSTED' })
  })
})

describe('a signed line', () => {
  test('is refused where its capability is unknown, listing those that exist', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const { index } = await refresh({ ...registry, now: registry.clock.now() })
    const line = index.entries[0]?.line
    assert.ok(line)
    const capabilities = JSON.parse('[{"name":"shell"}]') as typeof line.capabilities
    assert.throws(() => formatPackageLine({ ...line, capabilities }), {
      code: 'INDEX_INVALID',
      message: /network, pci, host-folder, host-file, host-bridge, hugepages, usb/,
    })
  })
})

describe('verifyPackageEntry', () => {
  test('asks every publisher whose patterns cover the name, and hides no fault of the program', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const now = registry.clock.now()
    const { index, envelope } = await refresh({ ...registry, now })
    const packed = await readFile(join(registry.folder, `index/${envelope.index.sha256}.jsonl.zst`))
    const wire = parseIndexEntry(Buffer.from(zstdDecompressSync(packed).toString().trim()))
    const root = await openPinnedRoot(await readFile(join(registry.folder, 'root/1.json')), registry.pin, now)
    const [publisher] = root.root.publishers
    assert.ok(publisher)
    const stranger = { ...publisher, keys: root.root.timestamp.keys }
    const verify = async (publishers: readonly (typeof publisher)[], certificates = root.certificates, entry = wire) =>
      verifyPackageEntry(entry, { root: { ...root.root, publishers }, certificates }, now)
    for (const publishers of [[publisher], [{ ...publisher, patterns: ['x-*', 'app-*'] }], [stranger, publisher]]) {
      assert.equal((await verify(publishers)).lineDigest, index.entries[0]?.lineDigest)
    }
    await assert.rejects(verify([stranger]), { code: 'SIGNATURE_UNTRUSTED' })
    const broken = {
      get: () => {
        throw new RangeError('a fault')
      },
    } as unknown as typeof root.certificates
    await assert.rejects(verify([publisher, publisher], broken), RangeError)
    let isFirst = true
    const faulty = {
      get: (key: typeof registry.publisher.fingerprint) => {
        if (isFirst) {
          isFirst = false
          throw new RangeError('a fault')
        }
        return root.certificates.get(key)
      },
    } as unknown as typeof root.certificates
    await assert.rejects(verify([publisher, publisher], faulty), RangeError)
    const none = { ...wire, transport: { ...wire.transport, images: {} } }
    await assert.rejects(verify([publisher], root.certificates, none), {
      code: 'INDEX_INVALID',
      message: /is not that of its images$/,
    })
  })

  test('takes the transport of exactly the images that the line has', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const now = registry.clock.now()
    const root = await openPinnedRoot(await readFile(join(registry.folder, 'root/1.json')), registry.pin, now)
    const [entry] = (await refresh({ ...registry, now })).index.entries
    const [disk] = entry?.line.images ?? []
    assert.ok(entry && disk)
    const [first, second, other] = ['first', 'second', 'other'].map((text) => sha256(text))
    assert.ok(first && second && other)
    const images = [
      { ...disk, digest: first },
      { ...disk, digest: second, role: 'kernel' as const },
    ]
    const line = formatPackageLine({ ...entry.line, images })
    const { signatures } = await signFile([registry.publisher], 'publisher', 'line', line)
    const how = entry.transport.images[disk.digest]
    assert.ok(how)
    const verify = async (...digests: readonly (typeof first)[]) =>
      verifyPackageEntry(
        { line, signatures, transport: { images: Object.fromEntries(digests.map((one) => [one, how])) } },
        root,
        now,
      )
    await verify(first, second)
    for (const wrong of [[], [first], [first, second, other], [first, other], [other, second]]) {
      await assert.rejects(verify(...wrong), { code: 'INDEX_INVALID', message: /is not that of its images$/ })
    }
  })
})
