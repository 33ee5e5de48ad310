/** Making room on a file system that has none left: an ext4 of its own, filled to the last block. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { appendFile, readdir, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { systemErrorCode } from '../../src/errors.ts'
import { makeCli } from '../support/cli.ts'
import { startCountingServer } from '../support/counting-server.ts'
import { noise } from '../support/disk-image.ts'
import { fixedClock } from '../support/fixed-clock.ts'
import { startPrivateLibvirt, withoutLibvirt } from '../support/private-libvirt.ts'
import { buildRegistry } from '../support/registry-builder.ts'
import { makeVolume, volumeMissing } from '../support/volume.ts'

const MIB = 2 ** 20

/** Writes until not a byte is taken any more, as root, for whom some blocks are set aside. */
async function fill(file: string): Promise<void> {
  for (const size of [MIB, 4096, 1]) {
    const failure: unknown = await (async () => {
      for (;;) await appendFile(file, Buffer.alloc(size, 1))
    })().catch((error: unknown) => error)
    assert.equal(systemErrorCode(failure), 'ENOSPC')
  }
}

describe('a disk that is full to the last block', { skip: withoutLibvirt || volumeMissing() }, () => {
  test('has what nobody uses removed by gc and by clean', async (t) => {
    const volume = await makeVolume()
    t.after(() => volume.close())
    const libvirt = await startPrivateLibvirt()
    t.after(() => libvirt.stop())
    await using registry = await buildRegistry({ clock: fixedClock(new Date()) })
    await registry.add({ name: 'app-one', images: { disk: noise('one', 2 * MIB) } })
    await using server = await startCountingServer(registry.folder)
    const cli = await makeCli(libvirt.uri('test:///default'), volume.root)
    t.after(() => cli.close())
    await cli.ok(['source', 'add', 'test', server.base.href, '--root-file', join(registry.folder, 'root', '1.json')])
    await cli.ok(['update'])
    const state = join(volume.root, 'var', 'lib', 'vmpkg')
    const filler = join(volume.root, 'filler')
    const stored = async () => (await readdir(join(state, 'images'))).filter((name) => name.length === 64)
    for (const verb of ['gc', 'clean']) {
      await cli.ok(['gc']) // as any command that takes the lock, it makes the reserve
      await cli.ok(['download', 'app-one'])
      assert.equal((await stat(join(state, 'reserve'))).size, MIB, 'there is no reserve')
      assert.equal((await stored()).length, 1)
      execFileSync('sync', ['-f', volume.root])
      await fill(filler)
      assert.equal((await statfs(volume.root)).bavail, 0)
      const refused = await cli.run(['update'])
      assert.equal(refused.status, 100, 'the disk was not full')
      assert.match(refused.stderr, /The disk is full: "\S+\/lock" cannot be locked \[NO_SPACE\][^]*vmpkg gc/)
      await cli.ok([verb])
      assert.deepEqual(await stored(), [])
      await rm(filler)
    }
  })
})
