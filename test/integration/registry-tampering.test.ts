import assert from 'node:assert/strict'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { readArchive } from '../../src/archive/read.ts'
import { isVmpkgError } from '../../src/errors.ts'
import { withoutRoots } from '../../src/publish/carried-roots.ts'
import { rotateRoot } from '../../src/publish/registry-rotate.ts'
import { verifyContent } from '../../src/trust/content.ts'
import { TrustSession } from '../../src/trust/session.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'

describe('a registry', () => {
  let registry: TestRegistry
  let copy: string
  before(async () => {
    registry = await buildRegistry({
      packages: [{ name: 'app-one' }, { name: 'router-uni', manifest: 'kind: router\nlayer: uni' }],
    })
    await rotateRoot({ ...registry, promoters: [registry.promoter] })
    copy = await mkdtemp(join(tmpdir(), 'vmpkg-tamper-'))
    await cp(registry.folder, copy, { recursive: true })
    // A root file that is in its place is read there, and what the envelope carries of it by nobody (threat M21).
    const envelope = join(copy, 'envelope.json')
    await writeFile(envelope, withoutRoots(await readFile(envelope)))
  })
  after(async () => {
    await registry[Symbol.asyncDispose]()
    await rm(copy, { recursive: true })
  })

  test('is accepted as it is: the control of the tests below', async () => {
    await readEverything(registry, copy)
  })

  test('is refused with any one byte of any file that a client reads changed, removed or added', async () => {
    const envelope = (await refresh({ ...registry, now: registry.clock.now() })).envelope
    const current = [`${envelope.index.sha256}.jsonl.zst`, `${envelope.channels.sha256}.json`]
    const read = (await readdir(copy, { recursive: true, withFileTypes: true }))
      .filter((one) => one.isFile() && one.name !== '.lock')
      .map((one) => join(one.parentPath, one.name).slice(copy.length + 1))
      .filter((path) => !/^(?:blob|history)\//.test(path)) // packs are checked frame by frame in image/, and no client asks for history
      .filter((path) => !/^(?:index|channels)\//.test(path) || current.some((name) => path.endsWith(name)))
    assert.ok(read.length >= 10)
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...read),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        fc.constantFrom('change', 'remove', 'add'),
        async (path, at, by, how) => {
          const file = join(copy, path)
          const original = await readFile(file)
          try {
            await writeFile(file, damage(original, at % original.length, by, how))
            await assert.rejects(readEverything(registry, copy), (error) => isVmpkgError(error))
          } finally {
            await writeFile(file, original)
          }
        },
      ),
      { numRuns: 250 },
    )
  })

  test('is refused with any one byte of its envelope changed', async () => {
    const session = await TrustSession.open(
      { pin: registry.pin, policy: { kind: 'strict' }, now: registry.clock.now() },
      await readFile(join(copy, 'root/1.json')),
    )
    await session.acceptRoot(await readFile(join(copy, 'root/2.json')))
    const original = await readFile(join(copy, 'envelope.json'))
    for (let at = 0; at < original.length; at++) {
      const damaged = damage(original, at, 1 + (at % 255), 'change')
      await assert.rejects(session.acceptEnvelope(damaged), (error) => isVmpkgError(error), `byte ${at}`)
    }
    await session.acceptEnvelope(original)
  })
})

/** Everything a client verifies: metadata, archives, maps, transport indexes and packs. */
async function readEverything(registry: TestRegistry, folder: string): Promise<void> {
  const { index } = await refresh({ ...registry, folder, now: registry.clock.now() })
  for (const { line, transport } of index.entries) {
    await readArchive(await readFile(join(folder, `package/${line.package.sha256}.vmpkg`)), line.package)
    for (const { digest, map } of line.images) {
      verifyContent(await readFile(join(folder, `map/${map.sha256}`)), map, 'map')
      const described = transport.images[digest]
      assert.ok(described)
      verifyContent(await readFile(join(folder, `transport/${described.index.sha256}`)), described.index, 'transport')
    }
  }
}

function damage(original: Uint8Array, at: number, by: number, how: 'change' | 'remove' | 'add'): Uint8Array {
  if (how === 'add') return Buffer.concat([original.subarray(0, at), Buffer.from([by]), original.subarray(at)])
  if (how === 'remove') return Buffer.concat([original.subarray(0, at), original.subarray(at + 1)])
  const copy = new Uint8Array(original)
  copy[at] = (copy[at] ?? 0) ^ by
  return copy
}
