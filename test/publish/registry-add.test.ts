import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { appendHashTree, readRootHash } from '../../src/image/hash-tree.ts'
import { packImage } from '../../src/image/pack-image.ts'
import { sha256 } from '../../src/model/digest.ts'
import { addPackages } from '../../src/publish/registry-add.ts'
import { buildRegistry, testImage } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'
import { testSigner } from '../support/test-keys.ts'

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
