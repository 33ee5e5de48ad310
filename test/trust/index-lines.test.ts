import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { zstdDecompressSync } from 'node:zlib'
import { VerifyPool } from '../../src/catalogue/verify-pool.ts'
import { sha256 } from '../../src/model/digest.ts'
import type { IndexEntry } from '../../src/model/registry.ts'
import { formatIndexEntry, parseIndexEntry } from '../../src/model/registry-schema.ts'
import { signFile } from '../../src/publish/signer.ts'
import { type IndexLine, type IndexLinesOptions, localVerifier, verifyIndexLines } from '../../src/trust/index-lines.ts'
import { TrustSession } from '../../src/trust/session.ts'
import { markVerified } from '../../src/trust/verified.ts'
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
    assert.throws(() => session.unpackIndex(file.subarray(1)), { code: 'DIGEST_MISMATCH' })
    assert.throws(() => session.unpackIndex(Buffer.concat([file, file])), { code: 'SIZE_EXCEEDED' })
  })
})
