import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { systemProcesses } from '../../src/node/processes.ts'
import { makeUefiDisk } from '../../src/publish/uefi-disk.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const tools = { processes: systemProcesses, epoch: 1_767_225_600 }
const PROGRAM = Buffer.from('a kernel image\n'.repeat(1000))

async function make(t: TestContext): Promise<string> {
  const work = await makeTempFolder(t)
  const root = join(work, 'root')
  await mkdir(join(root, 'etc'), { recursive: true })
  await writeFile(join(root, 'etc/name'), 'x', { mode: 0o644 })
  const kernelImage = join(work, 'kernel.efi')
  await writeFile(kernelImage, PROGRAM)
  const target = join(work, 'disk')
  await makeUefiDisk(tools, {
    kernelImage,
    root,
    ownerships: new Map(),
    identity: 'tiny 1',
    label: 'tiny',
    sizeBytes: 256 * 1024 * 1024,
    work,
    target,
  })
  return target
}

const digest = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex')

describe('makeUefiDisk', () => {
  test('gives the same bytes at another time', async (t) => {
    const first = await digest(await make(t))
    // FAT counts in steps of two seconds.
    await wait(2100)
    assert.equal(await digest(await make(t)), first)
  })

  test('makes tables that sfdisk accepts, a FAT with the kernel image at the fallback path, and a sound root', async (t) => {
    const disk = await make(t)
    execFileSync('sfdisk', ['--verify', disk], { stdio: 'ignore' })
    const { partitiontable } = JSON.parse(execFileSync('sfdisk', ['--json', disk], { encoding: 'utf8' })) as {
      partitiontable: { label: string; partitions: { start: number; type: string }[] }
    }
    assert.equal(partitiontable.label, 'gpt')
    const [esp, root] = partitiontable.partitions
    assert.equal(esp?.type, 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B')
    const copy = `${disk}.efi`
    execFileSync('mcopy', ['-i', `${disk}@@${(esp?.start ?? 0) * 512}`, '::/EFI/BOOT/BOOTX64.EFI', copy])
    assert.deepEqual(await readFile(copy), PROGRAM)
    execFileSync('e2fsck', ['-fn', `${disk}?offset=${(root?.start ?? 0) * 512}`], { stdio: 'ignore' })
  })
})
