import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { isVmpkgError } from '../../src/errors.ts'
import { systemProcesses } from '../../src/node/processes.ts'
import { makeUnifiedKernel } from '../../src/publish/unified-kernel.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const EPOCH = 1_767_225_600
const tools = { processes: systemProcesses, epoch: EPOCH }

async function makeInput(t: TestContext, stub: (folder: string) => Promise<string>) {
  const work = await makeTempFolder(t)
  const at = async (name: string, text: string): Promise<string> => {
    await writeFile(join(work, name), text)
    return join(work, name)
  }
  return {
    stub: await stub(work),
    kernel: await at('linux', 'K'.repeat(9000)),
    initrd: await at('initrd', 'I'.repeat(5000)),
    osRelease: await at('osrel', 'ID=debian\n'),
    commandLine: 'root=/dev/vda2 quiet',
    work,
    target: join(work, 'out.efi'),
  }
}

/** An EFI program of nothing, by the linker. */
async function linkStub(folder: string): Promise<string> {
  const [source, object, stub] = ['s.bin', 's.o', 'stub.efi'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  await writeFile(source, Buffer.alloc(64, 0xc3))
  const convert = [
    '-I',
    'binary',
    '-O',
    'pe-x86-64',
    '-B',
    'i386:x86-64',
    '--rename-section',
    '.data=.text,code',
    source,
    object,
  ]
  execFileSync('objcopy', convert)
  execFileSync('ld', ['-m', 'i386pep', '--subsystem', '10', '--image-base', '0', '-e', '0x1000', '-o', stub, object])
  return stub
}

describe('makeUnifiedKernel', () => {
  test('puts the four parts into the program, with the time of the recipe', async (t) => {
    const input = await makeInput(t, linkStub)
    await makeUnifiedKernel(tools, input)
    const list = execFileSync('objdump', ['-h', input.target], { encoding: 'utf8' })
    for (const name of ['.osrel', '.cmdline', '.linux', '.initrd']) assert.ok(list.includes(name), list)
    const read = async (section: string): Promise<string> => {
      const part = join(input.work, 'part')
      execFileSync('objcopy', ['-O', 'binary', `--only-section=${section}`, input.target, part])
      return (await readFile(part, 'latin1')).replace(/\0+$/, '')
    }
    assert.equal(await read('.cmdline'), input.commandLine)
    assert.equal(await read('.linux'), 'K'.repeat(9000))
    assert.equal(await read('.initrd'), 'I'.repeat(5000))
    const bytes = await readFile(input.target)
    const header = bytes.readUInt32LE(0x3c)
    assert.equal(bytes.readUInt32LE(header + 8), EPOCH)
  })

  test('refuses a stub that is not an EFI program', async (t) => {
    const input = await makeInput(t, async (folder) => {
      await writeFile(join(folder, 'stub.efi'), 'x'.repeat(500))
      return join(folder, 'stub.efi')
    })
    await assert.rejects(makeUnifiedKernel(tools, input), (error) => isVmpkgError(error, 'BUILD_FAILED'))
  })
})
