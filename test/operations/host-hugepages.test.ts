import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import type { HostRoots } from '../../src/host/kernel-files.ts'
import { readOwners, releaseHugepages, reserveHugepages } from '../../src/operations/host-hugepages.ts'
import { FakeKernelPages } from '../support/fake-kernel-pages.ts'
import { openLocalWorkspace } from '../support/local-workspace.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

/** A host with two nodes whose files take any number, as root's do. */
async function fakeHost(t: TestContext): Promise<HostRoots> {
  const folder = await makeTempFolder(t)
  const kernel = new FakeKernelPages(folder, 2048, [{ total: 1 }, {}])
  await kernel.sync()
  const { sysfs } = kernel.roots
  for (const cpu of [0, 1]) await mkdir(join(sysfs, `devices/system/cpu/cpu${cpu}`), { recursive: true })
  return kernel.roots
}

const request = (roots: HostRoots) =>
  ({ owner: 'gaming', memoryKib: 8 * 2048, nodes: [0, 1], dropCaches: false, dryRun: false, roots }) as const

describe('reserveHugepages', () => {
  test('reserves in equal parts, notes it under the owner, and release gives it back', async (t) => {
    const roots = await fakeHost(t)
    const workspace = await openLocalWorkspace(t)
    const { needs, reserved } = await reserveHugepages(workspace, request(roots))
    assert.deepEqual(
      needs.map(({ node, count, missing }) => [node, count, missing]),
      [
        [0, 4, 3],
        [1, 4, 4],
      ],
    )
    assert.deepEqual(reserved, [
      { node: 0, sizeKib: 2048, added: 3 },
      { node: 1, sizeKib: 2048, added: 4 },
    ])
    assert.deepEqual(await readOwners(workspace), { gaming: reserved })
    // What the kernel does by itself: more pages, all of them free.
    for (const [node, free] of [4, 4].entries()) {
      await writeFile(
        join(roots.sysfs, `devices/system/node/node${node}/hugepages/hugepages-2048kB/free_hugepages`),
        `${free}\n`,
      )
    }
    const { left } = await releaseHugepages(workspace, { owner: 'gaming', dryRun: false, roots })
    assert.deepEqual(left, [])
    assert.deepEqual(await readOwners(workspace), {})
    const again = await releaseHugepages(workspace, { owner: 'gaming', dryRun: false, roots })
    assert.deepEqual(again.reserved, [])
  })

  test('a dry run says what is missing and writes nothing', async (t) => {
    const roots = await fakeHost(t)
    const workspace = await openLocalWorkspace(t)
    const pool = join(roots.sysfs, 'devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages')
    const { needs, reserved } = await reserveHugepages(workspace, { ...request(roots), dryRun: true })
    assert.equal(needs.length, 2)
    assert.deepEqual(reserved, [])
    assert.equal(await readFile(pool, 'utf8'), '1\n')
    assert.deepEqual(await readOwners(workspace), {})
  })

  test('refuses nodes and sizes that the host does not have', async (t) => {
    const roots = await fakeHost(t)
    const workspace = await openLocalWorkspace(t)
    await assert.rejects(reserveHugepages(workspace, { ...request(roots), nodes: [5] }), { code: 'USAGE' })
    await assert.rejects(reserveHugepages(workspace, { ...request(roots), pageKib: 1024 ** 2 }), {
      code: 'HUGEPAGES_MISSING',
    })
  })

  test('a note of another boot is forgotten, a damaged one is an error', async (t) => {
    const roots = await fakeHost(t)
    const workspace = await openLocalWorkspace(t)
    await reserveHugepages(workspace, request(roots))
    const folder = join(workspace.paths.runtime, workspace.connectionPaths.key)
    assert.deepEqual(await readdir(folder), ['hugepages.json'])
    await writeFile(join(folder, 'hugepages.json'), JSON.stringify({ boot: 'before', owners: { gaming: [] } }))
    assert.deepEqual(await readOwners(workspace), {})
    await writeFile(join(folder, 'hugepages.json'), '{')
    await assert.rejects(readOwners(workspace), { code: 'STATE_INVALID' })
  })
})
