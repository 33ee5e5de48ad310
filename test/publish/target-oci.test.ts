import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { packImage } from '../../src/image/pack-image.ts'
import { sha256 } from '../../src/model/digest.ts'
import { systemHttp } from '../../src/node/http.ts'
import { collectOciGarbage } from '../../src/publish/oci-gc.ts'
import { pushRegistry } from '../../src/publish/push.ts'
import { addPackages } from '../../src/publish/registry-add.ts'
import { listRegistryFiles } from '../../src/publish/registry-files.ts'
import { resignRegistry } from '../../src/publish/registry-resign.ts'
import { snapshotRegistry } from '../../src/publish/registry-snapshot.ts'
import { changeRemotely } from '../../src/publish/remote-change.ts'
import { parseTarget } from '../../src/publish/target-location.ts'
import { type OciTarget, ociTarget } from '../../src/publish/target-oci.ts'
import { startOciProxy } from '../support/oci-proxy.ts'
import { startOciRegistry, withoutOci } from '../support/oci-registry.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const MIB = 1024 * 1024

async function open(address: string): Promise<OciTarget> {
  const location = parseTarget(address)
  assert.ok(location.kind === 'oci')
  return ociTarget(location.name, location.place, { http: systemHttp({}), env: {}, home: '/nowhere' })
}

/** A file of random bytes under its digest. */
async function writeBlob(folder: string, size: number): Promise<string> {
  const bytes = randomBytes(size)
  const path = `blob/${sha256(bytes)}`
  await mkdir(join(folder, 'blob'), { recursive: true })
  await writeFile(join(folder, path), bytes)
  return path
}

/** What packages of the folder consist of is all there. */
async function assertWhole(target: OciTarget, folder: string): Promise<void> {
  const files = await listRegistryFiles(folder)
  for (const { path, size } of files.filter((one) => /^(?:package|map|transport|blob|root)\//.test(one.path))) {
    const bytes = await target.read(path, size)
    assert.deepEqual(bytes, await readFile(join(folder, path)), path)
  }
}

async function publish(target: OciTarget, registry: TestRegistry, name: string, version = '1.0-1') {
  const packages = [await registry.build({ name, version })]
  const { publisher, timestamping } = registry
  return changeRemotely({ target }, async (folder) =>
    addPackages({ folder, packages, publishers: [publisher], pack: packImage, timestamping }),
  )
}

describe('ociTarget', { skip: withoutOci }, () => {
  test('sends a large file in pieces, repeats one that was cut off, and mounts what another repository has', async (t) => {
    await using registry = await startOciRegistry(await makeTempFolder(t))
    await using proxy = await startOciProxy(registry.port)
    const folder = await makeTempFolder(t)
    const path = await writeBlob(folder, 70 * MIB)
    let pieces = 0
    proxy.misbehave = (incoming) => {
      if (incoming.method !== 'PATCH' || ++pieces !== 2) return false
      incoming.once('data', () => incoming.socket.destroy())
      return true
    }
    await using target = await open(`oci+http://${proxy.host}/big`)
    await target.store(folder, [path], () => {})
    assert.deepEqual([...(await target.sizes([path]))], [[path, 70 * MIB]])
    const methods = proxy.requests.map((one) => one.split(' ')[0])
    assert.deepEqual(methods, ['POST', 'PATCH', 'PATCH', 'GET', 'PATCH', 'PATCH', 'PUT', 'HEAD'])
    proxy.requests.length = 0
    await using other = await open(`oci+http://${proxy.host}/other?mount=big`)
    await other.store(folder, [path], () => {})
    assert.match(proxy.requests.join('\n'), /^POST \S+mount=sha256:[0-9a-f]{64}&from=big$/)
    assert.equal((await other.sizes([path])).get(path), 70 * MIB)
  })

  test('writes for one more package its manifest and the envelope’s, and lives through the registry’s own collection', async (t) => {
    await using server = await startOciRegistry(await makeTempFolder(t))
    await using proxy = await startOciProxy(server.port)
    const address = `oci+http://${proxy.host}/team/vmpkg`
    await using target = await open(address)
    const packages = ['app-one', 'app-two', 'app-three'].map((name) => ({ name }))
    await using registry = await buildRegistry({ packages })
    await pushRegistry({ ...registry, target })
    proxy.requests.length = 0
    await publish(target, registry, 'app-four')
    const written = proxy.requests.filter((one) => one.startsWith('PUT /v2/team/vmpkg/manifests/'))
    const names = written.map((one) => one.replace(/^.*manifests\/(package\.[a-z-]+|[a-z]+).*$/, '$1'))
    assert.deepEqual(names, ['history', 'package.app-four', 'publishing', 'envelope'])

    const packed = await registry.build({ name: 'app-late' })
    await changeRemotely({ target }, async (folder) =>
      addPackages({ folder, packages: [packed], publishers: [registry.publisher], pack: packImage }),
    )
    await changeRemotely({ target }, async (folder) => snapshotRegistry(folder))
    const folder = await makeTempFolder(t)
    await changeRemotely({ target, dryRun: true }, async (staging) => {
      const files = (await listRegistryFiles(staging)).map((one) => ({ ...one, maxBytes: one.size }))
      await target.fetch(files, folder)
    })
    for (const untagged of [false, true]) {
      await server.collectGarbage({ untagged })
      await assertWhole(target, registry.folder)
      await assertWhole(target, folder)
    }
    const base = new URL(`${address}/`)
    const { index } = await refresh({ folder, base, pin: registry.pin, now: registry.clock.now() })
    assert.equal(index.entries.length, 4)
  })

  test('collects the artifacts of packages and versions that nobody needs, and publishing goes on', async (t) => {
    await using server = await startOciRegistry(await makeTempFolder(t))
    await using target = await open(`oci+http://${server.host}/vmpkg`)
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }, { name: 'app-two' }] })
    await pushRegistry({ ...registry, target })
    const { clock } = registry
    const packageTags = async () =>
      (await target.artifacts.repository.listTags()).filter((tag) => tag.startsWith('package.'))
    assert.equal((await packageTags()).length, 2)
    await target.artifacts.mark('package.app-gone_1.0-1_amd64.0123456789abcdef')
    const resign = async () =>
      changeRemotely({ target }, async (folder) => resignRegistry(folder, registry.timestamping, { force: true }))
    await resign()
    assert.deepEqual((await collectOciGarbage({ target, clock, dryRun: true })).removed.length, 1)
    const first = await collectOciGarbage({ target, clock })
    assert.deepEqual(
      first.removed.map(({ path }) => path),
      ['package.app-gone_1.0-1_amd64.0123456789abcdef'],
    )
    assert.equal((await packageTags()).length, 2)
    clock.advance(8 * DAY_MS)
    await resign()
    clock.advance(8 * DAY_MS)
    await resign()
    const later = await collectOciGarbage({ target, clock })
    assert.ok(later.removed.length > 0 && later.removed.every(({ path }) => path.startsWith('history.')))
    await publish(target, registry, 'app-three')
    assert.equal((await packageTags()).length, 3)
    await server.collectGarbage({ untagged: true })
    await assertWhole(target, registry.folder)
  })

  test('names all files of a package whose artifact is gone again, by what the server has of them', async (t) => {
    await using server = await startOciRegistry(await makeTempFolder(t))
    const address = `oci+http://${server.host}/vmpkg`
    await using target = await open(address)
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    await pushRegistry({ ...registry, target })
    const { repository } = target.artifacts
    const [tag = ''] = (await repository.listTags()).filter((one) => one.startsWith('package.'))
    const named = await repository.readManifest(tag)
    assert.match(String(named), /blob/)
    await target.artifacts.delete(tag)
    await using other = await open(address) // it uploads nothing of the package itself
    const resigned = await changeRemotely({ target: other }, async (folder) =>
      resignRegistry(folder, registry.timestamping, { force: true }),
    )
    assert.ok(resigned.uploaded.every(({ path }) => !/^(?:map|transport|blob)/.test(path)))
    assert.deepEqual(await repository.readManifest(tag), named)
  })

  test('a registry that deletes nothing is published to, merged and left without announcements that bar', async (t) => {
    await using server = await startOciRegistry(await makeTempFolder(t), { canDelete: false })
    await using target = await open(`oci+http://${server.host}/vmpkg`)
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    await pushRegistry({ ...registry, target })
    for (const name of ['app-two', 'app-three']) await publish(target, registry, name)
    assert.deepEqual(await target.list(['.publishing', 'incoming']), [])
    await target.artifacts.mark('package.app-gone_1.0-1_amd64.0123456789abcdef')
    await assert.rejects(collectOciGarbage({ target, clock: registry.clock }), { code: 'NO_RIGHTS' })
    assert.equal((await collectOciGarbage({ target, clock: registry.clock, dryRun: true })).removed.length, 1)
    assert.notEqual(await target.artifacts.find('package.app-gone_1.0-1_amd64.0123456789abcdef'), undefined)
    const folder = await makeTempFolder(t)
    await target.fetch([{ path: 'envelope.json', maxBytes: MIB }], folder)
    assert.deepEqual(await readdir(folder), ['envelope.json'])
  })

  test('refuses a swap over another envelope, and over packages whose artifact was collected meanwhile', async (t) => {
    await using server = await startOciRegistry(await makeTempFolder(t))
    await using proxy = await startOciProxy(server.port)
    await using target = await open(`oci+http://${proxy.host}/vmpkg`)
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
    await pushRegistry({ ...registry, target })
    const before = await readFile(join(registry.folder, 'envelope.json'))
    await registry.add({ name: 'app-two' })
    const after = await readFile(join(registry.folder, 'envelope.json'))
    await assert.rejects(target.swapEnvelope(after, before), { code: 'REGISTRY_CHANGED' })
    const files = (await listRegistryFiles(registry.folder)).map(({ path }) => path)
    await target.store(registry.folder, files, () => {})
    proxy.misbehave = (incoming) => {
      if (incoming.url?.includes('/manifests/publishing.') !== true) return false
      proxy.misbehave = undefined
      const gone = async () => {
        for (const tag of await target.artifacts.repository.listTags()) {
          if (tag.startsWith('package.app-two')) await target.artifacts.withdraw(tag)
        }
        incoming.socket.destroy() // it is sent again
      }
      void gone()
      return true
    }
    await assert.rejects(target.swapEnvelope(before, after), { code: 'REGISTRY_CHANGED' })
    await target.swapEnvelope(before, after)
    assert.deepEqual(await target.read('envelope.json', MIB), after)
  })
})
