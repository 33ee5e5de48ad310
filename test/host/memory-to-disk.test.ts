import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { isNeverSwapped, mayLockAll, mayRaiseLimits, readMemoryToDisk } from '../../src/host/memory-to-disk.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const HEAD = 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n'

async function makeRoot(t: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const root = await makeTempFolder(t)
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text)
  }
  return root
}

test('swap files and partitions count, compressed memory does not', async (t) => {
  const swaps = `${HEAD}/dev/zram0 partition 1 0 100\n/dev/dm-1 partition 1 0 -2\n/swap.img file 1 0 -3\n`
  const root = await makeRoot(t, { '/proc/swaps': swaps })
  assert.deepEqual(await readMemoryToDisk(root), { swaps: ['/dev/dm-1', '/swap.img'], hibernates: false })
})

for (const [what, files, hibernates] of [
  [
    'a kernel that only sleeps',
    { '/sys/power/state': 'freeze mem\n', '/proc/swaps': `${HEAD}/dev/sda2 partition` },
    false,
  ],
  ['no place to write to', { '/sys/power/state': 'freeze mem disk\n', '/sys/power/resume': '0:0\n' }, false],
  ['swap on a disk', { '/sys/power/state': 'mem disk\n', '/proc/swaps': `${HEAD}/dev/sda2 partition 1 0 -2\n` }, true],
  ['a device to resume from', { '/sys/power/state': 'disk\n', '/sys/power/resume': '8:2\n' }, true],
  ['resume= at the start', { '/sys/power/state': 'disk\n', '/proc/cmdline': 'quiet resume=UUID=1a2b\n' }, true],
  ['noresume', { '/sys/power/state': 'disk\n', '/proc/cmdline': 'quiet noresume\n' }, false],
] as const) {
  test(`hibernation with ${what}: ${hibernates}`, async (t) => {
    assert.equal((await readMemoryToDisk(await makeRoot(t, files))).hibernates, hibernates)
  })
}

test('a folder is never swapped where the mount that it is seen in says so', () => {
  const mounts = [
    '1 0 8:1 / / rw - ext4 /dev/sda1 rw',
    '2 1 0:20 / /run rw shared:2 - tmpfs tmpfs rw,size=1k,mode=755',
    '3 2 0:21 / /run/vm\\040pkg rw - tmpfs none rw,noswap',
    '4 2 0:22 / /run/over rw - tmpfs none rw,noswap',
    '5 2 0:23 / /run/over rw - tmpfs none rw',
    '6 2 0:24 / /run/old rw - ramfs none rw',
  ].join('\n')
  const shown = ['/', '/run/vm', '/run/vm pkg/machines', '/run/vm pkg2', '/run/over/x', '/run/old/x']
  assert.deepEqual(
    shown.filter((folder) => isNeverSwapped(folder, mounts)),
    ['/run/vm pkg/machines', '/run/old/x'],
  )
})

test('memory may be locked where the hard limit is open, or may be raised', () => {
  const limits = (soft: string, hard: string): string =>
    `Limit                     Soft Limit           Hard Limit           Units\nMax locked memory         ${soft}              ${hard}              bytes\n`
  assert.equal(mayLockAll(limits('8388608', '8388608')), false)
  assert.equal(mayLockAll(limits('8388608', 'unlimited')), true)
  const status = 'CapEff:\t000001fffeffffff\nCapBnd:\t000001ffffffffff\n'
  assert.deepEqual([mayRaiseLimits(status, 'effective'), mayRaiseLimits(status, 'bounding')], [false, true])
  assert.equal(mayRaiseLimits('', 'effective'), false)
})
