import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { appendHashTree, readRootHash } from '../../src/image/hash-tree.ts'
import { packImage } from '../../src/image/pack-image.ts'
import { sha256 } from '../../src/model/digest.ts'
import { formatPackageLine } from '../../src/model/line-schema.ts'
import type { IndexEntry } from '../../src/model/registry.ts'
import { addPackages } from '../../src/publish/registry-add.ts'
import { promotePackage } from '../../src/publish/registry-promote.ts'
import { readRegistry } from '../../src/publish/registry-state.ts'
import { publishVersion } from '../../src/publish/registry-version.ts'
import { writeEditedImages } from '../support/delta-images.ts'
import { noise } from '../support/disk-image.ts'
import { packageLine } from '../support/package-line.ts'
import { buildRegistry, testImage } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'
import { testSigner } from '../support/test-keys.ts'

/** Of every file: bytes and inode, so that one that was written anew is told from one that stayed. */
async function filesOf(folder: string): Promise<ReadonlyMap<string, { readonly size: number; readonly ino: number }>> {
  const paths = (await readdir(folder, { recursive: true })).toSorted()
  const found = await Promise.all(paths.map(async (path) => ({ path, facts: await stat(join(folder, path)) })))
  return new Map(
    found.flatMap(({ path, facts }) => (facts.isFile() ? [[path, { size: facts.size, ino: facts.ino }]] : [])),
  )
}

async function editedBytes(): Promise<readonly [Uint8Array, Uint8Array]> {
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-test-'))
  try {
    const [before, after] = [join(folder, 'before'), join(folder, 'after')]
    await writeEditedImages(before, after)
    return [await readFile(before), await readFile(after)]
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** Put together here, so that no scanner of this repository takes the test for a key. */
const SECRET = ['PRIVATE', 'KEY'].join(' ')

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

  test('a new version of one package among a thousand writes its own files and small ones, once', async () => {
    await using registry = await buildRegistry({ deltas: true })
    const { folder, timestamping, publisher } = registry
    const many: IndexEntry[] = []
    for (let number = 0; number < 1000; number++) {
      const line = formatPackageLine(packageLine(`other-${number}`, '1.0'))
      many.push({ line, signatures: [await publisher.sign('publisher', 'line', line)], transport: { images: {} } })
    }
    await publishVersion(await readRegistry(folder), { entries: many }, timestamping)
    const [before, after] = await editedBytes()
    await registry.add({ name: 'app-one', version: '1.0', images: { disk: before } })
    const known = await filesOf(folder)
    const later = { name: 'app-one', version: '1.1', images: { disk: after } }
    await registry.add(later)
    const now = await filesOf(folder)
    for (const [path, file] of known) {
      // A frame or a map that was there is what it was.
      if (path !== 'envelope.json' && !path.startsWith('.lock')) assert.deepEqual(now.get(path), file, path)
    }
    const written = [...now].filter(([path]) => !known.has(path))
    const bytesOf = (kind: string): number =>
      written.filter(([path]) => path.startsWith(kind)).reduce((sum, [, { size }]) => sum + size, 0)
    assert.ok(bytesOf('') - bytesOf('blob/') < 512 * 1024, `${bytesOf('') - bytesOf('blob/')} bytes beside the packs`)
    assert.ok(bytesOf('blob/') < after.length / 2, `${bytesOf('blob/')} bytes of packs`)
    assert.deepEqual(
      written.filter(([path]) => path.endsWith('.partial')),
      [],
    )
    assert.equal((await registry.add(later)).kind, 'unchanged')
    assert.deepEqual([...(await filesOf(folder)).keys()], [...now.keys()])
  })

  test('offers deltas from the last three versions and from the newest of each channel, and nothing else', async () => {
    await using registry = await buildRegistry({ deltas: true })
    const { promoter, timestamping, folder } = registry
    const versions = ['1', '2', '3', '4', '5', '6']
    const edit = (version: string): Uint8Array => Buffer.concat([noise('kept', 300_000), noise(version, 3000)])
    for (const version of versions) {
      if (version === '6') {
        const entry = { name: 'app-one', version: '1', arch: 'amd64', channel: 'slow' } as const
        await promotePackage({ folder, entry, promoters: [promoter], timestamping })
      }
      await registry.add({ name: 'app-one', version, images: { disk: edit(version) } })
    }
    const { index } = await refresh({ ...registry, now: registry.clock.now() })
    const newest = index.entries.find(({ line }) => line.version === '6')
    const [transport] = Object.values(newest?.transport.images ?? {})
    const named = new Map(versions.map((version) => [sha256(edit(version)), version]))
    const from = (transport?.deltas ?? []).map((delta) => Number(named.get(delta.from)))
    assert.deepEqual(
      from.toSorted((a, b) => a - b),
      [1, 3, 4, 5],
    )
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
      { 'guest/a.txt': `-----BEGIN OPENSSH ${SECRET}-----\n` },
      { 'guest/b.txt': `x\n-----BEGIN PGP ${SECRET} BLOCK-----\n` },
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

  test('signs the root hash of a root that ends with its hash tree, and refuses any other', async () => {
    await using registry = await buildRegistry()
    const folder = await registry.build({ name: 'app-one', images: { root: testImage('root') } })
    const file = join(folder, 'images/root')
    await appendHashTree(file)
    const verityRoot = await readRootHash(file)
    const bytes = await readFile(file)
    const list = async (more: object): Promise<void> => {
      const built = { role: 'root', format: 'raw', digest: sha256(bytes), size: bytes.length, file: 'images/root' }
      await writeFile(join(folder, 'images.json'), JSON.stringify([{ ...built, ...more }]))
    }
    const add = async () =>
      addPackages({ ...registry, packages: [folder], publishers: [registry.publisher], pack: packImage })
    for (const wrong of ['xyz', verityRoot?.toUpperCase(), '']) {
      await list({ verityRoot: wrong })
      await assert.rejects(add(), { code: 'ARCHIVE_INVALID' }, wrong)
    }
    await list({ verityRoot: 'ab'.repeat(32) })
    await assert.rejects(add(), { code: 'IMAGE_INVALID' })
    await list({ verityRoot })
    const { lines } = await add()
    assert.equal(lines[0]?.images[0]?.verityRoot, verityRoot)
  })

  test('names the folder that is refused, of several', async () => {
    await using registry = await buildRegistry()
    const bad = { name: 'app-bad', manifest: 'depends: ["x >= 1"]' }
    await assert.rejects(registry.add({ name: 'app-good' }, bad), (error: Error) => {
      assert.match(error.message, /\/build-\w+: The manifest vmpkg\.yaml is refused: depends\.0/)
      return 'code' in error && error.code === 'MANIFEST_INVALID'
    })
    const none = join(registry.folder, 'none')
    const { publisher, timestamping } = registry
    const request = {
      folder: registry.folder,
      packages: [none],
      publishers: [publisher],
      pack: packImage,
      timestamping,
    }
    await assert.rejects(addPackages(request), {
      code: 'ARCHIVE_INVALID',
      hint: 'Name the folder that `vmpkg build` made.',
    })
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
