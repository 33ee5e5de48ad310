import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isVmpkgError } from '../../src/errors.ts'
import { formatIso, parseIso } from '../../src/image/iso9660.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const SECONDS = 1_767_225_600
const name = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,63}$/)
const someFiles = fc
  .dictionary(name, fc.uint8Array({ maxLength: 5000 }), { maxKeys: 32, noNullPrototype: true })
  .map((files) => new Map(Object.entries(files)))

const volumeOf = (files: ReadonlyMap<string, Uint8Array>): Buffer =>
  formatIso({ label: 'VMPKGCFG', files, seconds: SECONDS })
const plain = (files: ReadonlyMap<string, Uint8Array>): Record<string, string> =>
  Object.fromEntries([...files].map(([key, bytes]) => [key, Buffer.from(bytes).toString('hex')]))

describe('formatIso', () => {
  test('what it writes is what parseIso reads, for any names and contents', () => {
    fc.assert(fc.property(someFiles, (files) => assert.deepEqual(plain(parseIso(volumeOf(files), 'x')), plain(files))))
  })

  test('xorriso takes out the same files, with the same names, without a word of complaint', async (t) => {
    const folder = await makeTempFolder(t)
    let run = 0
    await fc.assert(
      fc.asyncProperty(someFiles, async (files) => {
        const [image, out] = [join(folder, `${run}.iso`), join(folder, `${run}`)]
        run++
        await writeFile(image, volumeOf(files))
        const args = ['-report_about', 'NOTE', '-osirrox', 'on', '-indev', image, '-extract', '/', out]
        const { stderr, status } = spawnSync('xorriso', args, { encoding: 'utf8' })
        assert.equal(status, 0, stderr)
        assert.doesNotMatch(stderr, /WARNING|SORRY|FAILURE/)
        const found = new Map<string, Uint8Array>()
        for (const one of await readdir(out).catch(() => [])) found.set(one, await readFile(join(out, one)))
        assert.deepEqual(plain(found), plain(files))
      }),
      { numRuns: 12 },
    )
  })

  test('has the label, the size that it says, whole sectors and the same bytes for the same files in any order', () => {
    const files = new Map([
      ['b', Buffer.from('1')],
      ['a', Buffer.alloc(2049, 2)],
    ])
    const volume = volumeOf(files)
    assert.equal(volume.toString('latin1', 16 * 2048 + 40, 16 * 2048 + 72), 'VMPKGCFG'.padEnd(32))
    assert.equal(volume.readUInt32LE(16 * 2048 + 80) * 2048, volume.length)
    assert.deepEqual(volumeOf(new Map([...files].toReversed())), volume)
    assert.notDeepEqual(volumeOf(new Map([...files, ['c', Buffer.alloc(0)]])), volume)
  })

  test('gives each file a short name of its own, for readers without Rock Ridge', () => {
    const names = [
      'aaaaaaaaa1',
      'aaaaaaaaa2',
      'aaaaa000',
      'a.b.c',
      'a-b.conf',
      'a_b.conf',
      'nft.nft',
      '1',
      '..x'.slice(2),
    ]
    const volume = volumeOf(new Map(names.map((one) => [one, Buffer.from(one)])))
    // With the signature of names broken, only the short ones are left.
    const blind = Buffer.from(volume.toString('latin1').replaceAll('NM', 'XX'), 'latin1')
    const short = [...parseIso(blind, 'x').keys()]
    assert.equal(new Set(short).size, names.length)
    for (const one of short) assert.match(one, /^[A-Z0-9_]{1,8}(?:\.[A-Z0-9_]{1,3})?$/)
    assert.deepEqual(short, short.toSorted())
  })
})

describe('parseIso', () => {
  test('reads what xorriso writes', async (t) => {
    const folder = await makeTempFolder(t)
    const files = new Map([
      ['vmpkg.env', Buffer.from('HOSTNAME=a\n')],
      [`${'n'.repeat(60)}.nft`, Buffer.alloc(100_000, 7)],
      ['empty', Buffer.alloc(0)],
    ])
    await mkdir(join(folder, 'in', 'below'), { recursive: true })
    for (const [key, bytes] of files) await writeFile(join(folder, 'in', key), bytes)
    const image = join(folder, 'x.iso')
    execFileSync('xorriso', ['-as', 'mkisofs', '-quiet', '-R', '-r', '-o', image, join(folder, 'in')], {
      stdio: 'ignore',
    })
    assert.deepEqual(plain(parseIso(await readFile(image), 'x')), plain(files))
  })

  test('says of anything else that it is none', () => {
    const refused = (error: unknown): boolean => isVmpkgError(error, 'IMAGE_INVALID')
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(40_000), volumeOf(new Map()).subarray(0, 41_000)]) {
      assert.throws(() => parseIso(bytes, 'config.iso'), refused)
    }
  })

  test('reads nothing outside of the volume, and throws nothing but that, whatever byte is changed', () => {
    const volume = volumeOf(
      new Map([
        ['a', Buffer.from('text')],
        ['some-long-name.conf', Buffer.alloc(3000, 1)],
      ]),
    )
    const places = fc.integer({ min: 16 * 2048, max: volume.length - 1 })
    fc.assert(
      fc.property(fc.array(fc.tuple(places, fc.nat(255)), { minLength: 1, maxLength: 4 }), (changes) => {
        const bytes = Buffer.from(volume)
        for (const [at, value] of changes) bytes[at] = value
        try {
          for (const content of parseIso(bytes, 'x').values()) assert.ok(content.length <= bytes.length)
        } catch (error) {
          assert.ok(isVmpkgError(error, 'IMAGE_INVALID'), String(error))
        }
      }),
      { numRuns: 2000 },
    )
  })
})
