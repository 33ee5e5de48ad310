import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { generateKey } from '../../src/publish/key.ts'
import { initRegistry } from '../../src/publish/registry-init.ts'
import { openSigner } from '../../src/publish/signer.ts'
import type { RootPin } from '../../src/trust/root-chain.ts'
import { buildRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const clock = { now: () => new Date() }
const worker = join(import.meta.dirname, '../support/publish-worker.ts')

interface Place {
  readonly folder: string
  readonly pin: RootPin
  publish(packages: readonly string[]): ChildProcess
}

/** A registry whose keys lie in a folder, so that other processes can sign. */
async function makePlace(work: string): Promise<Place> {
  const keys = join(work, 'keys')
  const folder = join(work, 'registry')
  const [root, publisher, timestamp] = [
    await generateKey({ name: 'root', folder: keys, clock }),
    await generateKey({ name: 'publisher', folder: keys, clock }),
    await generateKey({ name: 'timestamp', folder: keys, clock }),
  ]
  const open = async (one: typeof root) => openSigner({ folder: keys, fingerprint: one.fingerprint, clock })
  const { pin } = await initRegistry({
    folder,
    setup: {
      root: { certificates: [root] },
      timestamp: { certificates: [timestamp] },
      promoter: { certificates: [root] },
      publishers: [{ certificates: [publisher], patterns: ['*'] }],
    },
    rootSigners: [await open(root)],
    promoters: [await open(root)],
    timestamping: { signers: [await open(timestamp)], clock },
    randomness: { bytes: (count) => new Uint8Array(count) },
  })
  const args = [worker, folder, keys, publisher.fingerprint, timestamp.fingerprint]
  return { folder, pin, publish: (packages) => spawn(process.execPath, [...args, ...packages], { stdio: 'inherit' }) }
}

describe('publishers in processes of their own', () => {
  test('lose no package and no version when they race', async (t) => {
    const place = await makePlace(await makeTempFolder(t))
    await using builder = await buildRegistry()
    const names = Array.from({ length: 12 }, (_, i) => `app-n${i}`)
    const built = await Promise.all(names.map(async (name) => builder.build({ name })))
    const children = [0, 1, 2].map((third) => place.publish(built.slice(third * 4, third * 4 + 4)))
    const exits = await Promise.all(children.map(async (child) => ((await once(child, 'exit')) as [number])[0]))
    assert.deepEqual(exits, [0, 0, 0])
    const { index, envelope } = await refresh({ ...place, now: clock.now() })
    assert.deepEqual(index.entries.map(({ line }) => line.name).toSorted(), names.toSorted())
    assert.equal(envelope.version, 13)
  })

  test('killed at any point leave a registry that verifies and can be published to', async (t) => {
    const place = await makePlace(await makeTempFolder(t))
    await using builder = await buildRegistry()
    const built = await Promise.all(Array.from({ length: 8 }, async (_, i) => builder.build({ name: `app-n${i}` })))
    let version = 1
    for (let kill = 0; kill < 6; kill++) {
      const child = place.publish(built)
      const exit = once(child, 'exit')
      await sleep(300 + kill * 130)
      child.kill('SIGKILL')
      await exit
      const { envelope } = await refresh({ ...place, now: clock.now() })
      assert.ok(envelope.version >= version)
      version = envelope.version
    }
    const [code] = (await once(place.publish(built), 'exit')) as [number]
    assert.equal(code, 0)
    assert.equal((await refresh({ ...place, now: clock.now() })).index.entries.length, 8)
  })
})
