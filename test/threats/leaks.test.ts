/**
 * N5: what a mirror or the holder of one key can make of a good registry: rollback, freeze, mix and match, keys past their
 * end, and every document signed by every wrong role. Each fixture is refused by its own code, and the store (marks,
 * evidence, catalogue) stays as it was.
 */
import assert from 'node:assert/strict'
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import { type ErrorCode, isVmpkgError } from '../../src/errors.ts'
import type { Envelope, RoleName } from '../../src/model/registry.ts'
import {
  formatChannels,
  formatEnvelope,
  formatRoot,
  formatSignedFile,
  parseSignedFile,
} from '../../src/model/registry-schema.ts'
import { withoutRoots } from '../../src/publish/carried-roots.ts'
import { promotePackage } from '../../src/publish/registry-promote.ts'
import { makeRoot } from '../../src/publish/registry-root.ts'
import { rotateRoot } from '../../src/publish/registry-rotate.ts'
import { readRegistry } from '../../src/publish/registry-state.ts'
import { signEnvelope, writeIndex, writeNamed } from '../../src/publish/registry-version.ts'
import { type Signer, signFile } from '../../src/publish/signer.ts'
import type { PayloadType } from '../../src/trust/pae.ts'
import { DAY_MS, HOUR_MS } from '../support/fixed-clock.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { makeTestHost, type TestHost } from '../support/test-host.ts'
import { testSigner } from '../support/test-keys.ts'
import { threatCase } from '../support/threat-case.ts'

interface Scene {
  readonly registry: TestRegistry
  readonly host: TestHost
  /** Versions 2 to 5 of the registry as folders; version 5 is in `registry.folder` and was seen by the host. */
  readonly older: ReadonlyMap<number, string>
}

interface Fixture {
  readonly name: string
  /** Any of them: where a fixture runs into the first of two checks. */
  readonly codes: readonly ErrorCode[]
  readonly prepare: (scene: Scene) => Promise<void>
}

const envelopeOf = (folder: string) => join(folder, 'envelope.json')

const ROLLBACK: readonly Fixture[] = [
  ...[2, 3, 4].map(
    (version): Fixture => ({
      name: `the envelope of version ${version}`,
      codes: ['ENVELOPE_ROLLED_BACK'],
      prepare: async ({ registry, older }) => writeFile(envelopeOf(registry.folder), await envelopeAt(older, version)),
    }),
  ),
  ...[2, 3, 4].map(
    (version): Fixture => ({
      name: `the whole registry of version ${version}`,
      codes: ['ENVELOPE_ROLLED_BACK'],
      prepare: async ({ registry, older }) => replaceFolder(registry.folder, older.get(version) ?? ''),
    }),
  ),
  {
    name: 'an old version signed anew by the timestamp key',
    codes: ['ENVELOPE_ROLLED_BACK'],
    prepare: (scene) => publishAs(scene, { version: 3, previous: { version: 2, sha256: scene.registry.pin.sha256 } }),
  },
  {
    name: 'old content under the number that was seen',
    codes: ['ENVELOPE_EQUIVOCATED'],
    prepare: async (scene) =>
      publishAs(scene, { index: (await readRegistry(scene.older.get(3) ?? '')).envelope.index }),
  },
  {
    name: 'old channels in a new version',
    codes: ['CHANNELS_ROLLED_BACK'],
    prepare: async (scene) =>
      publishNext(scene, { channels: (await readRegistry(scene.older.get(3) ?? '')).envelope.channels }),
  },
]

const FREEZE: readonly Fixture[] = [
  ...[0, 1, 1000, HOUR_MS, DAY_MS, 13 * DAY_MS, 400 * DAY_MS].map(
    (late): Fixture => ({
      name: `the same envelope ${late} ms after its end`,
      codes: ['ENVELOPE_EXPIRED'],
      prepare: ({ registry }) => {
        registry.clock.advance(14 * DAY_MS + late)
        return Promise.resolve()
      },
    }),
  ),
  {
    name: 'a root file past its end',
    codes: ['ROOT_EXPIRED'],
    prepare: ({ registry }) => {
      registry.clock.advance(731 * DAY_MS)
      return Promise.resolve()
    },
  },
  {
    name: 'a hidden root file',
    codes: ['ENVELOPE_INVALID'],
    prepare: async ({ registry }) => {
      await rotateRoot({ ...registry, promoters: [registry.promoter] })
      await rm(join(registry.folder, 'root/2.json'))
      const envelope = join(registry.folder, 'envelope.json')
      await writeFile(envelope, withoutRoots(await readFile(envelope)))
    },
  },
]

const MIX: readonly Fixture[] = [
  {
    name: 'the index of an older version under the name of the new one',
    codes: ['DIGEST_MISMATCH', 'SIZE_EXCEEDED', 'DOWNLOAD_FAILED'],
    prepare: (scene) => swapFile(scene, 'index', '.jsonl.zst'),
  },
  {
    name: 'channels of an older version under the name of the new ones',
    codes: ['DIGEST_MISMATCH', 'SIZE_EXCEEDED', 'DOWNLOAD_FAILED'],
    prepare: (scene) => swapFile(scene, 'channels', '.json'),
  },
  {
    name: 'the envelope of another registry by the same keys',
    codes: ['SOURCE_CHANGED'],
    prepare: async ({ registry }) => {
      await using other = await buildRegistry({ clock: registry.clock })
      await writeFile(envelopeOf(registry.folder), await readFile(envelopeOf(other.folder)))
    },
  },
  {
    name: 'an index that names lines of another size',
    codes: ['INDEX_INVALID'],
    prepare: async (scene) => {
      const { index } = await nextWith(scene, 'app-new')
      await publishNext(scene, { index: { ...index, unpackedSize: index.unpackedSize - 1 } })
    },
  },
  {
    name: 'an index with another number of lines than was signed',
    codes: ['INDEX_INVALID'],
    prepare: async (scene) => {
      const { index } = await nextWith(scene, 'app-new')
      await publishNext(scene, { index: { ...index, count: index.count + 1 } })
    },
  },
]

/** Of every role a key that ends 60 days after it was made, which is long past. */
const EXPIRY: readonly Fixture[] = (['timestamp', 'promoter', 'publisher', 'root'] as const).flatMap((role) =>
  [0, 30].map(
    (days): Fixture => ({
      name: `a ${role} key that ended ${days} days ago`,
      codes: ['KEY_EXPIRED'],
      prepare: async (scene) => useExpiredKey(scene, role, days),
    }),
  ),
)

type DocumentType = Exclude<PayloadType, 'submission'>
const RIGHT_ROLE = { envelope: 'timestamp', channels: 'promoter', line: 'publisher', root: 'root' } as const

const WRONG_ROLE: readonly Fixture[] = (['envelope', 'channels', 'line', 'root'] as const).flatMap((type) =>
  (['root', 'timestamp', 'promoter', 'publisher'] as const)
    .filter((role) => role !== RIGHT_ROLE[type])
    .flatMap((role) =>
      [role, RIGHT_ROLE[type]].map(
        (claimed): Fixture => ({
          name: `${type} signed by ${role} as ${claimed}`,
          codes: ['SIGNATURE_UNTRUSTED'],
          prepare: (scene) => signByWrongRole(scene, type, role, claimed),
        }),
      ),
    ),
)

const GROUPS = [ROLLBACK, FREEZE, MIX, EXPIRY, WRONG_ROLE]

test('there are at least 40 fixtures, each with a name of its own', () => {
  const names = GROUPS.flat().map(({ name }) => name)
  assert.ok(names.length >= 40, `${names.length}`)
  assert.equal(new Set(names).size, names.length)
})

const NO_ROOT_CHECK = {
  file: 'src/trust/envelope.ts',
  find: `envelope.root.version !== root.version ||
    envelope.root.sha256 !== file.sha256 ||
    envelope.root.size !== file.size`,
  replace: 'false',
}
const ALL_GOOD = { file: 'src/trust/roles.ts', find: ' && role.keys.includes(one.fingerprint)', replace: '' }

threatCase({
  id: 'N5',
  title: `rollback, ${ROLLBACK.length} ways`,
  attack: (t) => attackWith(t, ROLLBACK),
  controls: [
    { file: 'src/trust/envelope.ts', find: 'verifyNotOlder(envelope, payloadDigest, marks)', replace: '' },
    { file: 'src/trust/channels.ts', find: 'if (isOlder || isOther)', replace: 'if (isOther)' },
  ],
})

threatCase({
  id: 'N5',
  title: `freeze, ${FREEZE.length} ways`,
  attack: (t) => attackWith(t, FREEZE),
  controls: [
    { file: 'src/trust/freshness.ts', find: 'now.getTime() < expiresAt.getTime() + graceMs', replace: 'graceMs >= 0' },
    NO_ROOT_CHECK,
  ],
})

threatCase({
  id: 'N5',
  title: `mix and match, ${MIX.length} ways`,
  attack: (t) => attackWith(t, MIX),
  controls: [
    { file: 'src/trust/envelope.ts', find: 'envelope.registryId !== root.registryId', replace: 'false' },
    { file: 'src/trust/index-lines.ts', find: 'if (count !== envelope.index.count)', replace: 'if (false)' },
  ],
})

threatCase({
  id: 'N5',
  title: `keys past their end, ${EXPIRY.length} ways`,
  attack: (t) => attackWith(t, EXPIRY),
  controls: [{ file: 'src/trust/certificate.ts', find: 'await refuseExpired(certificate, signer, now)', replace: '' }],
})

threatCase({
  id: 'N5',
  title: `wrong roles, ${WRONG_ROLE.length} ways`,
  attack: (t) => attackWith(t, WRONG_ROLE),
  controls: [ALL_GOOD],
})

/** One registry for all fixtures; each begins with a copy of it and of the host. */
async function attackWith(t: TestContext, fixtures: readonly Fixture[]): Promise<void> {
  await using registry = await buildRegistry()
  const host = await makeTestHost(t, registry.clock)
  const work = await makeTempFolder(t)
  const older = new Map<number, string>()
  const keep = async (version: number) => {
    const folder = join(work, String(version))
    await cp(registry.folder, folder, { recursive: true })
    older.set(version, folder)
  }
  await registry.add({ name: 'app-one' })
  await keep(2)
  await registry.add({ name: 'app-two' })
  await keep(3)
  const entry = { name: 'app-one', version: '1.0-1', arch: 'amd64', channel: 'testing' } as const
  await promotePackage({ ...registry, entry, promoters: [registry.promoter] })
  await keep(4)
  await registry.add({ name: 'app-three' })
  await keep(5)
  await host.add('example', registry.folder)
  await host.update()
  const [clean, started] = [join(work, 'host'), registry.clock.now()]
  await cp(host.root, clean, { recursive: true })
  for (const { name, codes, prepare } of fixtures) {
    registry.clock.set(started)
    await replaceFolder(registry.folder, older.get(5) ?? '')
    await replaceFolder(host.root, clean)
    await prepare({ registry, host, older })
    const before = await storeOf(host)
    const failure: unknown = await host.update().then(
      () => undefined,
      (error: unknown) => error,
    )
    assert.ok(isVmpkgError(failure), `${name}: not refused but ${String(failure)}`)
    assert.ok(codes.includes(failure.code), `${name}: ${failure.code}, ${failure.message}`)
    const after = await storeOf(host)
    assert.deepEqual(after.packages, before.packages, name)
    assert.equal(after.evidence, failure.code === 'ENVELOPE_EQUIVOCATED' ? 2 : 0, name)
    assert.ok(after.root >= before.root, name)
    if (after.root === before.root) assert.ok(after.envelope >= before.envelope, name)
  }
}

/** The list that is in use, and how far the marks have risen. */
async function storeOf(host: TestHost) {
  return host.run((workspace) => {
    const number = (sql: string) => Number(Object.values(workspace.trust.prepare(sql).get() ?? {})[0])
    const catalogue = new DatabaseSync(workspace.paths.catalogueDatabase, { readOnly: true })
    try {
      return {
        packages: catalogue.prepare('SELECT name, version, channel FROM packages ORDER BY name, version').all(),
        evidence: number('SELECT count(*) FROM evidence'),
        root: number("SELECT marks ->> '$.root.version' FROM seen"),
        envelope: number("SELECT coalesce(marks ->> '$.envelope.version', 0) FROM seen"),
      }
    } finally {
      catalogue.close()
    }
  })
}

async function envelopeAt(older: Scene['older'], version: number): Promise<Uint8Array> {
  return readFile(envelopeOf(older.get(version) ?? ''))
}

async function replaceFolder(folder: string, other: string): Promise<void> {
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true })
  await cp(other, folder, { recursive: true })
}

/** An envelope that the timestamp key signs without asking whether it holds. */
async function publishAs(
  { registry }: Scene,
  change: Partial<Envelope>,
  signers = [registry.timestamp],
): Promise<void> {
  const { envelope } = await readRegistry(registry.folder)
  const file = await signEnvelope({ ...envelope, ...change }, { ...registry.timestamping, signers })
  await writeFile(envelopeOf(registry.folder), file)
}

async function publishNext(scene: Scene, change: Partial<Envelope>): Promise<void> {
  const { envelope, envelopeDigest } = await readRegistry(scene.registry.folder)
  const previous = { version: envelope.version, sha256: envelopeDigest }
  await publishAs(scene, { ...change, version: envelope.version + 1, previous })
}

async function nextWith({ registry, host }: Scene, name: string): Promise<Envelope> {
  const copy = join(host.root, 'next')
  await cp(registry.folder, copy, { recursive: true })
  await registry.add({ name })
  const { envelope } = await readRegistry(registry.folder)
  await writeFile(envelopeOf(registry.folder), await readFile(envelopeOf(copy)))
  return envelope
}

async function swapFile(scene: Scene, kind: 'index' | 'channels', suffix: string): Promise<void> {
  const { registry, older } = scene
  const before = (await readRegistry(older.get(3) ?? '')).envelope[kind].sha256
  const entry = { name: 'app-two', version: '1.0-1', arch: 'amd64', channel: 'stable', yanked: 'gone' } as const
  await registry.add({ name: 'app-new' })
  const envelope = await promotePackage({ ...registry, entry, promoters: [registry.promoter] })
  const path = (digest: string) => join(registry.folder, kind, `${digest}${suffix}`)
  await writeFile(path(envelope[kind].sha256), await readFile(path(before)))
}

/** A registry in which one role has such a key, published while the key was good. */
async function useExpiredKey({ registry }: Scene, role: RoleName, days: number): Promise<void> {
  const end = new Date('2026-01-01T00:00:00Z').getTime() + 200 * DAY_MS
  const short = await testSigner(`short ${role}`, registry.clock, 200)
  const more = role === 'root' ? await testSigner(`short too`, registry.clock, 200) : short
  const own = role === 'root' ? [short, more] : [short]
  const changed = { certificates: own.map((one) => one.certificate), threshold: own.length }
  const setup =
    role === 'publisher'
      ? { ...registry.setup, publishers: [{ ...changed, patterns: ['*'] }] }
      : { ...registry.setup, [role]: changed }
  const lifetimeDays = 700
  const timestamping = {
    ...registry.timestamping,
    lifetimeDays,
    ...(role === 'timestamp' ? { signers: [short] } : {}),
  }
  const entries = role === 'publisher' ? await resignLines(registry, short) : undefined
  if (entries !== undefined) await publishIndexUnchecked(registry, entries)
  registry.clock.advance(HOUR_MS)
  const promoters = role === 'promoter' ? [short] : [registry.promoter]
  await rotateRoot({ ...registry, setup, rootSigners: [...registry.rootSigners, ...own], promoters, timestamping })
  registry.clock.set(new Date(end + days * DAY_MS))
}

async function resignLines(registry: TestRegistry, signer: Signer) {
  const { entries } = await readRegistry(registry.folder)
  return Promise.all(
    entries.map(async (entry) => ({ ...entry, ...(await signFile([signer], 'publisher', 'line', entry.line)) })),
  ).then((all) => all.map(({ line, signatures, transport }) => ({ line, signatures, transport })))
}

async function publishIndexUnchecked(registry: TestRegistry, entries: Awaited<ReturnType<typeof resignLines>>) {
  const index = await writeIndex(registry.folder, entries)
  const { envelope, envelopeDigest } = await readRegistry(registry.folder)
  const previous = { version: envelope.version, sha256: envelopeDigest }
  const next = { ...envelope, index, version: envelope.version + 1, previous }
  await writeFile(envelopeOf(registry.folder), await signEnvelope(next, registry.timestamping))
}

async function signByWrongRole(scene: Scene, type: DocumentType, role: RoleName, claimed: RoleName): Promise<void> {
  const { registry } = scene
  const { folder } = registry
  const [first, second] = registry.rootSigners
  assert.ok(first && second)
  const signers = {
    root: [first, second],
    timestamp: [registry.timestamp],
    promoter: [registry.promoter],
    publisher: [registry.publisher],
  }[role]
  const sign = async (payload: Uint8Array) => formatSignedFile(await signFile(signers, claimed, type, payload))
  const state = await readRegistry(folder)
  if (type === 'envelope') {
    const next = { ...state.envelope, version: state.envelope.version + 1 }
    const previous = { version: state.envelope.version, sha256: state.envelopeDigest }
    await writeFile(envelopeOf(folder), await sign(formatEnvelope({ ...next, previous })))
  } else if (type === 'channels') {
    const version = state.channels.version + 1
    const file = await sign(formatChannels({ ...state.channels, version }))
    await publishNext(scene, { channels: { ...(await writeNamed(folder, 'channels', file)), version } })
  } else if (type === 'line') {
    const entries = await Promise.all(
      state.entries.map(async (entry) => ({ ...entry, ...parseSigned(await sign(entry.line)) })),
    )
    await publishNext(scene, { index: await writeIndex(folder, entries) })
  } else {
    const next = makeRoot(registry.setup, state.root.registryId, 2, registry.clock)
    await writeFile(join(folder, 'root/2.json'), await sign(formatRoot(next)))
  }
}

function parseSigned(file: Uint8Array) {
  const { signatures } = parseSignedFile(file, 'INDEX_INVALID', 'The line', 65536)
  return { signatures }
}
