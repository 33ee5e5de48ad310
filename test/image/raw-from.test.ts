import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFile, mkdir, open, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { rawFrom } from '../../src/image/raw-from.ts'
import { realProcesses } from '../support/real-processes.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const MIB = 2 ** 20

interface Place {
  readonly folder: string
  /** 16 MiB, mostly empty. */
  readonly raw: string
  readonly convert: (name: string, more?: Partial<Parameters<typeof rawFrom>[0]>) => Promise<Buffer>
}

async function makePlace(t: TestContext): Promise<Place> {
  const folder = await makeTempFolder(t)
  const raw = join(folder, 'disk.raw')
  {
    await using file = await open(raw, 'w')
    await file.truncate(16 * MIB)
    await file.write(Buffer.alloc(70_000, 7), 0, 70_000, 3 * MIB + 512)
  }
  let count = 0
  return {
    folder,
    raw,
    convert: async (name, more = {}) => {
      const work = join(folder, `work-${count++}`)
      await mkdir(work)
      const target = join(work, 'target')
      const options = { file: join(folder, name), name, maxBytes: 64 * MIB, work, target, processes: realProcesses }
      try {
        await rawFrom({ ...options, ...more })
      } catch (error) {
        assert.deepEqual(
          (await readdir(work)).filter((one) => one === 'target'),
          [],
          'nothing is left',
        )
        throw error
      }
      return readFile(target)
    },
  }
}

describe('rawFrom', () => {
  test('gives the same bytes from every format in every packing, with holes', async (t) => {
    const { folder, raw, convert } = await makePlace(t)
    const expected = await readFile(raw)
    const to = (format: string, name: string, ...more: readonly string[]): void => {
      execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', format, ...more, raw, join(folder, name)])
    }
    to('qcow2', 'a.qcow2')
    to('qcow2', 'packed.qcow2', '-c')
    to('vmdk', 'a.vmdk')
    to('vmdk', 'streamed.vmdk', '-o', 'subformat=streamOptimized')
    to('vdi', 'a.vdi')
    for (const name of ['disk.raw', 'a.qcow2', 'packed.qcow2', 'a.vmdk', 'streamed.vmdk', 'a.vdi']) {
      assert.ok((await convert(name)).equals(expected), name)
    }
    for (const [program, ending] of [
      ['gzip', 'gz'],
      ['xz', 'xz'],
      ['zstd', 'zst'],
      ['bzip2', 'bz2'],
    ] as const) {
      if (spawnSync(program, ['--version'], { input: '' }).error !== undefined) continue
      execFileSync(program, ['-q', '-k', raw], { stdio: 'ignore' })
      assert.ok((await convert(`disk.raw.${ending}`)).equals(expected), ending)
    }
    const { blocks } = await stat(join(folder, 'work-6', 'target'))
    assert.ok(blocks * 512 < MIB, 'holes stay holes')
  })

  test('a size other than the declared one is refused (A09)', async (t) => {
    const { convert } = await makePlace(t)
    assert.equal((await convert('disk.raw', { virtualSize: 16 * MIB })).length, 16 * MIB)
    await assert.rejects(convert('disk.raw', { virtualSize: 17 * MIB }), { code: 'IMAGE_INVALID' })
    await assert.rejects(convert('disk.raw', { maxBytes: MIB }), { code: 'SIZE_EXCEEDED' })
  })

  test('compression bombs end at the limit (A05)', async (t) => {
    const { folder, raw, convert } = await makePlace(t)
    for (const [program, ending] of [
      ['gzip', 'gz'],
      ['xz', 'xz'],
      ['zstd', 'zst'],
      ['bzip2', 'bz2'],
    ] as const) {
      if (spawnSync(program, ['--version'], { input: '' }).error !== undefined) continue
      execFileSync(program, ['-q', '-k', '-f', raw], { stdio: 'ignore' })
      await assert.rejects(convert(`disk.raw.${ending}`, { maxBytes: 2 * MIB }), { code: 'SIZE_EXCEEDED' }, ending)
    }
    await writeFile(join(folder, 'many.raw.gz'), gzipSync(Buffer.alloc(10)))
  })

  test('what is not compressed as its name says, or damaged, is refused', async (t) => {
    const { folder, raw, convert } = await makePlace(t)
    await copyFile(raw, join(folder, 'b.raw.xz'))
    await assert.rejects(convert('b.raw.xz'), { code: 'IMAGE_INVALID' })
    for (const program of ['gzip', 'xz', 'zstd']) {
      execFileSync(program, ['-q', '-k', '-f', raw], { stdio: 'ignore' })
      const name = `disk.raw.${{ gzip: 'gz', xz: 'xz', zstd: 'zst' }[program]}`
      const bytes = await readFile(join(folder, name))
      await writeFile(join(folder, name), bytes.subarray(0, bytes.length - 20))
      await assert.rejects(convert(name), { code: 'IMAGE_INVALID' }, name)
    }
  })

  test('a qcow2 image with reference counts that contradict its tables is refused (A09)', async (t) => {
    const { folder, raw, convert } = await makePlace(t)
    const path = join(folder, 'a.qcow2')
    execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, path])
    const bytes = await readFile(path)
    const table = Number(bytes.readBigUInt64BE(48))
    bytes.fill(0, Number(bytes.readBigUInt64BE(table)), Number(bytes.readBigUInt64BE(table)) + 16)
    await writeFile(path, bytes)
    await assert.rejects(convert('a.qcow2'), { code: 'IMAGE_INVALID', message: /contradict/ })
  })

  test('an image on another file is refused before any tool opens it (A07)', async (t) => {
    const { folder, convert } = await makePlace(t)
    const path = join(folder, 'a.qcow2')
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', '/etc/passwd', '-F', 'raw', path])
    await rename(path, join(folder, 'b.qcow2'))
    const processes = { run: () => Promise.reject(new Error('a tool was run')) }
    await assert.rejects(convert('b.qcow2', { processes }), { code: 'IMAGE_INVALID' })
  })
})
