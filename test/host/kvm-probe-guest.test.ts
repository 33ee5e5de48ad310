import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { formatProbeFirmware } from '../../src/host/kvm-probe-guest.ts'
import { realProcesses } from '../support/real-processes.ts'

const assembler = await realProcesses.run('sh', ['-c', 'command -v as && command -v ld && command -v objcopy'])

describe('formatProbeFirmware', () => {
  test('is 64 KiB, as QEMU asks of a firmware file', () => {
    assert.equal(formatProbeFirmware().length, 65_536)
  })

  test('is what the assembler makes of its text', {
    skip: assembler.exitCode !== 0 && 'binutils missing',
  }, async () => {
    const dir = await mkdtemp(join(tmpdir(), 'vmpkg-as-'))
    try {
      const script =
        'cd "$2" && as --64 "$1" -o g.o && ld -Ttext=0 -o g.elf g.o && objcopy -O binary -j .text g.elf g.bin'
      const source = join(import.meta.dirname, '../fixtures/kvm-probe-guest.S')
      const result = await realProcesses.run('sh', ['-c', script, 'sh', source, dir])
      assert.equal(result.exitCode, 0, result.stderr)
      assert.ok(Buffer.from(formatProbeFirmware()).equals(await readFile(join(dir, 'g.bin'))))
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  })
})
