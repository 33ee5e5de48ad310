import assert from 'node:assert/strict'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { formatMapVerity } from '../../src/publish/map-verity.ts'
import { realProcesses } from '../support/real-processes.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const assembler = await realProcesses.run('sh', ['-c', 'command -v as && command -v ld && command -v objcopy'])

describe('formatMapVerity', () => {
  test('is what the assembler makes of its text', {
    skip: assembler.exitCode !== 0 && 'binutils missing',
  }, async (t) => {
    const dir = await makeTempFolder(t)
    const script =
      'cd "$2" && as --64 "$1" -o m.o && ld -Ttext=0x400000 -o m.elf m.o && objcopy -O binary -j .text m.elf m.bin'
    const source = join(import.meta.dirname, '../fixtures/map-verity.S')
    const result = await realProcesses.run('sh', ['-c', script, 'sh', source, dir])
    assert.equal(result.exitCode, 0, result.stderr)
    assert.ok(Buffer.from(formatMapVerity()).equals(await readFile(join(dir, 'm.bin'))))
  })

  test('is a program that ends with 1 when it is called wrongly', {
    skip: process.arch !== 'x64' && 'not x86-64',
  }, async (t) => {
    const path = join(await makeTempFolder(t), 'map-verity')
    await writeFile(path, formatMapVerity())
    await chmod(path, 0o755)
    for (const args of [[], ['8'], ['8', 'a', 'b'], ['8x', 'a'], ['-8', 'a']]) {
      assert.equal((await realProcesses.run(path, args)).exitCode, 1, args.join(' '))
    }
  })
})
