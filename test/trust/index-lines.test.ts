import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { zstdDecompressSync } from 'node:zlib'
import { VerifyPool } from '../../src/catalogue/verify-pool.ts'
import { sha256 } from '../../src/model/digest.ts'
import type { Envelope, IndexEntry } from '../../src/model/registry.ts'
import { formatIndexEntry, parseIndexEntry } from '../../src/model/registry-schema.ts'
import { signFile } from '../../src/publish/signer.ts'
import { type IndexLine, type IndexLinesOptions, localVerifier, verifyIndexLines } from '../../src/trust/index-lines.ts'
import type { PackageEntry } from '../../src/trust/package-entry.ts'
import type { TrustedRoot } from '../../src/trust/root-chain.ts'
import { TrustSession } from '../../src/trust/session.ts'
import { markVerified, type Verified } from '../../src/trust/verified.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'

const NONE: IndexLinesOptions['known'] = () => undefined

/** A session that has accepted the envelope, and the lines of its index. */
async function open(registry: TestRegistry) {
  const read = (path: string) => readFile(join(registry.folder, path))
  const now = registry.clock.now()
  const session = await TrustSession.open(
    { pin: registry.pin, now, policy: { kind: 'strict' } },
    await read('root/1.json'),
  )
  const { envelope } = await session.acceptEnvelope(await read('envelope.json'))
  const file = await read(`index/${envelope.index.sha256}.jsonl.zst`)
  const lines = zstdDecompressSync(file).toString().trim().split('\n')
  return { session, envelope, file, now, entries: lines.map((line) => parseIndexEntry(Buffer.from(line))) }
}

async function collect(lines: AsyncIterable<readonly IndexLine[]>): Promise<readonly IndexLine[]> {
  return (await Array.fromAsync(lines)).flat()
}

/** Reads lines that somebody with the timestamp key would serve, in this thread and in two. */
async function serve(
  t: TestContext,
  registry: TestRegistry,
  entries: readonly IndexEntry[],
  known = NONE,
  count = entries.length,
) {
  const { session, envelope, now } = await open(registry)
  const unpacked = markVerified(
    new Uint8Array(Buffer.concat(entries.flatMap((one) => [formatIndexEntry(one), Buffer.from('\n')]))),
  )
  const forged = markVerified({ ...envelope, index: { ...envelope.index, count } })
  const run = (verifier: IndexLinesOptions['verifier']) =>
    collect(verifyIndexLines(unpacked, forged, session.root, now, { known, atOnce: 3, verifier }))
  const here = await run(localVerifier).then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
  const pool = new VerifyPool({ root: session.root.root, keysAt: now }, 2)
  t.after(async () => pool[Symbol.asyncDispose]())
  const there = await run(() => pool.verify).then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
  assert.deepEqual(plain(here), plain(there), 'a thread judges otherwise')
  if ('error' in here) throw here.error
  return here.value
}

/** What is the same whichever thread made it. */
function plain(outcome: { value: readonly IndexLine[] } | { error: unknown }): unknown {
  if ('value' in outcome) return JSON.parse(JSON.stringify(outcome.value))
  const { error } = outcome
  return error instanceof Error && 'code' in error ? [error.code, error.message] : error
}

describe('verifyIndexLines', () => {
  const two = { packages: [{ name: 'app-one' }, { name: 'app-two' }] }

  test('gives the same lines as the index read at once', async (t) => {
    await using registry = await buildRegistry(two)
    const { session, file, entries } = await open(registry)
    const lines = await serve(t, registry, entries)
    const whole = await session.acceptIndex(file)
    const unpacked = session.unpackIndex(file)
    assert.deepEqual(
      JSON.parse(JSON.stringify(lines.map(({ entry }) => entry))),
      JSON.parse(JSON.stringify(whole.entries)),
    )
    const read = await collect(session.readIndexLines(unpacked, { known: NONE, atOnce: 2, verifier: localVerifier }))
    assert.deepEqual(JSON.parse(JSON.stringify(read)), JSON.parse(JSON.stringify(lines)))
    assert.deepEqual(
      lines.map(({ wireDigest }) => wireDigest),
      entries.map((one) => sha256(formatIndexEntry(one))),
    )
  })

  test('does not verify again what is known by its exact bytes, and everything else', async (t) => {
    await using registry = await buildRegistry(two)
    const { entries } = await open(registry)
    const [first, second] = entries
    assert.ok(first && second)
    const digest = sha256(formatIndexEntry(first))
    const known: IndexLinesOptions['known'] = (one) =>
      one === digest ? { name: 'app-one', version: '1.0-1', arch: 'amd64' } : undefined
    const lines = await serve(t, registry, entries, known)
    assert.deepEqual(
      lines.map(({ entry }) => entry?.line.name),
      [undefined, 'app-two'],
    )
    // The same line with another signature is other bytes.
    const { signatures } = await signFile([registry.timestamp], 'publisher', 'line', first.line)
    await assert.rejects(serve(t, registry, [{ ...first, signatures }, second], known), { code: 'SIGNATURE_UNTRUSTED' })
  })

  test('refuses what the index read at once refuses', async (t) => {
    await using registry = await buildRegistry(two)
    const { session, file, entries } = await open(registry)
    const [first, second] = entries
    assert.ok(first && second)
    const swapped = { ...first, line: second.line, transport: second.transport }
    await assert.rejects(serve(t, registry, [swapped]), { code: 'SIGNATURE_INVALID' })
    await assert.rejects(serve(t, registry, [{ ...first, transport: second.transport }]), { code: 'INDEX_INVALID' })
    await assert.rejects(serve(t, registry, [second, first]), { code: 'INDEX_INVALID' })
    await assert.rejects(serve(t, registry, [first, first]), { code: 'INDEX_INVALID' })
    await assert.rejects(serve(t, registry, [first], NONE, 2), { code: 'INDEX_INVALID' })
    assert.throws(() => session.unpackIndex(file.subarray(1)), {
      code: 'DIGEST_MISMATCH',
      message: 'The package index is not what was signed',
    })
    assert.throws(() => session.unpackIndex(Buffer.concat([file, file])), { code: 'SIZE_EXCEEDED' })
  })
})

describe('lines in batches', () => {
  const name = (i: number): string => `app-${String(i).padStart(4, '0')}`
  const textOf = (count: number): string => Array.from({ length: count }, (_, i) => `${name(i)}\n`).join('')
  const named = (text: string) => ({ name: text, version: '1.0-1', arch: 'amd64' as const })

  /** A verifier that takes a line for its name, and what it was asked. */
  function begin(text: string, changes: Partial<IndexLinesOptions> = {}, count = text.split('\n').length - 1) {
    const asked = { countUnknown: -1, batches: [] as number[], running: 0, most: 0 }
    const verifier: IndexLinesOptions['verifier'] = (_root, _keysAt, countUnknown) => {
      asked.countUnknown = countUnknown
      return async (lines) => {
        const names = Buffer.from(lines).toString().trim().split('\n')
        asked.batches.push(names.length)
        asked.most = Math.max(asked.most, ++asked.running)
        await new Promise((resolve) => setImmediate(resolve))
        asked.running--
        return names.map((one) => markVerified({ line: named(one) }) as unknown as Verified<PackageEntry>)
      }
    }
    const envelope = markVerified({ index: { count } } as unknown as Envelope)
    const bytes = markVerified(new Uint8Array(Buffer.from(text)))
    const root = {} as TrustedRoot
    const lines = verifyIndexLines(bytes, envelope, root, new Date(0), { known: NONE, atOnce: 2, verifier, ...changes })
    return { asked, lines }
  }

  test('of 256, as many at once as were asked for, in order', async () => {
    const { asked, lines } = begin(textOf(1024))
    const batches = await Array.fromAsync(lines)
    assert.deepEqual(
      batches.map((one) => one.length),
      [256, 256, 256, 256],
    )
    assert.deepEqual(
      batches.flat().map((one) => one.name),
      Array.from({ length: 1024 }, (_, i) => name(i)),
    )
    assert.deepEqual([asked.countUnknown, asked.most, asked.batches.length], [1024, 2, 4])
  })

  test('are verified but for those that are known, which carry no entry', async () => {
    const known = new Map(Array.from({ length: 300 }, (_, i) => [sha256(name(i)), named(name(i))] as const))
    const { asked, lines } = begin(textOf(400), { known: (digest) => known.get(digest) })
    const read = await collect(lines)
    assert.deepEqual([asked.countUnknown, asked.batches], [100, [100]])
    assert.deepEqual(
      read.map((one) => 'entry' in one),
      Array.from({ length: 400 }, (_, i) => i >= 300),
    )
    assert.deepEqual(
      read.map(({ name: one }) => one),
      Array.from({ length: 400 }, (_, i) => name(i)),
    )
  })

  test('in disorder are told by their place', async () => {
    await assert.rejects(collect(begin(`${name(1)}\n${name(0)}\n`).lines), { message: /out of order at line 2$/ })
    await assert.rejects(collect(begin(`${name(1)}\n${name(1)}\n`).lines), { message: /out of order at line 2$/ })
  })

  test('may not be lost by a verifier, nor become more', async () => {
    const giving = (count: number) => () => async () =>
      Array.from({ length: count }, (_, i) => ({ line: named(name(i)) })) as never[]
    assert.equal((await collect(begin(textOf(2), { verifier: giving(2) }).lines)).length, 2)
    for (const [count, message] of [
      [0, 'a verifier that loses lines'],
      [1, 'a verifier that loses lines'],
      [3, 'a verifier that makes lines up'],
    ] as const) {
      await assert.rejects(collect(begin(textOf(2), { verifier: giving(count) }).lines), { name: 'TypeError', message })
    }
  })

  test('are waited for when the reader stops early', async () => {
    const { asked, lines } = begin(textOf(1024))
    for await (const batch of lines) if (batch !== undefined) break
    assert.equal(asked.running, 0)
  })

  test('end in a newline, are as many as were signed, and an empty one counts', async () => {
    await assert.rejects(collect(begin('a').lines), { code: 'INDEX_INVALID', message: /does not end in a newline/ })
    await assert.rejects(collect(begin('a\nb', {}, 2).lines), { message: /does not end in a newline/ })
    await assert.rejects(collect(begin('\na\n', {}, 1).lines), { message: /has 2 lines where 1 were signed/ })
    await assert.rejects(collect(begin('\n\n', {}, 1).lines), { message: /has 2 lines where 1 were signed/ })
    await assert.rejects(collect(begin('a\nb\n', {}, 3).lines), { message: /has 2 lines where 3 were signed/ })
    assert.deepEqual(await collect(begin('').lines), [])
  })
})
