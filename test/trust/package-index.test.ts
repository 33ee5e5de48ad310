import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { sha256 } from '../../src/model/digest.ts'
import { formatPackageLine } from '../../src/model/line-schema.ts'
import type { IndexEntry } from '../../src/model/registry.ts'
import { formatChannels, formatIndexEntry, formatSignedFile, parseIndexEntry } from '../../src/model/registry-schema.ts'
import { signEnvelope } from '../../src/publish/registry-version.ts'
import { signFile } from '../../src/publish/signer.ts'
import {
  MAX_INDEX_BYTES,
  readIndexEntries,
  splitLines,
  unpackIndex,
  verifyPackageIndex,
} from '../../src/trust/package-index.ts'
import { openPinnedRoot } from '../../src/trust/root-chain.ts'
import { markVerified } from '../../src/trust/verified.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'

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

/** A zstd frame of RFC 8878 with one raw block. */
function zstdFrame(windowDescriptor: number, text: string): Buffer {
  const block = (text.length << 3) | 1
  return Buffer.concat([
    Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, windowDescriptor, block & 0xff, block >> 8, 0]),
    Buffer.from(text),
  ])
}

describe('a packed index', () => {
  test('has 64 MiB at most', () => {
    assert.equal(MAX_INDEX_BYTES, 67_108_864)
  })

  test('may ask for a window of 128 MiB and for no larger one', () => {
    const exponent = (log: number): number => (log - 10) << 3
    for (const log of [20, 27])
      assert.equal(Buffer.from(unpackIndex(zstdFrame(exponent(log), 'abc'), 3)).toString(), 'abc')
    for (const descriptor of [exponent(27) + 1, exponent(28)]) {
      assert.throws(() => unpackIndex(zstdFrame(descriptor, 'abc'), 3), { message: /cannot be unpacked/ })
    }
  })
})

describe('an unpacked index', () => {
  test('has as many bytes and lines as were signed, and no more than 256 MiB', () => {
    const packed = zstdCompressSync(Buffer.from('abc'))
    assert.throws(() => unpackIndex(packed, 2 ** 28 + 1), { message: /would unpack to more than 268435456 bytes$/ })
    assert.throws(() => unpackIndex(packed, 2 ** 28), { message: /unpacks to 3 bytes, not the 268435456 signed$/ })
    assert.equal(Buffer.from(unpackIndex(packed, 3)).toString(), 'abc')
    const two = zstdCompressSync(Buffer.from('ab'))
    for (const size of [0, 1]) {
      assert.throws(() => unpackIndex(two, size), { message: /cannot be unpacked within its signed size$/ })
    }
    assert.throws(() => unpackIndex(zstdCompressSync(Buffer.from('a')), 0), { message: /1 bytes, not the 0 signed$/ })
    const facts = { sha256: sha256(''), size: 9, unpackedSize: 0, count: 1 }
    assert.throws(() => readIndexEntries(zstdCompressSync(Buffer.alloc(0)), facts), {
      code: 'INDEX_INVALID',
      message: /has 0 lines where 1 were signed$/,
    })
  })

  test('is cut into lines that each end in a newline', () => {
    const cut = (text: string) => splitLines(Buffer.from(text)).map((line) => Buffer.from(line).toString())
    assert.deepEqual(cut(''), [])
    assert.deepEqual(cut('a\nbc\n'), ['a', 'bc'])
    assert.deepEqual(cut('\n\na\n'), ['', '', 'a'])
    for (const text of ['a', 'a\nb', '\na']) {
      assert.throws(() => cut(text), { code: 'INDEX_INVALID', message: /does not end in a newline$/ })
    }
  })
})

describe('verifyPackageIndex', () => {
  test('gives each line once and in order, more of them than are verified at a time', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const now = registry.clock.now()
    const { envelope, index } = await refresh({ ...registry, now })
    const [entry] = index.entries
    const root = await openPinnedRoot(await readFile(join(registry.folder, 'root/1.json')), registry.pin, now)
    assert.ok(entry)
    const names = Array.from({ length: 65 }, (_, i) => `app-${String(i).padStart(2, '0')}`)
    const lines = await Promise.all(
      names.map(async (name) => {
        const line = formatPackageLine({ ...entry.line, name })
        const { signatures } = await signFile([registry.publisher], 'publisher', 'line', line)
        return Buffer.concat([formatIndexEntry({ line, signatures, transport: entry.transport }), Buffer.from('\n')])
      }),
    )
    const unpacked = Buffer.concat(lines)
    const file = zstdCompressSync(unpacked)
    const facts = { sha256: sha256(file), size: file.length, unpackedSize: unpacked.length, count: lines.length }
    const forged = markVerified({ ...envelope, index: facts })
    const { entries } = await verifyPackageIndex(file, forged, root, now)
    assert.deepEqual(
      entries.map(({ line }) => line.name),
      names,
    )
    await assert.rejects(verifyPackageIndex(file.subarray(1), forged, root, now), {
      code: 'DIGEST_MISMATCH',
      message: 'The package index is not what was signed',
    })
  })
})

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
