/** Publishers who race, forget, err or are broken into (docs/threats.md, P), and scripts for the host (A15). */
import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readArchive } from '../../src/archive/read.ts'
import { packImage } from '../../src/image/pack-image.ts'
import { sha256 } from '../../src/model/digest.ts'
import { formatChannels, formatRoot, formatSignedFile } from '../../src/model/registry-schema.ts'
import { systemHttp } from '../../src/node/http.ts'
import { addPackages } from '../../src/publish/registry-add.ts'
import { writeImmutable } from '../../src/publish/registry-folder.ts'
import { mergeSubmissions } from '../../src/publish/registry-merge.ts'
import { resignRegistry } from '../../src/publish/registry-resign.ts'
import { makeRoot } from '../../src/publish/registry-root.ts'
import { publishRoot } from '../../src/publish/registry-rotate.ts'
import { readRegistry } from '../../src/publish/registry-state.ts'
import { verifyRegistry } from '../../src/publish/registry-verify.ts'
import { type Signer, signFile } from '../../src/publish/signer.ts'
import { DAY_MS } from '../support/fixed-clock.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'
import { digestOf, hostileArchive, manifestEntry } from '../support/test-archive.ts'
import { refused, threatCase } from '../support/threat-case.ts'

/** Put together here, so that no scanner of this repository takes the test for a key. */
const SECRET = ['PRIVATE', 'KEY'].join(' ')
/** Long enough for a publisher that nothing holds back. */
const PUBLISHING_MS = 3000

/** A timestamp key that lets something happen at the moment of signing: state has been read, nothing written. */
function interruptedSigner(signer: Signer, meanwhile: () => Promise<void>): Signer {
  let isFirst = true
  return {
    ...signer,
    sign: async (...args) => {
      if (isFirst) await meanwhile()
      isFirst = false
      return signer.sign(...args)
    },
  }
}

async function submit(registry: TestRegistry, name: string) {
  const { folder, publisher } = registry
  return addPackages({ folder, packages: [await registry.build({ name })], publishers: [publisher], pack: packImage })
}

async function namesOf(registry: TestRegistry): Promise<readonly string[]> {
  const { index } = await refresh({ ...registry, now: registry.clock.now() })
  return index.entries.map(({ line }) => line.name)
}

threatCase({
  id: 'P01',
  title: 'of two publishers at once the loser rebases, and no package is lost',
  attack: async () => {
    await using registry = await buildRegistry()
    let other: Promise<unknown> = Promise.resolve()
    const timestamp = interruptedSigner(registry.timestamp, async () => {
      other = registry.add({ name: 'app-other' })
      await Promise.race([other, sleep(PUBLISHING_MS)])
    })
    await addPackages({
      folder: registry.folder,
      packages: [await registry.build({ name: 'app-first' })],
      publishers: [registry.publisher],
      pack: packImage,
      timestamping: { ...registry.timestamping, signers: [timestamp] },
    })
    await other
    assert.deepEqual(await namesOf(registry), ['app-first', 'app-other'])
  },
  controls: [
    [
      { file: 'src/publish/registry-lock.ts', find: "database.exec('BEGIN EXCLUSIVE')", replace: '' },
      { file: 'src/publish/registry-version.ts', find: 'await verifyUnchanged(state)', replace: '' },
    ],
  ],
})

threatCase({
  id: 'P01',
  title: 'a publisher who took no lock does not lose his version to one who did',
  attack: async () => {
    await using registry = await buildRegistry()
    const { folder } = registry
    const old = await readFile(join(folder, 'envelope.json'))
    await registry.add({ name: 'app-other' })
    const theirs = await readFile(join(folder, 'envelope.json'))
    await writeFile(join(folder, 'envelope.json'), old)
    const timestamp = interruptedSigner(registry.timestamp, async () =>
      writeFile(join(folder, 'envelope.json'), theirs),
    )
    const packages = [await registry.build({ name: 'app-first' })]
    const add = async () =>
      addPackages({
        folder,
        packages,
        publishers: [registry.publisher],
        pack: packImage,
        timestamping: { ...registry.timestamping, signers: [timestamp] },
      })
    await refused('REGISTRY_CHANGED', add)
    await add()
    assert.deepEqual(await namesOf(registry), ['app-first', 'app-other'])
  },
  controls: [{ file: 'src/publish/registry-version.ts', find: 'await verifyUnchanged(state)', replace: '' }],
})

threatCase({
  id: 'P02',
  title: 'a version that is published does not get other content, by publishing or by merging',
  attack: async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const changed = { name: 'app-one', files: { 'README.md': 'other content' } }
    const before = await readFile(join(registry.folder, 'envelope.json'))
    await refused('PACKAGE_EXISTS', () => registry.add(changed))
    const { folder, publisher } = registry
    await addPackages({ folder, packages: [await registry.build(changed)], publishers: [publisher], pack: packImage })
    const { refused: left } = await mergeSubmissions(folder, registry.timestamping)
    assert.deepEqual(
      left.map(({ error }) => error.code),
      ['PACKAGE_EXISTS'],
    )
    assert.deepEqual(await readFile(join(folder, 'envelope.json')), before)
  },
  controls: [
    { file: 'src/publish/registry-add.ts', find: 'Buffer.compare(same.bytes, entry.line) !== 0', replace: 'false' },
  ],
})

threatCase({
  id: 'P03',
  title: "a CI machine's publisher key adds packages of its names and of no others",
  attack: async () => {
    await using registry = await buildRegistry({ patterns: ['app-*'] })
    await submit(registry, 'app-fine')
    await submit(registry, 'router-uni')
    const { merged, refused: left } = await mergeSubmissions(registry.folder, registry.timestamping)
    assert.equal(merged.length, 1)
    assert.deepEqual(
      left.map(({ error }) => error.code),
      ['SIGNATURE_UNTRUSTED'],
    )
    await refused('SIGNATURE_UNTRUSTED', () => registry.add({ name: 'router-gal' }))
    assert.deepEqual(await namesOf(registry), ['app-fine'])
  },
  controls: [
    {
      file: 'src/trust/package-entry.ts',
      find: 'patterns.some((one) => matchesNamePattern(one, line.name)),',
      replace: 'patterns.length > 0 || matchesNamePattern("*", line.name),',
    },
  ],
})

threatCase({
  id: 'P03',
  title: "a CI machine's publisher key promotes and yanks nothing",
  attack: async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const { folder, publisher } = registry
    const { root } = await readRegistry(folder)
    const entry = { name: 'app-one', version: '1.0-1', arch: 'amd64', channel: 'stable', yanked: 'by CI' } as const
    const payload = formatChannels({ registryId: root.registryId, version: 2, entries: [entry] })
    const file = formatSignedFile(await signFile([publisher], 'promoter', 'channels', payload))
    await writeImmutable(folder, `incoming/${sha256(file)}.json`, file)
    const { refused: left } = await mergeSubmissions(folder, registry.timestamping)
    assert.deepEqual(
      left.map(({ error }) => error.code),
      ['SIGNATURE_UNTRUSTED'],
    )
    const { channels } = await refresh({ ...registry, now: registry.clock.now() })
    assert.deepEqual(channels.entries, [])
  },
  controls: [
    [
      {
        file: 'src/publish/incoming.ts',
        find: 'role: root.root.promoter,',
        replace: 'role: { keys: [...root.certificates.keys()], threshold: 1 },',
      },
      {
        file: 'src/trust/channels.ts',
        find: 'role: root.root.promoter,',
        replace: 'role: { keys: [...root.certificates.keys()], threshold: 1 },',
      },
    ],
  ],
})

threatCase({
  id: 'P03',
  title: 'the keys of a CI machine, the timestamp key among them, make no root file',
  attack: async () => {
    await using registry = await buildRegistry()
    const { folder, publisher, timestamping, setup } = registry
    const { root } = await readRegistry(folder)
    const mine = { ...setup, root: { certificates: [publisher.certificate] } }
    const next = makeRoot(mine, root.registryId, 2, registry.clock)
    const rootFile = formatSignedFile(await signFile([publisher], 'root', 'root', formatRoot(next)))
    await refused('SIGNATURE_UNTRUSTED', () => publishRoot({ folder, rootFile, promoters: [], timestamping }))
    assert.deepEqual(await readdir(join(folder, 'root')), ['1.json'])
  },
  controls: [
    {
      file: 'src/trust/root-chain.ts',
      find: 'role: root.root,\n    certificates: current.certificates,',
      replace: 'role: next.root.root,\n    certificates: next.certificates,',
    },
  ],
})

threatCase({
  id: 'P04',
  title: 'forgotten re-signing is warned of at half of the life, and one idempotent command mends it',
  attack: async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }], lifetimeDays: 14 })
    const { folder, clock, timestamping } = registry
    const warnings = async () => {
      const findings = await verifyRegistry({ folder, clock, http: systemHttp({}) })
      return findings.filter(({ subject, code }) => subject === 'envelope.json' && code === 'half-life').length
    }
    clock.advance(6 * DAY_MS)
    assert.equal(await warnings(), 0)
    assert.equal((await resignRegistry(folder, timestamping)).changed, false)
    clock.advance(2 * DAY_MS)
    assert.equal(await warnings(), 1)
    assert.equal((await resignRegistry(folder, timestamping)).changed, true)
    assert.equal((await resignRegistry(folder, timestamping)).changed, false)
    assert.equal(await warnings(), 0)
    clock.advance(13 * DAY_MS)
    await refresh({ ...registry, now: clock.now() })
    clock.advance(2 * DAY_MS)
    await refused('ENVELOPE_EXPIRED', () => refresh({ ...registry, now: clock.now() }))
  },
  controls: [
    {
      file: 'src/publish/registry-verify.ts',
      find: '>= (issuedAt.getTime() + expiresAt.getTime()) / 2',
      replace: '>= expiresAt.getTime()',
    },
    { file: 'src/publish/registry-resign.ts', find: 'now < halfway', replace: 'false' },
  ],
})

threatCase({
  id: 'P05',
  title: 'dot files, files named like keys and contents that are keys are refused before anything is written',
  attack: async () => {
    await using registry = await buildRegistry()
    const before = await readdir(registry.folder, { recursive: true })
    const drawn = 'q7Rk2ZpV9xLw4TnB8mYc3HsDf6Gj'
    const secrets: Readonly<Record<string, string | Uint8Array>>[] = [
      { '.env': 'A=1' },
      { 'guest/.netrc': 'machine x' },
      { 'guest/id_ed25519': 'x' },
      { 'guest/tls.key': 'x' },
      { 'guest/note.txt': `-----BEGIN OPENSSH ${SECRET}-----\n` },
      { 'guest/note.txt': `MC4CAQAwBQYDK2VwBCIEI${'Ab3dEf6hIj'.repeat(4)}\n` },
      { 'guest/blob': Uint8Array.from([0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b]) },
      { 'guest/app.conf': `db_password = "${drawn}"\n` },
      { 'guest/app.yaml': `api_key: ${drawn}\n` },
    ]
    for (const files of secrets) {
      const manifest = 'guest: { files: guest/ }'
      const error = await refused('SECRET_REFUSED', () => registry.add({ name: 'app-one', manifest, files }))
      assert.match(error.message, new RegExp(Object.keys(files)[0]?.replaceAll('.', '\\.') ?? ''))
    }
    assert.deepEqual(await readdir(registry.folder, { recursive: true }), before)
  },
  controls: [{ file: 'src/publish/built-package.ts', find: 'refuseSecrets(files)', replace: '' }],
})

threatCase({
  id: 'P05',
  title: 'files that are no part of a package are refused, and all others are listed',
  attack: async () => {
    await using registry = await buildRegistry()
    const before = await readdir(registry.folder, { recursive: true })
    for (const path of ['notes.txt', 'build.log', 'core', 'other/file.hbs', 'vmpkg.yaml.orig']) {
      const error = await refused('ARCHIVE_ENTRY_REFUSED', () =>
        registry.add({ name: 'app-one', files: { [path]: 'left there' } }),
      )
      assert.match(error.message, new RegExp(path.replaceAll('.', '\\.')))
    }
    assert.deepEqual(await readdir(registry.folder, { recursive: true }), before)
  },
  controls: [
    { file: 'src/publish/built-package.ts', find: 'refuseUnlisted(files.keys(), contents.manifest)', replace: '' },
  ],
})

threatCase({
  id: 'A15',
  title: 'a package that carries a script for the host is refused, whoever signed it',
  attack: async () => {
    for (const path of ['preinst', 'postinst.sh', 'PostRm', 'hooks/start', 'hooks.d/10-run', 'triggers/x']) {
      const archive = hostileArchive([manifestEntry, { path, content: Buffer.from('#!/bin/sh\n') }])
      await refused('ARCHIVE_ENTRY_REFUSED', () => readArchive(archive, digestOf(archive)))
    }
  },
  controls: [{ file: 'src/archive/entry-policy.ts', find: '  verifyNoHostScript(plain)\n', replace: '' }],
})
