import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { Header, type HeaderData } from 'tar'
import { listBundle, unpackBundle, writeBundle } from '../../src/archive/bundle-file.ts'
import { isVmpkgError } from '../../src/errors.ts'
import { listTree, makeTempFolder } from '../support/temp-folder.ts'

const execute = promisify(execFile)
const DIGEST = 'a'.repeat(64)
const FILES: Readonly<Record<string, string>> = {
  'bundle.json': '{}',
  'envelope.json': 'envelope',
  'root/1.json': 'root one',
  'root/10.json': 'root ten',
  [`blob/${DIGEST}`]: 'x'.repeat(3000),
  [`index/${DIGEST}.jsonl.zst`]: '',
}

async function makeBundle(t: TestContext, files = FILES) {
  const folder = await makeTempFolder(t)
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, 'in', path)), { recursive: true })
    await writeFile(join(folder, 'in', path), text)
  }
  const file = join(folder, 'a.vmbundle')
  await using output = await open(file, 'w')
  await writeBundle(output, join(folder, 'in'), Object.keys(files))
  return { folder, file, out: join(folder, 'out') }
}

/** One entry as a hostile writer could spell it. */
function entry(fields: HeaderData, body = ''): Buffer {
  const block = Buffer.alloc(512)
  new Header({
    mode: 0o644,
    uid: 0,
    gid: 0,
    uname: '',
    gname: '',
    mtime: new Date(0),
    type: 'File',
    size: body.length,
    ...fields,
  }).encode(block)
  return Buffer.concat([block, Buffer.from(body), Buffer.alloc((512 - (body.length % 512)) % 512)])
}

const INFO = entry({ path: 'bundle.json' }, '{}')
const END = Buffer.alloc(1024)

describe('a bundle', () => {
  test('unpacks to what was packed, and GNU tar agrees', async (t) => {
    const { folder, file, out } = await makeBundle(t)
    await mkdir(out)
    const names = await unpackBundle(file, out)
    assert.deepEqual(names.toSorted(), Object.keys(FILES).toSorted())
    for (const name of names) assert.equal(await readFile(join(out, name), 'utf8'), FILES[name])
    await mkdir(join(folder, 'gnu'))
    await execute('tar', ['-C', join(folder, 'gnu'), '-xf', file])
    assert.deepEqual(await listTree(join(folder, 'gnu')), await listTree(out))
    const { info, entries } = await listBundle(file)
    assert.equal(Buffer.from(info).toString(), '{}')
    assert.deepEqual(
      entries.map(({ path }) => path),
      names,
    )
  })

  test('takes only files of the forms that a registry has, each once and in order', async (t) => {
    const folder = await makeTempFolder(t)
    const file = join(folder, 'hostile.vmbundle')
    const root = entry({ path: 'root/1.json' }, 'x')
    const hostile: Readonly<Record<string, readonly [Buffer, 'ARCHIVE_ENTRY_REFUSED' | 'ARCHIVE_INVALID']>> = {
      'a way out': [Buffer.concat([INFO, entry({ path: '../etc/passwd' }, 'x'), END]), 'ARCHIVE_ENTRY_REFUSED'],
      'an absolute path': [Buffer.concat([INFO, entry({ path: '/root/1.json' }, 'x'), END]), 'ARCHIVE_ENTRY_REFUSED'],
      'another name': [Buffer.concat([INFO, entry({ path: 'root/evil.sh' }, 'x'), END]), 'ARCHIVE_ENTRY_REFUSED'],
      'a link': [
        Buffer.concat([INFO, entry({ path: 'root/1.json', type: 'SymbolicLink', linkpath: '/etc' }), END]),
        'ARCHIVE_ENTRY_REFUSED',
      ],
      'a folder': [
        Buffer.concat([INFO, entry({ path: 'root/1.json', type: 'Directory' }), END]),
        'ARCHIVE_ENTRY_REFUSED',
      ],
      'a setuid file': [
        Buffer.concat([INFO, entry({ path: 'root/1.json', mode: 0o4755 }, 'x'), END]),
        'ARCHIVE_ENTRY_REFUSED',
      ],
      'an extended header': [
        Buffer.concat([INFO, entry({ path: 'root/1.json', type: 'ExtendedHeader' }, 'x'), END]),
        'ARCHIVE_ENTRY_REFUSED',
      ],
      'a name twice': [Buffer.concat([INFO, root, root, END]), 'ARCHIVE_ENTRY_REFUSED'],
      'the list twice': [Buffer.concat([INFO, INFO, END]), 'ARCHIVE_ENTRY_REFUSED'],
      'a large envelope': [
        Buffer.concat([INFO, entry({ path: 'envelope.json' }, 'x'.repeat(5000)), END]),
        'ARCHIVE_ENTRY_REFUSED',
      ],
      'a size beyond the file': [
        Buffer.concat([INFO, entry({ path: `blob/${DIGEST}`, size: 2 ** 40 }), END]),
        'ARCHIVE_INVALID',
      ],
      'no list': [Buffer.concat([root, END]), 'ARCHIVE_INVALID'],
      'no end': [Buffer.concat([INFO, root]), 'ARCHIVE_INVALID'],
      'something after the end': [Buffer.concat([INFO, END, root]), 'ARCHIVE_INVALID'],
      'a compressed file': [Buffer.from([0x1f, 0x8b, ...Buffer.alloc(2000)]), 'ARCHIVE_INVALID'],
      nothing: [Buffer.alloc(0), 'ARCHIVE_INVALID'],
    }
    for (const [name, [bytes, code]] of Object.entries(hostile)) {
      await writeFile(file, bytes)
      const out = join(folder, name)
      await mkdir(out)
      await assert.rejects(unpackBundle(file, out), (error: Error) => isVmpkgError(error, code), name)
    }
    assert.ok(!(await listTree(folder)).some((path) => /passwd|evil/.test(path)))
  })

  test('with any one byte of a header or a padding changed is refused', async (t) => {
    const { folder, file } = await makeBundle(t)
    const whole = await readFile(file)
    const { entries } = await listBundle(file)
    const outside = new Set<number>()
    let at = 0
    for (const { size } of entries) {
      for (let byte = at; byte < at + 512; byte++) outside.add(byte)
      const end = at + 512 + size
      at = end + ((512 - (size % 512)) % 512)
      for (let byte = end; byte < at; byte++) outside.add(byte)
    }
    const places = [...outside]
    const changed = join(folder, 'changed')
    await fc.assert(
      fc.asyncProperty(fc.nat(places.length - 1), fc.integer({ min: 1, max: 255 }), async (place, by) => {
        const bytes = Buffer.from(whole)
        const where = places[place] ?? 0
        bytes[where] = (bytes[where] ?? 0) ^ by
        await writeFile(changed, bytes)
        await assert.rejects(listBundle(changed), (error: Error) =>
          isVmpkgError(error, 'ARCHIVE_INVALID', 'ARCHIVE_ENTRY_REFUSED'),
        )
      }),
      { numRuns: 300 },
    )
  })
})
