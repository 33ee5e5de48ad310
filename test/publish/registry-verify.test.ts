import assert from 'node:assert/strict'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { packImage } from '../../src/image/pack-image.ts'
import { systemHttp } from '../../src/node/http.ts'
import { addPackages } from '../../src/publish/registry-add.ts'
import { type RegistryFinding, verifyRegistry } from '../../src/publish/registry-verify.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'

const BROKEN = ['index', 'channels', 'root', 'package', 'map', 'transport', 'blob'] as const

async function check({ folder, clock }: TestRegistry, full = false): Promise<readonly RegistryFinding[]> {
  return verifyRegistry({ folder, clock, full, http: systemHttp({}) })
}

describe('verifyRegistry', () => {
  test('finds nothing in a registry that clients accept, quickly and in full', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }, { name: 'app-two' }] })
    assert.deepEqual(await check(registry), [])
    assert.deepEqual(await check(registry, true), [])
  })

  for (const kind of BROKEN) {
    test(`finds a changed byte and a missing file under ${kind}/`, async () => {
      await using registry = await buildRegistry({ packages: [{ name: 'app-one' }] })
      const names = await readdir(join(registry.folder, kind))
      for (const name of names) {
        const path = join(registry.folder, kind, name)
        const bytes = await readFile(path)
        bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
        await writeFile(path, bytes)
      }
      assert.ok((await check(registry)).some(({ severity }) => severity === 'error'))
      for (const name of names) await rm(join(registry.folder, kind, name))
      assert.ok((await check(registry)).some(({ severity }) => severity === 'error'))
    })
  }

  test('goes on after a fault: every damaged package is named', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }, { name: 'app-two' }] })
    for (const kind of ['package', 'blob']) {
      for (const name of await readdir(join(registry.folder, kind))) await rm(join(registry.folder, kind, name))
    }
    const subjects = (await check(registry)).map(({ subject }) => subject)
    assert.deepEqual(subjects, [
      'app-one 1.0-1 amd64',
      'app-one 1.0-1 amd64 disk',
      'app-two 1.0-1 amd64',
      'app-two 1.0-1 amd64 disk',
    ])
  })

  test('warns of lives that run out, waiting submissions, idle and foreign files; none is an error', async () => {
    await using registry = await buildRegistry({ packages: [{ name: 'app-one' }], lifetimeDays: 1000 })
    const { folder, clock, publisher } = registry
    await addPackages({
      folder,
      packages: [await registry.build({ name: 'app-two' })],
      publishers: [publisher],
      pack: packImage,
    })
    await writeFile(join(folder, 'notes.txt'), 'mine')
    clock.set('2028-01-01T00:00:00Z')
    const findings = await check(registry)
    const codes = new Set(findings.map(({ code }) => code))
    assert.deepEqual([...codes].toSorted(), ['foreign', 'half-life', 'submission-waits', 'unreferenced'])
    assert.ok(findings.every(({ severity }) => severity === 'warning'))
    assert.deepEqual(
      findings.filter(({ code }) => code === 'half-life').map(({ subject }) => subject),
      ['envelope.json', 'root/1.json'],
    )
    clock.set('2029-06-01T00:00:00Z')
    assert.ok((await check(registry)).some(({ severity, code }) => severity === 'error' && code === 'ROOT_EXPIRED'))
  })

  test('refuses a folder that is no registry', async () => {
    await using registry = await buildRegistry()
    await rm(join(registry.folder, 'envelope.json'))
    await assert.rejects(check(registry), { code: 'REGISTRY_INVALID' })
  })
})
