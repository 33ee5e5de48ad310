/** The image verbs as commands: exit statuses, JSON, what Ctrl-C and a kill leave. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Cli, makeCli } from '../support/cli.ts'
import { compareDisks, writeDisk } from '../support/disk-bytes.ts'

describe('image verbs', { timeout: 120_000 }, () => {
  let cli: Cli
  const at = (name: string): string => join(cli.folder, name)
  before(async () => {
    cli = await makeCli('qemu+unix:///system?socket=/nowhere')
    await writeDisk(at('disk.raw'), { sectors: 500_000, parts: [{ at: 0, length: 4_000_000, kind: 'noise' }] })
    // Takes long enough to be in the middle of.
    execFileSync('sh', ['-c', 'head -c 300M /dev/urandom >"$1"', 'sh', at('large.raw')])
  })
  after(() => cli.close())

  test('convert, check, compact, resize and info follow each other', async () => {
    const converted = await cli.json(['image', 'convert', at('disk.raw'), at('disk.qcow2')])
    assert.equal(converted['schema'], 'vmpkg.image-convert/1')
    assert.equal(converted['virtualSize'], 500_000 * 512)
    assert.match(await cli.ok(['image', 'check', at('disk.qcow2')]), /sound/)
    assert.match(await cli.ok(['image', 'compact', at('disk.qcow2')]), /^Compacted .* before, .* after/)
    compareDisks(['raw', at('disk.raw')], ['qcow2', at('disk.qcow2')])
    assert.match(await cli.ok(['image', 'resize', at('disk.qcow2'), '1GiB']), /from 250000KiB to 1GiB/)
    assert.match(await cli.ok(['image', 'info', at('disk.qcow2')]), /^Disk: 1\.0 GiB/m)
    const refused = await cli.run(['image', 'resize', at('disk.qcow2'), '1MiB', '--shrink'])
    assert.equal(refused.status, 100)
    assert.match(refused.stderr, /\[RESIZE_REFUSED\]/)
    const { totals } = await cli.json(['show', '--disk'])
    assert.equal((totals as { images: number }).images, 0)
    assert.equal((await cli.run(['show'])).status, 2)
  })

  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGKILL', 128],
  ] as const) {
    test(`after ${signal} in the middle there is no new file, and the next command leaves nothing of it`, async () => {
      const names = await readdir(cli.folder)
      const running = cli.start(['image', 'convert', at('large.raw'), at('new.vdi'), '--json'], '')
      running.onLine((line) => {
        if (/"type":"image-progressed"|"stage":"convert"/.test(line)) running.kill(signal)
      })
      assert.equal((await running.done).status, status)
      assert.ok(!(await readdir(cli.folder)).includes('new.vdi'))
      if (signal === 'SIGKILL') await cli.ok(['image', 'convert', at('disk.raw'), at('disk.qcow2'), '--force'])
      assert.deepEqual(await readdir(cli.folder), names)
    })
  }
})
