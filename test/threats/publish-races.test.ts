/** Two publishers at once (docs/threats.md, P01). */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { packImage } from '../../src/image/pack-image.ts'
import { swapByAnnouncement } from '../../src/publish/announced-swap.ts'
import { pushRegistry } from '../../src/publish/push.ts'
import { addPackages } from '../../src/publish/registry-add.ts'
import { changeRemotely } from '../../src/publish/remote-change.ts'
import { folderTarget } from '../../src/publish/target-folder.ts'
import { RaceCourse } from '../support/race.ts'
import { buildRegistry } from '../support/registry-builder.ts'
import { refresh } from '../support/registry-client.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { threatCase } from '../support/threat-case.ts'

threatCase({
  id: 'P01',
  title: 'a publisher whose state another one replaced is refused, and rebases without losing anything',
  attack: async (t) => {
    const folder = await makeTempFolder(t)
    const target = folderTarget(folder)
    await using registry = await buildRegistry()
    await pushRegistry({ ...registry, target })
    const publish = async (name: string, between: () => Promise<void>): Promise<void> => {
      const packages = [await registry.build({ name })]
      await changeRemotely({ target }, async (staging) => {
        const options = { ...registry, folder: staging, packages, publishers: [registry.publisher], pack: packImage }
        const result = await addPackages(options)
        await between()
        return result
      })
    }
    let turn = 0
    await publish('app-slow', async () => {
      if (turn++ === 0) await publish('app-quick', async () => {})
    })
    const { index } = await refresh({ ...registry, folder, now: registry.clock.now() })
    assert.deepEqual(
      index.entries.map(({ line }) => line.name),
      ['app-quick', 'app-slow'],
    )
    assert.equal(turn, 2)
  },
  controls: [
    {
      file: 'src/publish/target-folder.ts',
      find: 'if (!areEqual(present, before)) throw registryChanged(folder)',
      replace: '',
    },
  ],
})

threatCase({
  id: 'P01',
  title: 'publishers in one registry folder take turns, from the state they read to the envelope they write',
  attack: async () => {
    await using course = await RaceCourse.open()
    assert.deepEqual(await course.run('folder', 6, 3), [])
  },
  controls: [
    [
      { file: 'src/publish/registry-lock.ts', find: '!tryLock(database)', replace: 'false' },
      { file: 'src/publish/registry-version.ts', find: 'await verifyUnchanged(state)', replace: '' },
      {
        file: 'src/publish/target-folder.ts',
        find: 'if (!areEqual(present, before)) throw registryChanged(folder)',
        replace: '',
      },
    ],
  ],
})

threatCase({
  id: 'P01',
  title: 'where there are no locks and no conditions, the envelope is replaced by one publisher at a time',
  attack: async () => {
    const files = new Map<string, Uint8Array>([['envelope.json', Buffer.from('0')]])
    const swap = async (before: string, after: string): Promise<void> =>
      swapByAnnouncement(slowPlace(files, before, after))
    // Each adds its letter to what it read; with a lost update a letter is missing.
    await Promise.all(
      ['a', 'b', 'c', 'd', 'e', 'f'].map(async (letter) => {
        for (;;) {
          const before = Buffer.from(files.get('envelope.json') ?? []).toString()
          try {
            await swap(before, before + letter)
            return
          } catch (error) {
            assert.ok(error instanceof Error && 'code' in error && error.code === 'REGISTRY_CHANGED', String(error))
          }
        }
      }),
    )
    const text = Buffer.from(files.get('envelope.json') ?? []).toString()
    assert.equal(text.split('').toSorted().join(''), '0abcdef')
  },
  controls: [
    { file: 'src/publish/swap-lock.ts', find: 'if (others.length === 0) return', replace: 'return' },
    { file: 'src/publish/announced-swap.ts', find: 'if (!areEqual(present, before))', replace: 'if (false)' },
  ],
})

threatCase({
  id: 'P01',
  title: 'a bucket with conditional writes takes the envelope only over the one that was read',
  attack: async () => {
    await using course = await RaceCourse.open()
    assert.deepEqual(await course.run('s3-conditional', 3, 3), [])
  },
  controls: [
    [
      { file: 'src/publish/target-s3.ts', find: "{ 'if-match': present.etag }", replace: '{}' },
      {
        file: 'src/publish/target-s3.ts',
        find: 'if (!areEqual(present?.bytes, before)) throw registryChanged(this.name)',
        replace: '',
      },
    ],
  ],
})

/** Reads and writes take a moment, as over a network. */
function slowPlace(files: Map<string, Uint8Array>, before: string, after: string) {
  const pause = async (): Promise<void> => sleep(1 + (randomBytes(1)[0] ?? 0) / 64)
  return {
    target: {
      name: 'the place',
      async list(folders: readonly string[]) {
        await pause()
        return [...files.keys()].filter((path) => folders.some((folder) => path.startsWith(`${folder}/`)))
      },
      async fetch([file]: readonly { readonly path: string }[], folder: string) {
        await pause()
        const { mkdir, writeFile } = await import('node:fs/promises')
        await mkdir(folder, { recursive: true })
        const bytes = files.get(file?.path ?? '')
        if (bytes !== undefined) await writeFile(`${folder}/${file?.path}`, bytes)
      },
      async remove(paths: readonly string[]) {
        for (const path of paths) files.delete(path)
      },
    },
    async put(path: string, bytes: Uint8Array) {
      await pause()
      files.set(path, bytes)
      await pause()
    },
    before: Buffer.from(before),
    after: Buffer.from(after),
  }
}
