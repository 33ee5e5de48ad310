import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError } from '../../src/errors.ts'
import { verifyForeignHeader } from '../../src/image/foreign-header.ts'
import type { ImageFormat } from '../../src/image/format.ts'
import { readEnds } from '../../src/image/to-raw.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const MIB = 2 ** 20

async function make(folder: string, format: string, options: readonly string[] = []): Promise<string> {
  const path = join(folder, `disk-${options.join('-').replaceAll(/[^a-z]/gi, '')}.${format}`)
  execFileSync('qemu-img', ['create', '-q', '-f', format, ...options, path, '64M'])
  return path
}

const verify = async (format: ImageFormat, path: string): Promise<number> =>
  verifyForeignHeader(format, await readEnds(path))

describe('verifyForeignHeader', () => {
  test('reads the virtual size of what qemu-img makes', async (t) => {
    const folder = await makeTempFolder(t)
    for (const [format, options] of [
      ['qcow2', []],
      ['qcow2', ['-o', 'compat=0.10']],
      ['qcow2', ['-o', 'extended_l2=on']],
      ['qcow2', ['-o', 'cluster_size=512']],
      ['vmdk', []],
      ['vdi', []],
      ['vdi', ['-o', 'static=on']],
    ] as const) {
      assert.equal(
        await verify(format, await make(folder, format, options)),
        64 * MIB,
        `${format} ${options.join(' ')}`,
      )
    }
    const streamed = join(folder, 'streamed.vmdk')
    const source = await make(folder, 'qcow2')
    execFileSync('qemu-img', ['convert', '-O', 'vmdk', '-o', 'subformat=streamOptimized', source, streamed])
    assert.equal(await verify('vmdk', streamed), 64 * MIB)
  })

  test('refuses qcow2 with a backing file, a data file, snapshots or encryption', async (t) => {
    const folder = await makeTempFolder(t)
    const snapshots = await make(folder, 'qcow2')
    execFileSync('qemu-img', ['snapshot', '-c', 'one', snapshots])
    const locked = await make(folder, 'qcow2', ['-o', 'lazy_refcounts=on'])
    const bytes = await readFile(locked)
    bytes.writeUInt32BE(2, 32)
    await writeFile(locked, bytes)
    for (const path of [
      await make(folder, 'qcow2', ['-b', '/etc/passwd', '-F', 'raw']),
      await make(folder, 'qcow2', ['-o', `data_file=${join(folder, 'data')},data_file_raw=on`]),
      snapshots,
      locked,
    ]) {
      await assert.rejects(verify('qcow2', path), { code: 'IMAGE_INVALID' }, path)
    }
  })

  test('refuses VMDKs that consist of other files or stand on one', async (t) => {
    const folder = await makeTempFolder(t)
    for (const kind of ['monolithicFlat', 'twoGbMaxExtentSparse', 'twoGbMaxExtentFlat']) {
      await assert.rejects(verify('vmdk', await make(folder, 'vmdk', ['-o', `subformat=${kind}`])), {
        code: 'IMAGE_INVALID',
      })
    }
    const base = await make(folder, 'vmdk')
    await assert.rejects(verify('vmdk', await make(folder, 'vmdk', ['-b', base, '-F', 'vmdk'])), {
      code: 'IMAGE_INVALID',
    })
  })

  test('refuses a VMDK whose capacity of 0 makes QEMU open the files that its description names', async (t) => {
    const path = await make(await makeTempFolder(t), 'vmdk')
    const bytes = await readFile(path)
    bytes.writeBigUInt64LE(0n, 12)
    await writeFile(path, bytes)
    await assert.rejects(verify('vmdk', path), { code: 'IMAGE_INVALID', message: /list of files/ })
  })

  test('refuses a VMDK whose description names another extent, type or parent', async (t) => {
    const path = await make(await makeTempFolder(t), 'vmdk')
    const good = await readFile(path)
    for (const [from, to] of [
      ['RW 131072 SPARSE "disk-.vmdk"', 'RW 131072 FLAT "/etc/passwd" '],
      ['RW 131072 SPARSE "disk-.vmdk"', 'RW 131072 SPARSE "/etc/hosts'],
      ['RW 131072 SPARSE', 'RW 999999 SPARSE'],
      ['createType="monolithicSparse"', 'createType="monolithicFlat"  '],
      ['parentCID=ffffffff', 'parentCID=00000001'],
    ] as const) {
      const bytes = Buffer.from(good)
      const at = bytes.indexOf(from)
      assert.ok(at > 0, from)
      bytes.write(to, at, 'latin1')
      await writeFile(path, bytes)
      await assert.rejects(verify('vmdk', path), { code: 'IMAGE_INVALID' }, to)
    }
  })

  test('refuses a VDI that is a difference, names a parent or is cut off', async (t) => {
    const path = await make(await makeTempFolder(t), 'vdi')
    const good = await readFile(path)
    for (const change of [
      (bytes: Buffer) => bytes.writeUInt32LE(4, 76),
      (bytes: Buffer) => bytes.writeUInt32LE(1, 424),
      (bytes: Buffer) => bytes.writeUInt32LE(1, 440),
      (bytes: Buffer) => bytes.writeBigUInt64LE(2n ** 60n, 368),
      (bytes: Buffer) => bytes.writeUInt32LE(50, 388),
      (bytes: Buffer) => bytes.writeUInt32LE(0xffffffff, 340),
    ]) {
      const bytes = Buffer.from(good)
      change(bytes)
      await writeFile(path, bytes)
      await assert.rejects(verify('vdi', path), { code: 'IMAGE_INVALID' })
    }
  })

  test('accepts an ISO image and refuses one that is cut off', async (t) => {
    const folder = await makeTempFolder(t)
    await writeFile(join(folder, 'a'), 'x'.repeat(100_000))
    const path = join(folder, 'disk.iso')
    execFileSync('xorriso', ['-as', 'mkisofs', '-quiet', '-o', path, join(folder, 'a')], { stdio: 'ignore' })
    const bytes = await readFile(path)
    assert.equal(await verify('iso', path), bytes.length)
    await writeFile(path, bytes.subarray(0, 100_000))
    await assert.rejects(verify('iso', path), { code: 'IMAGE_INVALID', message: /cut off/ })
  })

  test('accepts or refuses any header, and never fails otherwise', async (t) => {
    const folder = await makeTempFolder(t)
    const seeds = await Promise.all(
      (['qcow2', 'vmdk', 'vdi'] as const).map(async (format) => ({
        format,
        ends: await readEnds(await make(folder, format)),
      })),
    )
    const change = fc.tuple(fc.nat(1600), fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 127, 128, 255)))
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(change, { minLength: 1, maxLength: 12 }),
        fc.nat(70_000),
        ({ format, ends }, changes, cut) => {
          const head = Buffer.from(ends.head.subarray(0, cut > 66_000 ? cut % 200 : undefined))
          for (const [at, byte] of changes) if (at < head.length) head[at] = byte
          try {
            const size = verifyForeignHeader(format, { ...ends, head })
            assert.ok(size > 0 && size <= 2 ** 44)
          } catch (error) {
            assert.ok(isVmpkgError(error, 'IMAGE_INVALID'), String(error))
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})
