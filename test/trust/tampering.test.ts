import assert from 'node:assert/strict'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import fc from 'fast-check'
import { readArchive } from '../../src/archive/read.ts'
import { isVmpkgError } from '../../src/errors.ts'
import { sha256 } from '../../src/model/digest.ts'
import { formatPackageLine } from '../../src/model/line-schema.ts'
import type { IndexEntry } from '../../src/model/registry.ts'
import { formatChannels, formatIndexEntry, formatSignedFile, parseIndexEntry } from '../../src/model/registry-schema.ts'
import { rotateRoot } from '../../src/publish/registry-rotate.ts'
import { signEnvelope } from '../../src/publish/registry-version.ts'
import { signFile } from '../../src/publish/signer.ts'
import { verifyContent } from '../../src/trust/content.ts'
import { TrustSession } from '../../src/trust/session.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'
import { testSigner } from '../support/test-keys.ts'

/** Everything a client verifies: metadata, archives, maps, transport indexes and packs. */
async function readEverything(registry: TestRegistry, folder: string): Promise<void> {
  const { index } = await refresh({ ...registry, folder, now: registry.clock.now() })
  for (const { line, transport } of index.entries) {
    await readArchive(await readFile(join(folder, `package/${line.package.sha256}.vmpkg`)), line.package)
    for (const { digest, map } of line.images) {
      verifyContent(await readFile(join(folder, `map/${map.sha256}`)), map, 'map')
      const described = transport.images[digest]
      assert.ok(described)
      verifyContent(await readFile(join(folder, `transport/${described.index.sha256}`)), described.index, 'transport')
    }
  }
}

describe('a registry', () => {
  let registry: TestRegistry
  let copy: string
  before(async () => {
    registry = await buildRegistry({
      packages: [{ name: 'app-one' }, { name: 'router-uni', manifest: 'kind: router\nlayer: uni' }],
    })
    await rotateRoot({ ...registry, promoters: [registry.promoter] })
    copy = await mkdtemp(join(tmpdir(), 'vmpkg-tamper-'))
    await cp(registry.folder, copy, { recursive: true })
  })
  after(async () => {
    await registry[Symbol.asyncDispose]()
    await rm(copy, { recursive: true })
  })

  test('is accepted as it is: the control of the tests below', async () => {
    await readEverything(registry, copy)
  })

  test('is refused with any one byte of any file that a client reads changed, removed or added', async () => {
    const envelope = (await refresh({ ...registry, now: registry.clock.now() })).envelope
    const current = [`${envelope.index.sha256}.jsonl.zst`, `${envelope.channels.sha256}.json`]
    const read = (await readdir(copy, { recursive: true, withFileTypes: true }))
      .filter((one) => one.isFile() && one.name !== '.lock')
      .map((one) => join(one.parentPath, one.name).slice(copy.length + 1))
      .filter((path) => !path.startsWith('blob/')) // packs are checked frame by frame in image/
      .filter((path) => !/^(?:index|channels)\//.test(path) || current.some((name) => path.endsWith(name)))
    assert.ok(read.length >= 10)
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...read),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        fc.constantFrom('change', 'remove', 'add'),
        async (path, at, by, how) => {
          const file = join(copy, path)
          const original = await readFile(file)
          try {
            await writeFile(file, damage(original, at % original.length, by, how))
            await assert.rejects(readEverything(registry, copy), (error) => isVmpkgError(error))
          } finally {
            await writeFile(file, original)
          }
        },
      ),
      { numRuns: 250 },
    )
  })

  test('is refused with any one byte of its envelope changed', async () => {
    const session = await TrustSession.open(
      { pin: registry.pin, policy: { kind: 'strict' }, now: registry.clock.now() },
      await readFile(join(copy, 'root/1.json')),
    )
    await session.acceptRoot(await readFile(join(copy, 'root/2.json')))
    const original = await readFile(join(copy, 'envelope.json'))
    for (let at = 0; at < original.length; at++) {
      const damaged = damage(original, at, 1 + (at % 255), 'change')
      await assert.rejects(session.acceptEnvelope(damaged), (error) => isVmpkgError(error), `byte ${at}`)
    }
    await session.acceptEnvelope(original)
  })
})

describe('someone who holds only the timestamp key', () => {
  const two = { packages: [{ name: 'app-one' }, { name: 'app-two' }] }

  test('can serve the same lines again: the control of the tests below', async () => {
    await using registry = await buildRegistry(two)
    const entries = await entriesOf(registry)
    assert.equal((await serve(registry, entries.map(formatIndexEntry))).index.entries.length, 2)
  })

  test('cannot bring in a package signed by that key', async () => {
    await using registry = await buildRegistry(two)
    const [first] = await entriesOf(registry)
    assert.ok(first)
    const { signatures } = await signFile([registry.timestamp], 'publisher', 'line', first.line)
    await assert.rejects(serve(registry, [formatIndexEntry({ ...first, signatures })]), { code: 'SIGNATURE_UNTRUSTED' })
  })

  test('cannot change a line, nor give one the signature of another', async () => {
    await using registry = await buildRegistry(two)
    const [first, second] = await entriesOf(registry)
    assert.ok(first && second)
    const swapped = [{ ...first, line: second.line, transport: second.transport }]
    await assert.rejects(serve(registry, swapped.map(formatIndexEntry)), { code: 'SIGNATURE_INVALID' })
  })

  test('cannot repeat or disorder lines, miscount them, or pass rubbish', async () => {
    await using registry = await buildRegistry(two)
    const lines = (await entriesOf(registry)).map(formatIndexEntry)
    const [one, other] = lines as [Uint8Array, Uint8Array]
    await assert.rejects(serve(registry, [one, one]), { code: 'INDEX_INVALID' })
    await assert.rejects(serve(registry, [other, one]), { code: 'INDEX_INVALID' })
    await assert.rejects(serve(registry, [one], { count: 2 }), { code: 'INDEX_INVALID' })
    await assert.rejects(serve(registry, [Buffer.from('{}')]), { code: 'INDEX_INVALID' })
    await assert.rejects(serve(registry, [Buffer.from('')]), { code: 'INDEX_INVALID' })
  })

  test('cannot unpack more than was signed, nor ask for absurd sizes', async () => {
    await using registry = await buildRegistry(two)
    const lines = (await entriesOf(registry)).map(formatIndexEntry)
    await assert.rejects(serve(registry, lines, { unpackedSize: 10 }), { code: 'INDEX_INVALID' })
    await assert.rejects(serve(registry, lines, { unpackedSize: 2 ** 50 }), { code: 'INDEX_INVALID' })
    const bomb = Buffer.alloc(32 * 1024 * 1024)
    await assert.rejects(serve(registry, [bomb], { unpackedSize: 1024 }), { code: 'INDEX_INVALID' })
  })

  test('cannot describe other images than the line has', async () => {
    await using registry = await buildRegistry(two)
    const [first, second] = await entriesOf(registry)
    assert.ok(first && second)
    await assert.rejects(serve(registry, [formatIndexEntry({ ...first, transport: second.transport })]), {
      code: 'INDEX_INVALID',
    })
  })

  test('cannot promote or yank', async () => {
    await using registry = await buildRegistry(two)
    const { envelope } = await refresh({ ...registry, now: registry.clock.now() })
    const payload = formatChannels({ registryId: envelope.registryId, version: 2, entries: [] })
    const file = formatSignedFile(await signFile([registry.timestamp], 'promoter', 'channels', payload))
    const channels = { version: 2, sha256: sha256(file), size: file.length }
    await writeFile(join(registry.folder, `channels/${channels.sha256}.json`), file)
    await writeFile(
      join(registry.folder, 'envelope.json'),
      await signEnvelope({ ...envelope, channels }, registry.timestamping),
    )
    await assert.rejects(refresh({ ...registry, now: registry.clock.now() }), { code: 'SIGNATURE_UNTRUSTED' })
  })
})

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
      message: /network, host-bridge, pci, hugepages/,
    })
  })
})

describe('verifyContent', () => {
  test('refuses more bytes than signed before hashing, and other bytes', () => {
    const expected = { sha256: sha256('abc'), size: 3 }
    assert.deepEqual(verifyContent(bytes('abc'), expected, 'x'), bytes('abc'))
    assert.throws(() => verifyContent(bytes('abcd'), expected, 'x'), { code: 'SIZE_EXCEEDED' })
    assert.throws(() => verifyContent(bytes('abd'), expected, 'x'), { code: 'DIGEST_MISMATCH' })
    assert.throws(() => verifyContent(bytes('ab'), expected, 'x'), { code: 'DIGEST_MISMATCH' })
  })
})

function damage(original: Uint8Array, at: number, by: number, how: 'change' | 'remove' | 'add'): Uint8Array {
  if (how === 'add') return Buffer.concat([original.subarray(0, at), Buffer.from([by]), original.subarray(at)])
  if (how === 'remove') return Buffer.concat([original.subarray(0, at), original.subarray(at + 1)])
  const copy = new Uint8Array(original)
  copy[at] = (copy[at] ?? 0) ^ by
  return copy
}

/** Replaces the index by one with these lines, under an envelope that verifies. */
async function serve(
  registry: TestRegistry,
  entries: readonly Uint8Array[],
  change: { unpackedSize?: number; count?: number } = {},
) {
  const { envelope } = await refresh({ ...registry, now: registry.clock.now() })
  const unpacked = Buffer.concat(entries.map((line) => Buffer.concat([line, Buffer.from('\n')])))
  const packed = zstdCompressSync(unpacked)
  const index = {
    sha256: sha256(packed),
    size: packed.length,
    unpackedSize: unpacked.length,
    count: entries.length,
    ...change,
  }
  await writeFile(join(registry.folder, `index/${index.sha256}.jsonl.zst`), packed)
  await writeFile(
    join(registry.folder, 'envelope.json'),
    await signEnvelope({ ...envelope, index }, registry.timestamping),
  )
  return refresh({ ...registry, now: registry.clock.now() })
}

async function entriesOf(registry: TestRegistry): Promise<readonly IndexEntry[]> {
  const { envelope } = await refresh({ ...registry, now: registry.clock.now() })
  const file = await readFile(join(registry.folder, `index/${envelope.index.sha256}.jsonl.zst`))
  return zstdDecompressSync(file)
    .toString()
    .trim()
    .split('\n')
    .map((line) => parseIndexEntry(Buffer.from(line)))
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
