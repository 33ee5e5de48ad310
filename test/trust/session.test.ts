import assert from 'node:assert/strict'
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { sha256 } from '../../src/model/digest.ts'
import { resignRegistry } from '../../src/publish/registry-resign.ts'
import { rotateRoot } from '../../src/publish/registry-rotate.ts'
import { signEnvelope } from '../../src/publish/registry-version.ts'
import { formatTrustMarks, parseTrustMarks } from '../../src/trust/marks.ts'
import { TrustSession } from '../../src/trust/session.ts'
import { DAY_MS, HOUR_MS } from '../support/fixed-clock.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'
import { testSigner } from '../support/test-keys.ts'

describe('a refresh', () => {
  let registry: TestRegistry
  before(async () => {
    registry = await buildRegistry({
      packages: [{ name: 'app-one' }, { name: 'app-two', manifest: 'depends: [app-one (>= 1.0)]' }],
    })
  })
  after(async () => registry[Symbol.asyncDispose]())

  const now = () => registry.clock.now()

  test('returns the lines of the index in order, with the facts of their manifests', async () => {
    const { index, channels, freshness } = await refresh({ ...registry, now: now() })
    assert.deepEqual(
      index.entries.map(({ line }) => line.name),
      ['app-one', 'app-two'],
    )
    assert.deepEqual(index.entries[1]?.line.depends, ['app-one (>= 1.0)'])
    assert.equal(index.entries[0]?.line.images[0]?.role, 'disk')
    assert.deepEqual(channels.entries, [])
    assert.equal(freshness, 'fresh')
  })

  test('gives marks that survive being stored', async () => {
    const { marks } = await refresh({ ...registry, now: now() })
    assert.deepEqual(parseTrustMarks(formatTrustMarks(marks)), marks)
    assert.equal(marks.envelope?.version, 2)
  })

  test('refuses stored marks that are damaged instead of starting anew', () => {
    assert.throws(() => parseTrustMarks('{"registryId":"'), { code: 'STATE_INVALID' })
    assert.throws(() => parseTrustMarks('{}'), { code: 'STATE_INVALID' })
  })

  test('refuses an expired envelope under a strict policy', async () => {
    const late = new Date(now().getTime() + 15 * DAY_MS)
    await assert.rejects(refresh({ ...registry, now: late }), { code: 'ENVELOPE_EXPIRED' })
  })

  test('accepts an expired envelope within the grace of its source and says so', async () => {
    const late = new Date(now().getTime() + 15 * DAY_MS)
    const policy = { kind: 'grace', graceMs: 7 * DAY_MS } as const
    assert.equal((await refresh({ ...registry, now: late, policy })).freshness, 'grace')
    const tooLate = new Date(now().getTime() + 22 * DAY_MS)
    await assert.rejects(refresh({ ...registry, now: tooLate, policy }), { code: 'ENVELOPE_EXPIRED' })
  })

  test('looks at a snapshot as of its own date', async () => {
    const policy = { kind: 'snapshot', at: now() } as const
    const late = new Date(now().getTime() + 1000 * DAY_MS)
    assert.equal((await refresh({ ...registry, now: late, policy })).freshness, 'fresh')
  })

  test('refuses an expired root file', async () => {
    const late = new Date(now().getTime() + 731 * DAY_MS)
    await assert.rejects(refresh({ ...registry, now: late }), { code: 'ROOT_EXPIRED' })
  })

  test('blames the clock when signatures are from the future', async () => {
    const early = new Date(now().getTime() - HOUR_MS)
    await assert.rejects(refresh({ ...registry, now: early }), { code: 'CLOCK_WRONG' })
  })

  test('refuses an envelope issued in the future', async () => {
    await using other = await buildRegistry()
    const issuedAt = new Date(now().getTime() + HOUR_MS)
    const file = await signEnvelope({ ...other.firstEnvelope, issuedAt }, other.timestamping)
    await writeFile(join(other.folder, 'envelope.json'), file)
    await assert.rejects(refresh({ ...other, now: now() }), { code: 'CLOCK_WRONG', message: /envelope was issued/ })
  })

  test('refuses a clock that stands before what it has seen', async () => {
    const { marks } = await refresh({ ...registry, now: now() })
    const early = new Date(now().getTime() - HOUR_MS)
    await assert.rejects(refresh({ ...registry, now: early, marks }), { code: 'CLOCK_WRONG' })
  })

  test('refuses a root file that is not the pinned one', async () => {
    const pin = { version: 1, sha256: sha256('another') }
    await assert.rejects(refresh({ ...registry, pin, now: now() }), { code: 'SOURCE_CHANGED' })
  })

  test('refuses an envelope older than is known to exist, even with nothing seen before', async () => {
    const rootFile = await readFile(join(registry.folder, 'root/1.json'))
    const file = await readFile(join(registry.folder, 'envelope.json'))
    const options = { pin: registry.pin, policy: { kind: 'strict' }, now: now() } as const
    const session = await TrustSession.open({ ...options, minimumVersion: 3 }, rootFile)
    await assert.rejects(session.acceptEnvelope(file), { code: 'ENVELOPE_ROLLED_BACK' })
    assert.equal(session.marks.envelope, undefined)
    await (await TrustSession.open({ ...options, minimumVersion: 2 }, rootFile)).acceptEnvelope(file)
  })

  test('refuses calls out of order as a mistake of the program', async () => {
    const rootFile = await readFile(join(registry.folder, 'root/1.json'))
    const session = await TrustSession.open({ pin: registry.pin, policy: { kind: 'strict' }, now: now() }, rootFile)
    await assert.rejects(session.acceptIndex(new Uint8Array()), TypeError)
    await assert.rejects(session.acceptChannels(new Uint8Array()), TypeError)
    await session.acceptEnvelope(await readFile(join(registry.folder, 'envelope.json')))
    await assert.rejects(session.acceptRoot(rootFile), TypeError)
    await assert.rejects(session.acceptEnvelope(new Uint8Array()), TypeError)
  })
})

describe('what was seen before', () => {
  let registry: TestRegistry
  before(async () => {
    registry = await buildRegistry()
  })
  after(async () => registry[Symbol.asyncDispose]())

  test('an older envelope is refused, and deleting every cached file does not help', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'vmpkg-old-'))
    try {
      await copyFile(join(registry.folder, 'envelope.json'), join(folder, 'envelope.json'))
      await registry.add({ name: 'app-new' })
      const { marks } = await refresh({ ...registry, now: registry.clock.now() })
      const newer = await readFile(join(registry.folder, 'envelope.json'))
      await copyFile(join(folder, 'envelope.json'), join(registry.folder, 'envelope.json'))
      await assert.rejects(refresh({ ...registry, now: registry.clock.now(), marks }), { code: 'ENVELOPE_ROLLED_BACK' })
      await writeFile(join(registry.folder, 'envelope.json'), newer)
      assert.equal((await refresh({ ...registry, now: registry.clock.now(), marks })).envelope.version, 2)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('another envelope under the same version is refused', async () => {
    const path = join(registry.folder, 'envelope.json')
    const { envelope, marks } = await refresh({ ...registry, now: registry.clock.now() })
    const original = await readFile(path)
    await writeFile(path, await signEnvelope({ ...envelope, message: 'another' }, registry.timestamping))
    await assert.rejects(refresh({ ...registry, now: registry.clock.now(), marks }), { code: 'ENVELOPE_EQUIVOCATED' })
    await writeFile(path, original)
  })
})

describe('a root chain', () => {
  test('of three is walked one at a time, and an interrupted walk continues where it stopped', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const { marks: seen } = await refresh({ ...registry, now: registry.clock.now() })
    const newTimestamp = await testSigner('timestamp-2', registry.clock)
    const newRoots = await Promise.all(['root-d', 'root-e'].map((name) => testSigner(name, registry.clock)))
    const rotation = { folder: registry.folder, promoters: [registry.promoter] }
    await rotateRoot({
      ...rotation,
      setup: registry.setup,
      rootSigners: registry.rootSigners,
      timestamping: registry.timestamping,
    })
    const setup = {
      ...registry.setup,
      root: { certificates: newRoots.map((one) => one.certificate), threshold: 2 },
      timestamp: { certificates: [newTimestamp.certificate] },
    }
    const timestamping = { ...registry.timestamping, signers: [newTimestamp] }
    const rootSigners = [...registry.rootSigners.slice(1), ...newRoots]
    await rotateRoot({ ...rotation, setup, rootSigners, timestamping })

    const session = await TrustSession.open(
      { pin: registry.pin, marks: seen, policy: { kind: 'strict' }, now: registry.clock.now() },
      await readFile(join(registry.folder, 'root/1.json')),
    )
    await session.acceptRoot(await readFile(join(registry.folder, 'root/2.json')))
    const { marks: between } = session
    assert.equal(between.root.version, 2)
    assert.equal(between.envelope?.version, 2, 'the same timestamp key keeps its counter')
    const { marks } = await refresh({ ...registry, now: registry.clock.now(), marks: between })
    assert.equal(marks.root.version, 3)
    assert.equal(marks.envelope?.version, 4)
    assert.equal((await refresh({ ...registry, now: registry.clock.now() })).marks.root.version, 3)
  })

  test('refuses a gap, a fork and a file that the old threshold did not sign', async () => {
    await using registry = await buildRegistry()
    await using other = await buildRegistry()
    await rotateSame(registry)
    await rotateSame(registry)
    await rotateSame(other)
    const open = async () =>
      TrustSession.open(
        { pin: registry.pin, policy: { kind: 'strict' }, now: registry.clock.now() },
        await readFile(join(registry.folder, 'root/1.json')),
      )
    const root3 = await readFile(join(registry.folder, 'root/3.json'))
    await assert.rejects((await open()).acceptRoot(root3), { code: 'ROOT_INVALID' })
    const foreign = await readFile(join(other.folder, 'root/2.json'))
    await assert.rejects((await open()).acceptRoot(foreign), { code: 'ROOT_INVALID' })
  })

  test('begins the version counter anew when the timestamp key is replaced', async () => {
    await using registry = await buildRegistry()
    const first = await refresh({ ...registry, now: registry.clock.now() })
    const farAhead = {
      ...first.marks,
      envelope: { version: 2 ** 53 - 1, sha256: sha256('x'), issuedAt: first.envelope.issuedAt },
    }
    await assert.rejects(refresh({ ...registry, now: registry.clock.now(), marks: farAhead }), {
      code: 'ENVELOPE_ROLLED_BACK',
    })
    const replacement = await testSigner('timestamp-2', registry.clock)
    await rotateRoot({
      ...registry,
      setup: { ...registry.setup, timestamp: { certificates: [replacement.certificate] } },
      promoters: [registry.promoter],
      timestamping: { ...registry.timestamping, signers: [replacement] },
    })
    const { marks } = await refresh({ ...registry, now: registry.clock.now(), marks: farAhead })
    assert.equal(marks.envelope?.version, 2)
  })

  test('that a mirror hides is noticed by the envelope', async () => {
    await using registry = await buildRegistry()
    await rotateRoot({ ...registry, promoters: [registry.promoter] })
    await rm(join(registry.folder, 'root/2.json'))
    await assert.rejects(refresh({ ...registry, now: registry.clock.now() }), { code: 'ENVELOPE_INVALID' })
  })
})

describe('resigning', () => {
  test('does nothing while most of the lifetime is left, then makes the next version', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    assert.equal((await resignRegistry(registry.folder, registry.timestamping)).changed, false)
    registry.clock.advance(8 * DAY_MS)
    assert.equal((await resignRegistry(registry.folder, registry.timestamping)).changed, true)
    assert.equal((await resignRegistry(registry.folder, registry.timestamping)).changed, false)
    const { envelope } = await refresh({ ...registry, now: registry.clock.now() })
    assert.equal(envelope.version, 3)
  })
})

async function rotateSame(registry: TestRegistry): Promise<void> {
  await rotateRoot({ ...registry, promoters: [registry.promoter] })
}
