import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, open, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { Header, type HeaderData } from 'tar'
import { listBundle, unpackBundle, writeBundle } from '../../src/archive/bundle-file.ts'
import { isVmpkgError } from '../../src/errors.ts'
import { listTree, makeTempFolder } from '../support/temp-folder.ts'
import { recordSyncs } from '../support/watch-files.ts'

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

/** A block with other bytes at a place, and a right checksum. */
function spelled(block: Buffer, at: number, bytes: string | Uint8Array): Buffer {
  const copy = Buffer.from(block)
  copy.set(Buffer.from(bytes), at)
  copy.fill(' ', 148, 156)
  const sum = copy.subarray(0, 512).reduce((total, byte) => total + byte, 0)
  copy.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return copy
}

/** Reads a bundle of these parts. */
async function readParts(t: TestContext, ...parts: readonly Buffer[]) {
  const file = join(await makeTempFolder(t), 'parts.vmbundle')
  await writeFile(file, Buffer.concat(parts))
  return listBundle(file)
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
        Buffer.concat([INFO, entry({ path: 'envelope.json' }, 'x'.repeat(4 * 2 ** 20 + 1)), END]),
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

  test('unpacks to files for their owner only, whatever the umask, whose names are on the disk', async (t) => {
    const { file, out } = await makeBundle(t)
    await mkdir(out)
    const umask = process.umask(0)
    const synced = await recordSyncs(t)
    try {
      await unpackBundle(file, out)
    } finally {
      process.umask(umask)
    }
    assert.equal((await stat(join(out, 'root/1.json'))).mode & 0o7777, 0o600)
    assert.equal(synced.at(-1), out)
    const flat = await makeBundle(t, { 'bundle.json': '{}', 'envelope.json': '{}' })
    await mkdir(flat.out)
    const before = synced.length
    await unpackBundle(flat.file, flat.out)
    assert.deepEqual(synced.slice(before), [flat.out])
  })

  test('holds files larger than the pieces it is read in', async (t) => {
    const large = `${'0123456789abcdef'.repeat(65_536)}the rest`
    const { file, out } = await makeBundle(t, { 'bundle.json': '{}', [`blob/${DIGEST}`]: large })
    await mkdir(out)
    await unpackBundle(file, out)
    assert.equal(await readFile(join(out, `blob/${DIGEST}`), 'utf8'), large)
  })

  test('is written of names of a registry and of plain files only', async (t) => {
    await assert.rejects(makeBundle(t, { 'bundle.json': '{}', 'root/evil.sh': '' }), {
      code: 'ARCHIVE_ENTRY_REFUSED',
      message: 'Entry "root/evil.sh" of the bundle is not a file of a registry',
    })
    const folder = await makeTempFolder(t)
    await symlink('/etc/passwd', join(folder, 'bundle.json'))
    await using output = await open(join(folder, 'a.vmbundle'), 'w')
    await assert.rejects(writeBundle(output, folder, []), { code: 'ELOOP' })
  })

  test('has no more entries than it may have, for who reads it and for who writes it', async (t) => {
    const { folder, file } = await makeBundle(t)
    const count = Object.keys(FILES).length
    assert.equal((await listBundle(file, undefined, count)).entries.length, count)
    await assert.rejects(listBundle(file, undefined, count - 1), {
      code: 'ARCHIVE_INVALID',
      message: `The bundle has more than ${count - 1} entries`,
    })
    await using output = await open(file, 'w')
    const write = (files: number) => writeBundle(output, folder, Array(files).fill('envelope.json'))
    await assert.rejects(write(999_999), { code: 'ENOENT' }) // with its list, a million: the first one is not there
    await assert.rejects(write(1_000_000), {
      code: 'ARCHIVE_INVALID',
      message: 'A bundle of 1000001 files has more than 1000000 entries',
    })
  })

  test('is a file and nothing else', async (t) => {
    const folder = await makeTempFolder(t)
    const fifo = join(folder, 'fifo')
    await execute('mkfifo', [fifo])
    for (const path of [fifo, folder]) {
      await assert.rejects(listBundle(path), { code: 'ARCHIVE_INVALID', message: /not a file$/ })
      await assert.rejects(unpackBundle(path, folder), { code: 'ARCHIVE_INVALID', message: /not a file$/ })
    }
  })

  test('is read no further when the user gives up', async (t) => {
    const { file, out } = await makeBundle(t)
    await assert.rejects(unpackBundle(file, out, AbortSignal.abort()), { code: 'ABORTED' })
    await assert.rejects(listBundle(file, AbortSignal.abort()), { code: 'ABORTED' })
  })

  test('says what is wrong with it', async (t) => {
    const root = (version: number) => entry({ path: `root/${version}.json` }, 'x')
    const padded = Buffer.from(root(1))
    padded[600] = 1
    const late = Buffer.alloc(1024)
    late[1023] = 1
    const cases: Readonly<Record<string, readonly Buffer[]>> = {
      'is out of order': [INFO, root(2), root(1), END],
      'is there twice': [INFO, root(1), INFO, END],
      'has something in its padding': [INFO, padded, END],
      'is not a plain file': [INFO, spelled(root(1), 100, '0000755'), END],
      'is not a file of a registry': [INFO, entry({ path: 'root/x.json' }), END],
      'has no proper end': [INFO, late],
      'is not a bundle': [INFO, spelled(root(1), 257, '\0\0\0\0\0'), END],
      'is cut off': [INFO, root(1).subarray(0, 300)],
    }
    for (const [message, parts] of Object.entries(cases)) {
      await assert.rejects(readParts(t, ...parts), (error: Error) => error.message.endsWith(message), message)
    }
    const wrongSum = Buffer.from(root(1))
    wrongSum[150] = (wrongSum[150] ?? 0) ^ 1
    await assert.rejects(readParts(t, INFO, wrongSum, END), { message: 'The bundle is not a bundle' })
    await assert.rejects(readParts(t, END), { message: 'The bundle has no proper end' })
    await assert.rejects(readParts(t, INFO, END, END), { message: 'The bundle has no proper end' })
    for (const cut of [1, 511, 513, 1023]) {
      await assert.rejects(readParts(t, INFO, END.subarray(0, cut)), { code: 'ARCHIVE_INVALID' }, `${cut}`)
    }
  })

  test('whose list comes in its order may hold names that sort before it', async (t) => {
    const { entries } = await readParts(t, INFO, entry({ path: `blob/${DIGEST}` }, 'x'), END)
    assert.equal(entries.length, 2)
    await assert.rejects(readParts(t, INFO, entry({ path: 'root/1.json' }), entry({ path: `blob/${DIGEST}` }), END), {
      message: /out of order/,
    })
  })

  test('writes nothing of an entry that is longer than the rest of the file', async (t) => {
    const folder = await makeTempFolder(t)
    const [file, out] = [join(folder, 'cut.vmbundle'), join(folder, 'out')]
    await mkdir(out)
    await writeFile(file, Buffer.concat([INFO, entry({ path: 'envelope.json', size: 3000 })]))
    await assert.rejects(unpackBundle(file, out), { message: 'The bundle is cut off' })
    assert.deepEqual(await readdir(out), ['bundle.json'])
  })

  test('bounds a file by what it is', async (t) => {
    const most: Readonly<Record<string, number>> = {
      'envelope.json': 4 * 2 ** 20,
      [`map/${DIGEST}`]: 512 * 2 ** 20,
      [`transport/${DIGEST}`]: 512 * 2 ** 20,
      [`package/${DIGEST}.vmpkg`]: 32 * 2 ** 20,
      [`index/${DIGEST}.jsonl.zst`]: 64 * 2 ** 20,
    }
    for (const [path, size] of Object.entries(most)) {
      await assert.rejects(readParts(t, INFO, entry({ path, size })), { message: /is cut off$/ }, path)
      await assert.rejects(readParts(t, INFO, entry({ path, size: size + 1 })), { message: /is too large$/ }, path)
    }
    const info = (size: number) => readParts(t, entry({ path: 'bundle.json' }, ' '.repeat(size)), END)
    assert.equal((await info(2 ** 20)).info.length, 2 ** 20)
    await assert.rejects(info(2 ** 20 + 1), { code: 'ARCHIVE_ENTRY_REFUSED', message: /is too large$/ })
  })

  test('refuses sizes below zero and beyond what a number holds', async (t) => {
    const blob = entry({ path: `blob/${DIGEST}` })
    const size = (...bytes: readonly number[]) => Buffer.from([...bytes, ...Buffer.alloc(12 - bytes.length, 0xff)])
    await assert.rejects(readParts(t, INFO, spelled(blob, 124, size(0xff)), END), { message: /is not a plain file$/ })
    await assert.rejects(readParts(t, INFO, spelled(blob, 124, size(0x80)), END), { message: /is not a bundle$/ })
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
    const damaged = join(folder, 'changed')
    await fc.assert(
      fc.asyncProperty(fc.nat(places.length - 1), fc.integer({ min: 1, max: 255 }), async (place, by) => {
        const bytes = Buffer.from(whole)
        const where = places[place] ?? 0
        bytes[where] = (bytes[where] ?? 0) ^ by
        await writeFile(damaged, bytes)
        await assert.rejects(listBundle(damaged), (error: Error) =>
          isVmpkgError(error, 'ARCHIVE_INVALID', 'ARCHIVE_ENTRY_REFUSED'),
        )
      }),
      { numRuns: 300 },
    )
  })
})
