import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { chmod, copyFile, link, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import type { Emit } from '../../src/events.ts'
import { systemOutside } from '../../src/node/outside.ts'
import { type CompactRequest, imageCompact } from '../../src/operations/image-compact.ts'
import { compareDisks, diskPlan, writeDisk } from '../support/disk-bytes.ts'
import { openLocalWorkspace } from '../support/local-workspace.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const img = (...args: readonly string[]): string => execFileSync('qemu-img', args, { stdio: 'pipe' }).toString()
const io = (file: string, ...commands: readonly string[]): void =>
  void execFileSync('qemu-io', [...commands.flatMap((one) => ['-c', one]), file], { stdio: 'pipe' })

async function makePlace(t: TestContext, emit: Emit = () => {}) {
  const folder = await makeTempFolder(t)
  const outside = systemOutside({ emit, signal: new AbortController().signal, env: {}, offline: false })
  const workspace = await openLocalWorkspace(t, { folder, outside })
  const compact = async (image: string, more: Partial<CompactRequest> = {}) =>
    imageCompact(workspace, { image, compress: false, dryRun: false, ...more })
  return { folder, compact, at: (name: string): string => join(folder, name) }
}

describe('imageCompact', () => {
  test('the guest’s bytes stay, and the file takes no more than before, for any disk', async (t) => {
    const { at, compact } = await makePlace(t)
    let run = 0
    const cluster = fc.constantFrom('4k', '64k', '2M')
    await fc.assert(
      fc.asyncProperty(diskPlan, cluster, fc.boolean(), async (plan, clusterSize, compress) => {
        const [raw, packed] = [`${run}.raw`, `${run++}.qcow2`]
        await writeDisk(at(raw), plan)
        await copyFile(at(raw), at('original.raw'))
        // Every zero is written out, as a guest leaves it.
        img('convert', '-S', '0', '-O', 'qcow2', '-o', `cluster_size=${clusterSize}`, at(raw), at(packed))
        const one = await compact(raw)
        const two = await compact(packed, { compress })
        compareDisks(['raw', at('original.raw')], ['raw', at(raw)])
        compareDisks(['raw', at('original.raw')], ['qcow2', at(packed)])
        img('check', '-q', '-f', 'qcow2', at(packed))
        for (const { beforeBytes, afterBytes } of [one, two]) assert.ok(afterBytes <= beforeBytes)
        assert.equal((await stat(at(packed))).blocks * 512, two.afterBytes)
        assert.equal(
          JSON.parse(img('info', '--output=json', at(packed)))['cluster-size'],
          { '4k': 4096, '64k': 65_536, '2M': 2 ** 21 }[clusterSize],
        )
      }),
      { numRuns: 6, seed: Number(process.env['VMPKG_SEED'] ?? 9) },
    )
  })

  test('frees written zeros and lost clusters; keeps mode, bitmaps and nothing else', async (t) => {
    const { at, folder, compact } = await makePlace(t)
    img('create', '-q', '-f', 'qcow2', at('a.qcow2'), '64M')
    io(at('a.qcow2'), 'write -P 7 0 4M', 'write -P 0 8M 16M', 'write -P 7 30M 8M', 'write -z 30M 8M')
    img('bitmap', '--add', at('a.qcow2'), 'backup')
    await chmod(at('a.qcow2'), 0o640)
    await copyFile(at('a.qcow2'), at('before'))
    const planned = await compact('a.qcow2', { dryRun: true })
    assert.deepEqual(await readFile(at('a.qcow2')), await readFile(at('before')))
    const { beforeBytes, afterBytes } = await compact('a.qcow2')
    assert.ok(afterBytes < 5 * 2 ** 20 && beforeBytes > 20 * 2 ** 20, `${beforeBytes} to ${afterBytes}`)
    assert.ok(planned.afterBytes >= afterBytes - 2 ** 17 && planned.afterBytes < beforeBytes)
    compareDisks(['qcow2', at('before')], ['qcow2', at('a.qcow2')])
    assert.match(img('info', at('a.qcow2')), /name: backup/)
    assert.equal((await stat(at('a.qcow2'))).mode & 0o777, 0o640)
    assert.deepEqual((await readdir(folder)).toSorted(), ['a.qcow2', 'before'])
  })

  test('no QEMU can open the file until it is done', async (t) => {
    const tried: (number | null)[] = []
    const { at, folder, compact } = await makePlace(t, ({ type }) => {
      if (type !== 'stage-started' && type !== 'image-progressed') return
      tried.push(spawnSync('qemu-io', ['-r', '-c', 'read 0 512', join(folder, 'a.qcow2')]).status)
    })
    await writeDisk(at('a.raw'), { sectors: 4000, parts: [{ at: 0, length: 10_000, kind: 'noise' }] })
    img('convert', '-S', '0', '-O', 'qcow2', at('a.raw'), at('a.qcow2'))
    await compact('a.qcow2')
    assert.ok(tried.length >= 2)
    assert.deepEqual([...new Set(tried)], [1])
    img('info', at('a.qcow2'))
  })

  test('leaves alone what it would not shrink, and what it cannot do is refused', async (t) => {
    const { at, compact } = await makePlace(t)
    await writeDisk(at('a.raw'), { sectors: 4000, parts: [{ at: 0, length: 10_000, kind: 'noise' }] })
    img('convert', '-c', '-O', 'qcow2', at('a.raw'), at('packed.qcow2'))
    const { ino } = await stat(at('packed.qcow2'))
    await compact('packed.qcow2')
    assert.equal((await stat(at('packed.qcow2'))).ino, ino)
    img('convert', '-O', 'vdi', at('a.raw'), at('a.vdi'))
    await assert.rejects(compact('a.vdi'), { code: 'USAGE', hint: /image convert/ })
    await assert.rejects(compact('a.raw', { compress: true }), { code: 'USAGE' })
    await link(at('packed.qcow2'), at('second.qcow2'))
    await assert.rejects(compact('packed.qcow2'), { code: 'USAGE', message: /2 names/ })
    img('create', '-q', '-f', 'qcow2', '-b', at('a.raw'), '-F', 'raw', at('top.qcow2'))
    await assert.rejects(compact('top.qcow2'), { code: 'IMAGE_INVALID', message: /stands on/ })
    img('snapshot', '-c', 'one', at('second.qcow2'))
    await assert.rejects(compact('second.qcow2'), { code: 'USAGE' })
  })
})
