import assert from 'node:assert/strict'
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { sha256 } from '../../src/model/digest.ts'
import { carryRoots, withoutRoots } from '../../src/publish/carried-roots.ts'
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
    const envelope = join(registry.folder, 'envelope.json')
    await writeFile(envelope, withoutRoots(await readFile(envelope)))
    await assert.rejects(refresh({ ...registry, now: registry.clock.now() }), { code: 'ENVELOPE_INVALID' })
  })
})

describe('root files that an envelope carries', () => {
  test('are walked from where the chain stands, each of them told, and only before the envelope', async () => {
    await using registry = await buildRegistry()
    const read = async (path: string) => readFile(join(registry.folder, path))
    const first = await read('root/1.json')
    for (let i = 0; i < 3; i++) await rotateRoot({ ...registry, promoters: [] })
    const roots = await Promise.all(
      [2, 3, 4].map(async (version) => ({ version, file: await read(`root/${version}.json`) })),
    )
    const envelope = carryRoots(await read('envelope.json'), roots)
    const options = { pin: registry.pin, policy: { kind: 'strict' }, now: registry.clock.now() } as const
    const session = await TrustSession.open(options, first)
    await session.acceptRoot(roots[0]?.file ?? first)
    const told: number[] = []
    await session.acceptCarriedRoots(envelope, () => told.push(session.root.root.version))
    assert.deepEqual([told, session.marks.root.version], [[3, 4], 4])
    await session.acceptCarriedRoots(envelope, () => assert.fail('nothing is left'))
    await session.acceptEnvelope(envelope)
    await assert.rejects(session.acceptCarriedRoots(carryRoots(envelope, [{ version: 5, file: first }])), TypeError)
  })

  test('do not help where one between is missing, and a bad one leaves the session where it was', async () => {
    await using registry = await buildRegistry()
    const first = await readFile(join(registry.folder, 'root/1.json'))
    for (let i = 0; i < 2; i++) await rotateRoot({ ...registry, promoters: [] })
    const envelope = await readFile(join(registry.folder, 'envelope.json')) // carries root file 3
    const options = { pin: registry.pin, policy: { kind: 'strict' }, now: registry.clock.now() } as const
    const session = await TrustSession.open(options, first)
    await session.acceptCarriedRoots(envelope)
    assert.equal(session.marks.root.version, 1)
    await assert.rejects(session.acceptEnvelope(envelope), { code: 'ENVELOPE_INVALID' })
    await assert.rejects(session.acceptCarriedRoots(carryRoots(envelope, [{ version: 2, file: first }])), {
      code: 'ROOT_INVALID',
    })
    assert.equal(session.marks.root.version, 1)
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

describe('a session', () => {
  let registry: TestRegistry
  let rootFile: Buffer
  before(async () => {
    registry = await buildRegistry()
    await rotateSame(registry)
    rootFile = await readFile(join(registry.folder, 'root/1.json'))
  })
  after(async () => registry[Symbol.asyncDispose]())

  const open = async (changes: Partial<Parameters<typeof TrustSession.open>[0]> = {}) =>
    TrustSession.open(
      { pin: registry.pin, policy: { kind: 'strict' }, now: registry.clock.now(), ...changes },
      rootFile,
    )
  const walk = async (session: TrustSession): Promise<TrustSession> => {
    await session.acceptRoot(await readFile(join(registry.folder, 'root/2.json')))
    return session
  }
  const envelopeFile = () => readFile(join(registry.folder, 'envelope.json'))
  const later = (ms: number): Date => new Date(registry.clock.now().getTime() + ms)

  test('is forked with what it has seen, and goes its own way', async () => {
    const session = await walk(await open())
    const fork = session.fork()
    assert.deepEqual(fork.marks, session.marks)
    assert.equal(fork.root.root.version, 2)
    await fork.acceptEnvelope(await envelopeFile())
    assert.equal(session.marks.envelope, undefined)
    assert.throws(() => fork.fork(), TypeError)
    await session.acceptEnvelope(await envelopeFile())
  })

  test('has not caught up before the root file of earlier marks, and accepts no other in its place', async () => {
    const session = await open()
    assert.equal(session.isCaughtUp, true)
    const earlier = (await walk(session)).marks
    const again = await open({ earlier })
    assert.equal(again.isCaughtUp, false)
    await assert.rejects(again.acceptEnvelope(await envelopeFile()), {
      code: 'ENVELOPE_ROLLED_BACK',
      message: 'The registry ends at root file 1; 2 was seen before',
    })
    assert.equal((await walk(again)).isCaughtUp, true)
    await again.acceptEnvelope(await envelopeFile())
    const other = { ...earlier, root: { version: 2, sha256: sha256('other') } }
    await assert.rejects(walk(await open({ earlier: other })), { code: 'SOURCE_CHANGED', message: /^Root file 2/ })
    await assert.rejects(open({ earlier: { ...earlier, root: { version: 1, sha256: sha256('other') } } }), {
      code: 'SOURCE_CHANGED',
      message: /^Root file 1/,
    })
  })

  test('begins where its own marks are, which were made with the earlier ones in view', async () => {
    const { marks } = await walk(await open())
    const file = await readFile(join(registry.folder, 'root/2.json'))
    const earlier = { ...marks, root: { version: 2, sha256: sha256('other') } }
    const options = { pin: registry.pin, policy: { kind: 'strict' }, now: registry.clock.now() } as const
    const session = await TrustSession.open({ ...options, marks, earlier }, file)
    assert.deepEqual([session.root.root.version, session.isCaughtUp], [2, true])
    await session.acceptEnvelope(await envelopeFile())
    await assert.rejects(open({ marks }), { code: 'SOURCE_CHANGED', message: /^Root file 2 is not the one/ })
  })

  test('walks as many root files in one go as it may, its forks included', async () => {
    const tooMany = { code: 'ROOT_INVALID', message: 'The registry offers more than 1 root files in one go' }
    const session = await walk(await open({ maxRootSteps: 1 }))
    await assert.rejects(walk(session), tooMany)
    await assert.rejects(walk(session.fork()), tooMany)
    const patient = await walk(await open({ maxRootSteps: 2 }))
    await assert.rejects(walk(patient), { message: /does not follow root file 2$/ })
  })

  test('remembers no document that it has not seen, and in a fork where the chain has come to', async () => {
    const session = await walk(await open())
    const { registryId, version } = session.root.root
    const marks = { registryId, root: { version, sha256: session.root.file.sha256 } }
    assert.deepEqual(session.marks, marks)
    const seen = { ...marks, root: registry.pin, channels: { version: 1, sha256: sha256('channels') } }
    assert.deepEqual((await walk(await open({ marks: seen }))).fork().marks, { ...seen, root: marks.root })
  })

  test('keeps the counter of earlier marks, which began anew before them', async () => {
    await using own = await buildRegistry()
    const replacement = await testSigner('timestamp-2', own.clock)
    await rotateRoot({
      ...own,
      setup: { ...own.setup, timestamp: { certificates: [replacement.certificate] } },
      promoters: [own.promoter],
      timestamping: { ...own.timestamping, signers: [replacement] },
    })
    const { marks: earlier } = await refresh({ ...own, now: own.clock.now() })
    const session = await TrustSession.open(
      { pin: own.pin, policy: { kind: 'strict' }, now: own.clock.now(), earlier },
      await readFile(join(own.folder, 'root/1.json')),
    )
    await session.acceptRoot(await readFile(join(own.folder, 'root/2.json')))
    assert.deepEqual(session.marks, earlier)
  })

  test('asks for its documents in order, and takes no envelope older than is known to exist', async () => {
    const session = await walk(await open({ minimumVersion: 2 }))
    await assert.rejects(session.acceptIndex(new Uint8Array()), TypeError)
    await assert.rejects(session.acceptChannels(new Uint8Array()), TypeError)
    assert.throws(() => session.unpackIndex(new Uint8Array()), {
      name: 'TypeError',
      message: 'the envelope comes first',
    })
    await session.acceptEnvelope(await envelopeFile())
    await assert.rejects(session.acceptEnvelope(await envelopeFile()), TypeError)
    await assert.rejects(walk(session), TypeError)
    await assert.rejects((await walk(await open({ minimumVersion: 3 }))).acceptEnvelope(await envelopeFile()), {
      code: 'ENVELOPE_ROLLED_BACK',
      message: 'The registry offers version 2; at least 3 is known to exist',
    })
  })

  test('is of the registry that was seen before', async () => {
    const { marks } = await open()
    const foreign = { ...marks, registryId: 'f'.repeat(32) }
    for (const seen of [{ marks: foreign }, { earlier: foreign }]) {
      await assert.rejects(open(seen), { code: 'SOURCE_CHANGED', message: /another one than was seen/ })
    }
  })

  test('believes no clock that stands before what any registry has signed, but for a snapshot', async () => {
    const newestSeen = later(DAY_MS)
    await assert.rejects(open({ newestSeen }), { code: 'CLOCK_WRONG' })
    await open({ newestSeen, policy: { kind: 'snapshot', at: registry.clock.now() } })
  })

  test('takes the snapshot that was asked for, as of its own date, and no other', async () => {
    const file = await envelopeFile()
    const { envelope } = await (await walk(await open())).acceptEnvelope(file)
    const at = envelope.issuedAt
    const asOf = async (date: Date) =>
      (await walk(await open({ now: later(1000 * DAY_MS), policy: { kind: 'snapshot', at: date } }))).acceptEnvelope(
        file,
      )
    assert.equal((await asOf(at)).freshness, 'fresh')
    await assert.rejects(asOf(new Date(at.getTime() + 1000)), {
      code: 'ENVELOPE_INVALID',
      message: /^The snapshot is one/,
    })
  })

  test('says that it lives on grace when only the root file does', async () => {
    const late = later(731 * DAY_MS)
    const { firstEnvelope, timestamping } = registry
    const { envelope } = await (await walk(await open())).acceptEnvelope(await envelopeFile())
    assert.equal(firstEnvelope.registryId, envelope.registryId)
    const fresh = { ...envelope, issuedAt: late, expiresAt: new Date(late.getTime() + DAY_MS) }
    const signers = await Promise.all(
      timestamping.signers.map(async () => testSigner('timestamp', { now: () => late })),
    )
    const file = await signEnvelope(fresh, { ...timestamping, signers })
    const policy = { kind: 'grace', graceMs: 30 * DAY_MS } as const
    const session = await walk(await open({ now: late, policy }))
    assert.equal((await session.acceptEnvelope(file)).freshness, 'grace')
    await assert.rejects((await walk(await open({ now: late }))).acceptEnvelope(file), { code: 'ROOT_EXPIRED' })
  })

  test('accepts the channels and remembers them until the promoter is another', async () => {
    await using own = await buildRegistry()
    const read = (path: string) => readFile(join(own.folder, path))
    const options = { pin: own.pin, policy: { kind: 'strict' }, now: own.clock.now() } as const
    const session = await TrustSession.open(options, await read('root/1.json'))
    const { envelope } = await session.acceptEnvelope(await read('envelope.json'))
    await session.acceptChannels(await read(`channels/${envelope.channels.sha256}.json`))
    const { marks } = session
    assert.deepEqual(marks.channels, { version: envelope.channels.version, sha256: envelope.channels.sha256 })
    await rotateSame(own)
    const promoter = await testSigner('promoter-2', own.clock)
    await rotateRoot({
      ...own,
      setup: { ...own.setup, promoter: { certificates: [promoter.certificate] } },
      promoters: [promoter],
    })
    const next = await TrustSession.open({ ...options, marks }, await read('root/1.json'))
    await next.acceptRoot(await read('root/2.json'))
    assert.deepEqual(next.marks.channels, marks.channels)
    await next.acceptRoot(await read('root/3.json'))
    assert.equal(next.marks.channels, undefined)
    assert.deepEqual(next.marks.envelope, marks.envelope)
  })
})
