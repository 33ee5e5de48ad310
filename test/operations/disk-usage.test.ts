import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { packImage } from '../../src/image/pack-image.ts'
import { sha256 } from '../../src/model/digest.ts'
import { diskUsage } from '../../src/operations/disk-usage.ts'
import { packageHolder } from '../../src/operations/holders.ts'
import { cloneHolder } from '../../src/operations/stop.ts'
import type { Workspace } from '../../src/operations/workspace.ts'
import { historyHolder } from '../../src/state/history.ts'
import { noise, writeDiskImage } from '../support/disk-image.ts'
import { installedOf, openLocalWorkspace, tinyLine } from '../support/local-workspace.ts'

const MIB = 2 ** 20

/** Into the store as a fetch leaves it. */
async function store(workspace: Workspace, name: string, parts: readonly (readonly [number, Uint8Array])[]) {
  const { images, cache } = workspace.paths
  await mkdir(join(images, 'maps'), { recursive: true })
  const file = join(cache, name)
  await writeDiskImage(file, 4 * MIB, parts)
  const packed = await packImage({ file, outDir: join(cache, 'packs'), level: 1, threads: 1 })
  execFileSync('cp', ['--sparse=always', file, join(images, packed.digest)])
  await chmod(join(images, packed.digest), 0o444)
  await copyFile(packed.map.file, join(images, 'maps', packed.map.sha256))
  return { role: 'disk', format: 'raw', digest: packed.digest, size: packed.size, map: packed.map } as const
}

/** The oracle: blocks as `find` counts them. */
function blocksBelow(folder: string, ...conditions: readonly string[]): number {
  const listed = execFileSync('find', [folder, '-type', 'f', ...conditions, '-printf', '%b\n']).toString()
  return listed.split('\n').reduce((sum, line) => sum + Number(line) * 512, 0)
}

async function makeStore(t: TestContext) {
  const workspace = await openLocalWorkspace(t)
  const common = noise('common', MIB)
  const one = await store(workspace, 'one', [
    [0, common],
    [2 * MIB, noise('one', MIB / 2)],
  ])
  const two = await store(workspace, 'two', [[MIB, common]])
  const alone = await store(workspace, 'alone', [[0, noise('alone', 100_000)]])
  for (const [name, image] of [
    ['app-one', one],
    ['app-two', two],
  ] as const) {
    workspace.installed.put(installedOf(tinyLine(name, '1.0', { images: [image] })))
    workspace.imageReferences.hold(packageHolder(name), [image])
  }
  workspace.imageReferences.hold(cloneHolder('11111111-2222-4333-8444-555555555555'), [one])
  workspace.imageReferences.hold(historyHolder(3), [two, alone])
  return { workspace, one, two, alone }
}

describe('diskUsage', () => {
  test('says what each image takes, who needs it and what it has in common with others', async (t) => {
    const { workspace, one, two, alone } = await makeStore(t)
    const { stored, totals, savedBySharing } = await diskUsage(workspace, [])
    const of = (digest: string) => stored.find((row) => row.digest === digest)
    assert.deepEqual(of(one.digest)?.images, ['app-one 1.0 disk'])
    assert.deepEqual(of(one.digest)?.usedBy, ['clone 11111111-2222-4333-8444-555555555555', 'package app-one'])
    assert.deepEqual(of(two.digest)?.usedBy, ['history 3', 'package app-two'])
    const [shared] = of(one.digest)?.sharedWith ?? []
    assert.equal(shared?.digest, two.digest)
    // Chunks are cut by content, so that only those at the borders of the common part differ.
    assert.ok((shared?.bytes ?? 0) <= MIB && (shared?.bytes ?? 0) > MIB - 512 * 1024, String(shared?.bytes))
    assert.deepEqual(of(two.digest)?.sharedWith[0]?.bytes, shared?.bytes)
    assert.deepEqual(of(alone.digest)?.sharedWith, [])
    assert.deepEqual(
      stored.map(({ isSpare }) => isSpare),
      stored.map(({ digest }) => digest === alone.digest),
    )
    const { images } = workspace.paths
    for (const { digest, diskBytes } of stored) assert.equal(diskBytes, blocksBelow(join(images, digest)))
    assert.equal(totals.spareImages, of(alone.digest)?.diskBytes)
    assert.equal(savedBySharing, of(one.digest)?.diskBytes, 'a package and a clone share one image')
  })

  test('sums up everything that lies there, once', async (t) => {
    const { workspace } = await makeStore(t)
    const { paths, connectionPaths } = workspace
    const files: readonly (readonly [string, number])[] = [
      [join(paths.images, `${sha256('x')}.partial`), 30_000],
      [join(paths.images, 'quarantine', `${sha256('y')}-0`), 50_000],
      [join(paths.packages, `${sha256('z')}.vmpkg`), 5000],
      [join(connectionPaths.overlays, 'a.qcow2'), 70_000],
    ]
    for (const [path, bytes] of files) {
      await mkdir(join(path, '..'), { recursive: true })
      await writeFile(path, noise(path, bytes))
    }
    const { totals } = await diskUsage(workspace, [])
    assert.equal(totals.images + totals.unfinished + totals.damaged, blocksBelow(paths.images))
    assert.equal(totals.unfinished, blocksBelow(paths.images, '-name', '*.partial'))
    assert.equal(totals.damaged, blocksBelow(join(paths.images, 'quarantine')))
    assert.equal(totals.archives, blocksBelow(paths.packages))
    assert.equal(totals.machines, blocksBelow(join(paths.state, 'connections')))
    assert.equal(totals.cache, blocksBelow(paths.cache))
    const { sum, spareImages: _, ...parts } = totals
    assert.equal(
      sum,
      Object.values(parts).reduce((a, b) => a + b, 0),
    )
  })

  test('lists the images of a package alone, and refuses one that is not installed', async (t) => {
    const { workspace, two } = await makeStore(t)
    const { stored } = await diskUsage(workspace, ['app-two'])
    assert.deepEqual(
      stored.map(({ digest }) => digest),
      [two.digest],
    )
    assert.ok((stored[0]?.sharedBytes ?? 0) > 0)
    await assert.rejects(diskUsage(workspace, ['app-none']), { code: 'PACKAGE_NOT_INSTALLED' })
  })

  test('an empty store takes nothing', async (t) => {
    const { totals, stored } = await diskUsage(await openLocalWorkspace(t), [])
    assert.deepEqual(stored, [])
    assert.equal(totals.images, 0)
  })
})
