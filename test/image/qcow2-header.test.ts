import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError } from '../../src/errors.ts'
import { parseQcow2Header, readQcow2Header, verifyOverlay } from '../../src/image/qcow2-header.ts'
import { formatOverlay, writeOverlay } from '../../src/image/qcow2-overlay.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

describe('readQcow2Header', () => {
  test('reads what qemu-img makes', async (t) => {
    const folder = await makeTempFolder(t)
    const [base, path] = [join(folder, 'base'), join(folder, 'disk')]
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', base, '3M'])
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', path, '5M'])
    const header = await readQcow2Header(path)
    assert.equal(header.virtualSize, 5 * 2 ** 20)
    assert.equal(header.backingFile, base)
    assert.equal(header.backingFormat, 'qcow2')
    assert.equal((await readQcow2Header(base)).backingFile, undefined)
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', 'compat=0.10', join(folder, 'old'), '1M'])
    assert.equal((await readQcow2Header(join(folder, 'old'))).version, 2)
  })

  test('refuses an external data file', async (t) => {
    const folder = await makeTempFolder(t)
    const options = `data_file=${join(folder, 'data')},data_file_raw=on`
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, join(folder, 'disk'), '1M'])
    await assert.rejects(readQcow2Header(join(folder, 'disk')), { code: 'IMAGE_INVALID' })
  })

  test('refuses a raw disk and a file that is too short', async (t) => {
    const folder = await makeTempFolder(t)
    for (const [name, bytes] of [
      ['raw', Buffer.alloc(100_000)],
      ['short', Buffer.from('QFI\xfb\0\0\0\x03', 'latin1')],
      ['empty', Buffer.alloc(0)],
    ] as const) {
      await writeFile(join(folder, name), bytes)
      await assert.rejects(readQcow2Header(join(folder, name)), { code: 'IMAGE_INVALID' })
    }
  })

  test('follows no symbolic link', async (t) => {
    const folder = await makeTempFolder(t)
    await writeFile(join(folder, 'disk'), formatOverlay('/base', 2 ** 20))
    await symlink('disk', join(folder, 'link'))
    await assert.rejects(readQcow2Header(join(folder, 'link')), { code: 'ELOOP' })
  })
})

describe('verifyOverlay', () => {
  test('accepts our overlay on its base only', async (t) => {
    const path = join(await makeTempFolder(t), 'overlay')
    await writeOverlay({ path, backing: '/images/a', virtualSize: 2 ** 20 })
    assert.equal((await verifyOverlay(path, { backing: '/images/a', virtualSize: 2 ** 20 })).backingFormat, 'raw')
    await assert.rejects(verifyOverlay(path, { backing: '/images/b' }), { code: 'IMAGE_INVALID' })
    await assert.rejects(verifyOverlay(path, { backing: '/images/a', virtualSize: 2 ** 21 }), { code: 'IMAGE_INVALID' })
  })

  test('refuses a base without its format, snapshots and encryption', async (t) => {
    const path = join(await makeTempFolder(t), 'overlay')
    const changes: readonly ((bytes: Buffer) => void)[] = [
      (bytes) => bytes.writeUInt32BE(0, 112), // ends the extensions before the backing format
      (bytes) => bytes.write('qcw', 120), // another format
      (bytes) => bytes.writeUInt32BE(1, 60), // a snapshot
      (bytes) => bytes.writeUInt32BE(2, 32), // LUKS
    ]
    for (const change of changes) {
      const bytes = formatOverlay('/images/a', 2 ** 20)
      change(bytes)
      await writeFile(path, bytes)
      await assert.rejects(verifyOverlay(path, { backing: '/images/a' }), { code: 'IMAGE_INVALID' })
    }
  })
})

describe('parseQcow2Header', () => {
  test('fails in no other way on 10,000 mutations of a header', () => {
    const bytes = formatOverlay('/images/base', 2 ** 30).subarray(0, 512)
    const mutation = fc.array(fc.tuple(fc.nat(160), fc.nat(255)), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(mutation, fc.option(fc.nat(512)), (changes, end) => {
        const mutated = Buffer.from(bytes.subarray(0, end ?? 512))
        for (const [place, value] of changes) if (place < mutated.length) mutated[place] = value
        try {
          const { virtualSize, backingFile } = parseQcow2Header(mutated)
          assert.ok(virtualSize <= 2 ** 44)
          assert.ok(backingFile === undefined || backingFile.length <= 1023)
        } catch (error) {
          if (!isVmpkgError(error, 'IMAGE_INVALID')) throw error
        }
      }),
      { numRuns: 10_000 },
    )
  })
})
