import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { packImage } from '../../src/image/pack-image.ts'
import { publishToFolder } from '../../src/publish/publish-folder.ts'
import { type AddResult, addPackages } from '../../src/publish/registry-add.ts'
import { writeImmutable } from '../../src/publish/registry-folder.ts'
import { initRegistry } from '../../src/publish/registry-init.ts'
import { withRegistryLock } from '../../src/publish/registry-lock.ts'
import { mergeSubmissions } from '../../src/publish/registry-merge.ts'
import { promotePackage } from '../../src/publish/registry-promote.ts'
import { rotateRoot } from '../../src/publish/registry-rotate.ts'
import { readRegistry, verifyUnchanged } from '../../src/publish/registry-state.ts'
import { buildRegistry, type TestRegistry, testImage } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { testSigner } from '../support/test-keys.ts'

const randomness = { bytes: (count: number) => new Uint8Array(count).fill(7) }

describe('initRegistry', () => {
  test('makes a registry that a client accepts', async () => {
    await using registry = await buildRegistry()
    const { envelope, index } = await refresh({ ...registry, now: registry.clock.now() })
    assert.equal(envelope.version, 1)
    assert.equal(envelope.previous, undefined)
    assert.deepEqual(index.entries, [])
    assert.ok((await readFile(join(registry.folder, 'envelope.json'))).length <= 4096)
  })

  test('refuses a folder that is not empty, and leaves no half-made registry behind', async (t) => {
    const work = await makeTempFolder(t)
    await using registry = await buildRegistry()
    const options = { ...registry, promoters: [registry.promoter], randomness }
    await assert.rejects(initRegistry(options), { code: 'REGISTRY_EXISTS' })
    const few = { ...options, folder: join(work, 'few'), rootSigners: registry.rootSigners.slice(0, 1) }
    await assert.rejects(initRegistry(few), { code: 'THRESHOLD_UNMET' })
    const stranger = await testSigner('stranger', registry.clock)
    const wrong = {
      ...options,
      folder: join(work, 'wrong'),
      timestamping: { ...registry.timestamping, signers: [stranger] },
    }
    await assert.rejects(initRegistry(wrong), { code: 'SIGNATURE_UNTRUSTED' })
    assert.deepEqual(await readdir(work), [])
  })
})

describe('addPackages', () => {
  test('writes archive, map, transport and pack under their digests', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const { index } = await refresh({ ...registry, now: registry.clock.now() })
    const [entry] = index.entries
    const [image] = entry?.line.images ?? []
    assert.ok(entry && image)
    assert.equal(image.size, testImage('app-one').length)
    assert.deepEqual(await readdir(join(registry.folder, 'map')), [image.map.sha256])
    assert.deepEqual(await readdir(join(registry.folder, 'transport')), [
      entry.transport.images[image.digest]?.index.sha256,
    ])
    assert.deepEqual(await readdir(join(registry.folder, 'package')), [`${entry.line.package.sha256}.vmpkg`])
    assert.equal((await readdir(join(registry.folder, 'blob'))).length, 1)
  })

  test('changes nothing when the same package comes again', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    assert.equal((await registry.add({ name: 'app-one' })).kind, 'unchanged')
    assert.equal((await refresh({ ...registry, now: registry.clock.now() })).envelope.version, 2)
  })

  test('refuses the same version with other content, however it is spelled', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one', version: '1.0' }] })
    const other = { name: 'app-one', files: { 'README.md': 'changed' } }
    await assert.rejects(registry.add({ ...other, version: '1.0' }), { code: 'PACKAGE_EXISTS' })
    await assert.rejects(registry.add({ ...other, version: '1.0-0' }), { code: 'PACKAGE_EXISTS' })
    assert.equal((await registry.add({ ...other, version: '1.1' })).kind, 'published')
  })

  test('refuses secrets and lists them, before anything is written', async () => {
    await using registry = await buildRegistry()
    const before = await readdir(registry.folder, { recursive: true })
    const secrets = [
      { '.env': 'A=1' },
      { 'guest/.ssh/authorized': 'x' },
      { 'guest/id_ed25519': 'x' },
      { 'server.key': 'x' },
      { 'guest/a.txt': '-----BEGIN OPENSSH PRIVATE KEY-----\n' },
      { 'guest/b.txt': 'x\n-----BEGIN PGP PRIVATE KEY BLOCK-----\n' },
      { 'guest/tunnel.txt': `[Interface]\nPrivateKey = ${'A'.repeat(43)}=\n` },
    ]
    for (const files of secrets) {
      await assert.rejects(registry.add({ name: 'app-one', files }), { code: 'SECRET_REFUSED' }, JSON.stringify(files))
    }
    assert.deepEqual(await readdir(registry.folder, { recursive: true }), before)
  })

  test('refuses host-side scripts, bad manifests and images that are not what the build said', async () => {
    await using registry = await buildRegistry()
    await assert.rejects(registry.add({ name: 'app-one', files: { 'hooks/start': 'x' } }), {
      code: 'ARCHIVE_ENTRY_REFUSED',
    })
    await assert.rejects(registry.add({ name: 'app-one', manifest: 'unknown: 1' }), { code: 'MANIFEST_INVALID' })
    const folder = await registry.build({ name: 'app-one' })
    await writeFile(join(folder, 'images/disk'), 'other bytes')
    const add = async () =>
      addPackages({ ...registry, packages: [folder], publishers: [registry.publisher], pack: packImage })
    await assert.rejects(add(), { code: 'IMAGE_INVALID' })
    await writeFile(join(folder, 'images.json'), '[{"role":"disk","file":"../../etc/shadow"}]')
    await assert.rejects(add(), { code: 'ARCHIVE_INVALID' })
  })

  test('leaves the old version in place when a client would refuse the new one', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const before = await readFile(join(registry.folder, 'envelope.json'))
    const stranger = await testSigner('stranger', registry.clock)
    const packages = [await registry.build({ name: 'app-two' })]
    const options = { ...registry, packages, pack: packImage }
    await assert.rejects(addPackages({ ...options, publishers: [stranger] }), { code: 'SIGNATURE_UNTRUSTED' })
    const timestamping = { ...registry.timestamping, signers: [stranger] }
    await assert.rejects(addPackages({ ...options, publishers: [registry.publisher], timestamping }), {
      code: 'SIGNATURE_UNTRUSTED',
    })
    assert.deepEqual(await readFile(join(registry.folder, 'envelope.json')), before)
  })

  test('loses no package when many publish at once', async () => {
    await using registry = await buildRegistry()
    const names = Array.from({ length: 12 }, (_, i) => `app-n${i}`)
    await Promise.all(names.map((name) => registry.add({ name })))
    const { index, envelope } = await refresh({ ...registry, now: registry.clock.now() })
    assert.deepEqual(index.entries.map(({ line }) => line.name).toSorted(), names.toSorted())
    assert.equal(envelope.version, 13)
  })
})

describe('submissions', () => {
  test('wait under incoming until whoever holds the timestamp key merges them', async () => {
    await using registry = await buildRegistry()
    const submitted = await submit(registry, 'app-one')
    assert.equal(submitted.kind, 'submitted')
    assert.equal((await refresh({ ...registry, now: registry.clock.now() })).index.entries.length, 0)
    const { merged, refused } = await mergeSubmissions(registry.folder, registry.timestamping)
    assert.deepEqual([merged.length, refused.length], [1, 0])
    assert.equal((await refresh({ ...registry, now: registry.clock.now() })).index.entries.length, 1)
    assert.deepEqual(await readdir(join(registry.folder, 'incoming')), [])
    assert.deepEqual(await mergeSubmissions(registry.folder, registry.timestamping), { merged: [], refused: [] })
  })

  test('that are damaged, foreign or incomplete are refused and stop no other', async () => {
    await using registry = await buildRegistry()
    await using foreign = await buildRegistry()
    await submit(registry, 'app-good')
    const theirs = await submit(foreign, 'app-theirs')
    assert.ok(theirs.kind === 'submitted')
    await writeFile(join(registry.folder, theirs.path), await readFile(join(foreign.folder, theirs.path)))
    await writeFile(join(registry.folder, `incoming/${'0'.repeat(64)}.json`), '{"payload":"","signatures":[]}')
    await submit(registry, 'app-incomplete')
    const packages = join(registry.folder, 'package')
    const before = await readdir(packages)
    await submit(registry, 'app-late')
    for (const name of (await readdir(packages)).filter((one) => !before.includes(one))) await rm(join(packages, name))
    const { merged, refused } = await mergeSubmissions(registry.folder, registry.timestamping)
    assert.equal(merged.length, 2)
    assert.deepEqual(
      refused.map(({ error }) => error.code),
      ['REGISTRY_INVALID', 'REGISTRY_INVALID', 'REGISTRY_INVALID'],
    )
  })
})

describe('promotePackage', () => {
  test('changes channel, yank and phasing without touching the line', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const before = await refresh({ ...registry, now: registry.clock.now() })
    const entry = {
      name: 'app-one',
      version: '1.0-1',
      arch: 'amd64',
      channel: 'testing',
      yanked: 'leaks',
      phasedPercent: 10,
    } as const
    await promotePackage({ ...registry, entry, promoters: [registry.promoter] })
    const after = await refresh({ ...registry, now: registry.clock.now(), marks: before.marks })
    assert.deepEqual(after.channels.entries, [entry])
    assert.equal(after.index.entries[0]?.lineDigest, before.index.entries[0]?.lineDigest)
    assert.equal(after.marks.channels?.version, 2)
  })

  test('refuses unknown packages, strangers and nonsense', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const entry = { name: 'app-one', version: '1.0-1', arch: 'amd64', channel: 'testing' } as const
    const stranger = await testSigner('stranger', registry.clock)
    await assert.rejects(
      promotePackage({ ...registry, entry: { ...entry, name: 'app-two' }, promoters: [registry.promoter] }),
      { code: 'PACKAGE_UNKNOWN' },
    )
    await assert.rejects(promotePackage({ ...registry, entry, promoters: [stranger] }), { code: 'SIGNATURE_UNTRUSTED' })
    await assert.rejects(
      promotePackage({ ...registry, entry: { ...entry, phasedPercent: 101 }, promoters: [registry.promoter] }),
      { code: 'CHANNELS_INVALID' },
    )
  })

  test('cannot be undone by serving older channels', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const { marks } = await refresh({ ...registry, now: registry.clock.now() })
    const ahead = { ...marks, channels: { version: 5, sha256: marks.root.sha256 } }
    await assert.rejects(refresh({ ...registry, now: registry.clock.now(), marks: ahead }), {
      code: 'CHANNELS_ROLLED_BACK',
    })
  })
})

describe('rotateRoot', () => {
  test('refuses too few old or new keys and leaves the registry as it was', async () => {
    await using registry = await buildRegistry()
    const fresh = await Promise.all(['x', 'y'].map((name) => testSigner(name, registry.clock)))
    const setup = { ...registry.setup, root: { certificates: fresh.map((one) => one.certificate), threshold: 2 } }
    const options = { ...registry, setup, promoters: [registry.promoter] }
    await assert.rejects(rotateRoot({ ...options, rootSigners: fresh }), { code: 'THRESHOLD_UNMET' })
    await assert.rejects(rotateRoot({ ...options, rootSigners: registry.rootSigners }), { code: 'THRESHOLD_UNMET' })
    const stranger = await testSigner('stranger', registry.clock)
    const rootSigners = [...fresh, ...registry.rootSigners]
    await assert.rejects(rotateRoot({ ...options, rootSigners, promoters: [stranger] }), {
      code: 'SIGNATURE_UNTRUSTED',
    })
    assert.deepEqual(await readdir(join(registry.folder, 'root')), ['1.json'])
    await refresh({ ...registry, now: registry.clock.now() })
  })
})

describe('publishToFolder', () => {
  test('copies what is missing and the envelope last; the copy serves clients', async (t) => {
    const target = join(await makeTempFolder(t), 'served')
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    const first = await publishToFolder({ ...registry, target })
    assert.equal(first.version, 2)
    assert.equal((await refresh({ ...registry, folder: target, now: registry.clock.now() })).index.entries.length, 1)
    await registry.add({ name: 'app-two' })
    const second = await publishToFolder({ ...registry, target })
    assert.ok(second.copied.length > 0 && second.copied.every((path) => !first.copied.includes(path)))
    assert.equal((await refresh({ ...registry, folder: target, now: registry.clock.now() })).index.entries.length, 2)
  })

  test('never puts an older or another registry over the one there', async (t) => {
    const target = join(await makeTempFolder(t), 'served')
    await using registry = await buildRegistry()
    await using other = await buildRegistry()
    const old = await readFile(join(registry.folder, 'envelope.json'))
    await registry.add({ name: 'app-one' })
    await publishToFolder({ ...registry, target })
    await writeFile(join(registry.folder, 'envelope.json'), old)
    await assert.rejects(publishToFolder({ ...registry, target }), { code: 'REGISTRY_CHANGED' })
    await assert.rejects(publishToFolder({ ...other, target }), { code: 'REGISTRY_CHANGED' })
  })
})

describe('the files of a registry', () => {
  test('are never overwritten with other bytes', async (t) => {
    const folder = await makeTempFolder(t)
    await writeImmutable(folder, 'root/1.json', new Uint8Array([1]))
    await writeImmutable(folder, 'root/1.json', new Uint8Array([1]))
    await assert.rejects(writeImmutable(folder, 'root/1.json', new Uint8Array([2])), { code: 'REGISTRY_CHANGED' })
  })

  test('are noticed when missing', async (t) => {
    await assert.rejects(readRegistry(await makeTempFolder(t)), { code: 'REGISTRY_INVALID' })
  })

  test('are compared again before the envelope is replaced', async () => {
    await using registry = await buildRegistry()
    const state = await readRegistry(registry.folder)
    await verifyUnchanged(state)
    await registry.add({ name: 'app-one' })
    await assert.rejects(verifyUnchanged(state), { code: 'REGISTRY_CHANGED' })
  })
})

describe('withRegistryLock', () => {
  test('lets one in at a time and tells the other when it has waited enough', async (t) => {
    const folder = await makeTempFolder(t)
    await withRegistryLock(folder, async () => {
      await assert.rejects(
        withRegistryLock(folder, async () => undefined, 50),
        { code: 'LOCK_HELD' },
      )
    })
    assert.equal(await withRegistryLock(folder, async () => 'free again', 50), 'free again')
  })

  test('refuses a folder it cannot lock', async (t) => {
    const folder = await mkdtemp(join(await makeTempFolder(t), 'x'))
    await mkdir(join(folder, '.lock'))
    await assert.rejects(
      withRegistryLock(folder, async () => undefined, 50),
      { code: 'LOCK_HELD' },
    )
  })
})

/** Publishes without the timestamp key. */
async function submit(registry: TestRegistry, name: string): Promise<AddResult> {
  const { folder, publisher } = registry
  return addPackages({ folder, packages: [await registry.build({ name })], publishers: [publisher], pack: packImage })
}
