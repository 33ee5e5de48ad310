/** LVM's own metadata on a loop device, without a kernel that maps anything: what it would do, it writes down. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import {
  createArguments,
  createVolume,
  extendVolume,
  readAutoextend,
  readLvm,
  removeVolume,
} from '../../src/host/lvm.ts'
import type { Processes } from '../../src/ports.ts'
import { realProcesses } from '../support/real-processes.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const MIB = 1024 * 1024
const QUIET = { env: { ...process.env, LVM_SUPPRESS_FD_WARNINGS: '1' }, stdio: 'pipe' } as const
const skip = hasLoopDevices() ? false : 'no loop device, or no LVM'

function hasLoopDevices(): boolean {
  try {
    execFileSync('/usr/sbin/vgs', ['--version'], QUIET)
    return (
      process.geteuid?.() === 0 && execFileSync('/usr/sbin/losetup', ['-f'], QUIET).toString().startsWith('/dev/loop')
    )
  } catch {
    return false
  }
}

/** Nothing is activated, so that no device-mapper is needed. */
const metadataOnly: Processes = {
  run: (program, args, options) => {
    const more = program === 'lvcreate' ? ['-an', '-Zn', '-Wn'] : []
    const own =
      program === 'lvcreate'
        ? args.filter((word, i) => !/^--(zero|wipesig)/.test(word) && !/^--(zero|wipesig)/.test(args[i - 1] ?? ''))
        : args
    const known = program === 'lvmconfig' ? own : ['--driverloaded', 'n', ...more, ...own]
    return realProcesses.run(program, known, options)
  },
}

async function makeGroup(t: TestContext): Promise<{ readonly name: string; readonly volumeGroup: string }> {
  const folder = await makeTempFolder(t)
  const file = join(folder, 'pv')
  await writeFile(file, '')
  await truncate(file, 128 * MIB)
  const device = execFileSync('/usr/sbin/losetup', ['-f', '--show', file], QUIET).toString().trim()
  const volumeGroup = `vmpkgtest${process.pid}`
  const lvm = (tool: string, ...args: string[]): Buffer => execFileSync(tool, ['--driverloaded', 'n', ...args], QUIET)
  t.after(() => {
    lvm('vgremove', '-ff', '-y', volumeGroup)
    execFileSync('/usr/sbin/losetup', ['-d', device], QUIET)
  })
  lvm('vgcreate', '-q', '-y', volumeGroup, device)
  return { name: 'thick', volumeGroup }
}

test('volumes are made with their tags, extended and removed, and the group knows what is left', {
  skip,
}, async (t) => {
  const storage = await makeGroup(t)
  const before = await readLvm(metadataOnly, storage)
  const wish = { name: 'vmpkg.thick.one', bytes: 5 * MIB, tags: ['vmpkg', 'vmpkg.0123456789abcdef'] }
  assert.equal(await createVolume(metadataOnly, storage, wish), `/dev/${storage.volumeGroup}/vmpkg.thick.one`)
  const { volumes, group } = await readLvm(metadataOnly, storage)
  assert.deepEqual(
    volumes.map(({ name, size, tags }) => ({ name, size, tags })),
    [{ name: wish.name, size: 8 * MIB, tags: wish.tags }],
  )
  assert.equal(before.group.free - group.free, 8 * MIB)
  await extendVolume(metadataOnly, storage, wish.name, 9 * MIB)
  await extendVolume(metadataOnly, storage, wish.name, 3 * MIB)
  assert.equal((await readLvm(metadataOnly, storage)).volumes[0]?.size, 12 * MIB)
  await removeVolume(metadataOnly, storage, wish.name)
  await removeVolume(metadataOnly, storage, wish.name)
  assert.deepEqual(await readLvm(metadataOnly, storage), before)
})

test('what is not there or has no room is told by its code', { skip }, async (t) => {
  const storage = await makeGroup(t)
  const wish = { name: 'vmpkg.thick.large', bytes: 1024 * MIB, tags: [] }
  await assert.rejects(createVolume(metadataOnly, storage, wish), { code: 'NO_SPACE' })
  await assert.rejects(readLvm(metadataOnly, { name: 'x', volumeGroup: 'no-such-group' }), {
    code: 'STORAGE_UNAVAILABLE',
    message: /no-such-group/,
  })
  await assert.rejects(readLvm(metadataOnly, { ...storage, thinPool: 'pool0' }), { message: /is not a thin pool/ })
  assert.ok(Number(await readAutoextend(metadataOnly)) > 0)
})

test('a thin volume names its pool and takes nothing at once', () => {
  const wish = { name: 'vmpkg.thin.one', bytes: MIB + 1, tags: ['vmpkg'] }
  assert.deepEqual(createArguments({ name: 'thin', volumeGroup: 'vg0', thinPool: 'pool0' }, wish), [
    '--yes',
    '--quiet',
    '--name',
    'vmpkg.thin.one',
    '--addtag',
    'vmpkg',
    '--virtualsize',
    '1049088b',
    '--thinpool',
    'pool0',
    'vg0',
  ])
})
