import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { whileHeld } from '../../src/image/image-lock.ts'
import { realProcesses } from '../support/real-processes.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const withoutLoop = (process.getuid?.() !== 0 || !existsSync('/dev/loop-control')) && 'needs root and loop devices'

async function makeImage(t: TestContext): Promise<string> {
  const file = join(await makeTempFolder(t), 'disk.qcow2')
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', file, '1M'])
  return file
}

const hold = async (file: string, work: () => Promise<void> = async () => {}): Promise<void> =>
  whileHeld({ file, processes: realProcesses }, work)

describe('holdImage', () => {
  test('keeps every QEMU out as long as it holds, and no longer', async (t) => {
    const file = await makeImage(t)
    const open = (...args: readonly string[]) => spawnSync('qemu-io', [...args, '-c', 'read 0 512', file]).status
    assert.equal(open(), 0)
    await hold(file, async () => {
      assert.equal(open(), 1)
      assert.equal(open('-r'), 1)
      await assert.rejects(hold(file), { code: 'IMAGE_IN_USE' })
    })
    assert.equal(open(), 0)
    await assert.rejects(
      hold(file, async () => {
        throw new Error('failed')
      }),
      /failed/,
    )
    await hold(file)
  })

  test('keeps QEMU out of a block device', { skip: withoutLoop }, async (t) => {
    const file = join(await makeTempFolder(t), 'device.img')
    await writeFile(file, Buffer.alloc(4 * 1024 * 1024))
    const device = execFileSync('/usr/sbin/losetup', ['--find', '--show', file], { encoding: 'utf8' }).trim()
    try {
      execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', device, '1M'])
      const open = () => spawnSync('qemu-io', ['-f', 'qcow2', '-c', 'read 0 512', device]).status
      await hold(device, async () => assert.equal(open(), 1))
      assert.equal(open(), 0)
    } finally {
      execFileSync('/usr/sbin/losetup', ['--detach', device])
    }
  })

  for (const [how, args] of [
    ['writes to it', []],
    ['only reads it, as a guest does that stands on it', ['-r']],
  ] as const) {
    test(`refuses while a QEMU ${how}`, async (t) => {
      const file = await makeImage(t)
      const other = spawn('qemu-io', [...args, file], { stdio: ['pipe', 'pipe', 'ignore'] })
      await once(other.stdout, 'data')
      await assert.rejects(hold(file), { code: 'IMAGE_IN_USE', details: { file } })
      other.stdin.end('quit\n')
      await once(other, 'exit')
      await hold(file)
    })
  }

  test('lets go when it is interrupted', async (t) => {
    const file = await makeImage(t)
    const abort = new AbortController()
    const options = { file, processes: realProcesses, signal: abort.signal }
    await whileHeld(options, async () => abort.abort())
    await hold(file)
  })
})
