/** The image store as its user sees it, with a real server that counts: quota, statistics, repair. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmod, open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { sha256 } from '../../src/model/digest.ts'
import { type Cli, makeCli } from '../support/cli.ts'
import { type CountingServer, startCountingServer } from '../support/counting-server.ts'
import { noise } from '../support/disk-image.ts'
import { fixedClock } from '../support/fixed-clock.ts'
import { type PrivateLibvirt, startPrivateLibvirt, withoutLibvirt } from '../support/private-libvirt.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'

const MIB = 2 ** 20

/** 6 MiB in 8: five that all versions have, one of its own, two that are empty. */
function image(version: string): Buffer {
  return Buffer.concat([noise('common', 5 * MIB), noise(version, MIB), Buffer.alloc(2 * MIB)])
}

describe('the image store', { skip: withoutLibvirt }, () => {
  let libvirt: PrivateLibvirt
  let registry: TestRegistry
  let server: CountingServer
  let cli: Cli

  before(async () => {
    libvirt = await startPrivateLibvirt()
    registry = await buildRegistry({ clock: fixedClock(new Date()) })
    for (const version of ['1.0-1', '2.0-1', '3.0-1']) {
      await registry.add({ name: 'app-large', version, images: { disk: image(version) } })
    }
    const sparse = Buffer.concat([Buffer.alloc(64 * MIB), noise('sparse', MIB)])
    await registry.add({ name: 'app-sparse', images: { disk: sparse } })
    server = await startCountingServer(registry.folder)
    cli = await makeCli(libvirt.uri('test:///default'))
    const root = join(registry.folder, 'root', '1.json')
    await cli.ok(['source', 'add', 'test', server.base.href, '--root-file', root])
    await cli.ok(['update'])
  })

  after(async () => {
    await cli.close()
    await server[Symbol.asyncDispose]()
    await registry[Symbol.asyncDispose]()
    await libvirt.stop()
  })

  const images = (): string => join(cli.folder, 'root', 'var', 'lib', 'vmpkg', 'images')
  const stored = async (): Promise<readonly string[]> =>
    (await readdir(images())).filter((name) => name.length === 64).toSorted()
  const digests = (...versions: readonly string[]): readonly string[] =>
    versions.map((version) => sha256(image(version))).toSorted()
  /** The oracle. */
  const blocksBelow = (...words: readonly string[]): number =>
    execFileSync('find', [...words, '-type', 'f', '-printf', '%b\n'])
      .toString()
      .split('\n')
      .reduce((sum, line) => sum + Number(line) * 512, 0)

  test('is counted as find counts it, holes and all', async () => {
    await cli.ok(['install', '-y', 'app-large=1.0-1'])
    await cli.ok(['install', '-y', 'app-large=2.0-1'])
    const { totals, stored: rows } = (await cli.json(['show', '--disk'])) as {
      readonly totals: Readonly<Record<string, number>>
      readonly stored: readonly { readonly digest: string; readonly diskBytes: number; readonly sharedBytes: number }[]
    }
    assert.equal(totals['images'], blocksBelow(images(), '-not', '-path', '*/quarantine/*'))
    assert.equal(totals['archives'], blocksBelow(join(images(), '..', 'packages')))
    assert.ok((totals['images'] ?? 0) < 13 * MIB, 'holes are counted')
    for (const { digest, diskBytes, sharedBytes } of rows) {
      assert.equal(diskBytes, blocksBelow(join(images(), digest)))
      assert.ok(sharedBytes > 4.5 * MIB && sharedBytes <= 5 * MIB, String(sharedBytes))
    }
    assert.deepEqual(rows.map(({ digest }) => digest).toSorted(), digests('1.0-1', '2.0-1'))
  })

  test('keeps former versions within its quota and gives up the oldest beyond it', async () => {
    const plain = await cli.ok(['quota', '14MiB'])
    assert.match(plain, /^Quota: 14\.0 MiB$/m)
    assert.deepEqual(await stored(), digests('1.0-1', '2.0-1'), 'a quota alone removed something')
    const { stdout, stderr } = await cli.run(['upgrade', '-y'])
    assert.match(stdout + stderr, /Gave up former versions for the quota of 14MiB/)
    assert.deepEqual(await stored(), digests('2.0-1', '3.0-1'))
    const { quotaBytes, storeBytes } = await cli.json(['quota'])
    assert.equal(quotaBytes, 14 * MIB)
    assert.ok(Number(storeBytes) <= 14 * MIB)
    // What was given up comes again when it is wanted, and the chunks that are here do not travel.
    const sent = server.sentBytes
    await cli.ok(['install', '-y', '--allow-downgrade', 'app-large=1.0-1'])
    assert.ok(server.sentBytes - sent < 3 * MIB, `${server.sentBytes - sent} bytes`)
    assert.ok((await stored()).includes(sha256(image('1.0-1'))))
  })

  test('never gives up what is in use, and says that it is too large', async () => {
    await cli.ok(['quota', '1MiB'])
    const { status, stdout, stderr } = await cli.run(['install', '-y', 'app-large=3.0-1'])
    assert.equal(status, 0, stderr)
    assert.match(stdout + stderr, /takes more than its quota of 1MiB, all of it in use/)
    assert.deepEqual(await stored(), digests('3.0-1'))
    assert.match(await cli.ok(['verify', '--full']), /as it was signed/)
    assert.match(await cli.ok(['quota', 'none']), /^Quota: none$/m)
  })

  const skip = process.getuid?.() === 0 ? false : 'only root mounts file systems'
  test('takes a sparse image that is larger than the disk where what is in it fits', { skip }, async () => {
    const onDisk = async (size: string) => {
      const small = `mount -t tmpfs -o mode=755,size=${size} none '${images()}' && exec "$@"`
      const prefix = ['unshare', '--mount', 'sh', '-c', small, 'sh']
      return cli.run(['download', 'app-sparse'], '', { prefix })
    }
    const refused = await onDisk('512k')
    assert.match(refused.stderr, /Not enough space in .*images: \d MiB needed, 0 MiB available \[NO_SPACE\]/)
    const { status, stderr } = await onDisk('4M')
    assert.equal(status, 0, stderr)
  })

  test('repairs an image by its damaged frames alone', async () => {
    const path = join(images(), sha256(image('3.0-1')))
    await chmod(path, 0o644)
    {
      await using file = await open(path, 'r+')
      await file.write('damage', MIB + 5000)
      await file.write('in a hole', 7 * MIB)
    }
    await chmod(path, 0o444)
    const sent = server.sentBytes
    assert.equal((await cli.run(['verify', '--full'])).status, 1)
    assert.equal(server.sentBytes, sent, 'a look fetched something')
    const { repairs } = (await cli.json(['verify', '--full', '--fix'])) as { repairs: { outcome: string }[] }
    assert.deepEqual(
      repairs.map(({ outcome }) => outcome),
      ['repaired'],
    )
    // One frame of about 1 MiB, and the index, which is not kept.
    const moved = server.sentBytes - sent
    assert.ok(moved > 0 && moved < 1.5 * MIB, `${moved} bytes`)
    assert.equal(sha256(await readFile(path)), sha256(image('3.0-1')))
    assert.match(await cli.ok(['verify', '--full']), /as it was signed/)
  })
})
