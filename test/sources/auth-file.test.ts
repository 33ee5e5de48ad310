import assert from 'node:assert/strict'
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { findAuth, parseAuthFile, readAuthFiles } from '../../src/sources/auth-file.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const TEXT = `# our mirrors
machine a.example login ada password one
machine a.example:8443/vmpkg
  login ada
  password two # over several lines, as netrc has it
machine b.example/deep/folder login bob password three
machine http://proxy.example:3128 login carl password four
`
const entries = parseAuthFile(TEXT, 'auth.conf')
const password = (url: string): string | undefined => findAuth(entries, new URL(url))?.password

describe('findAuth', () => {
  for (const [url, expected] of [
    ['https://a.example/', 'one'],
    ['https://a.example:8443/vmpkg/', 'one'], // the first that fits
    ['https://b.example/deep/folder/', 'three'],
    ['https://b.example/deep/folderol/', undefined],
    ['https://b.example/', undefined],
    ['http://a.example/', undefined],
    ['https://a.example.org/', undefined],
    ['http://proxy.example:3128/', 'four'],
    ['http://proxy.example/', undefined],
    ['https://proxy.example:3128/', undefined],
  ] as const) {
    test(`gives ${expected ?? 'nothing'} for ${url}`, () => assert.equal(password(url), expected))
  }

  test('knows a port that is the default one', () => {
    const [entry] = parseAuthFile('machine c.example:443 login x password y', 'f')
    assert.ok(entry)
    assert.equal(findAuth([entry], new URL('https://c.example/')), entry)
    assert.equal(findAuth([entry], new URL('https://c.example:8443/')), undefined)
  })
})

describe('parseAuthFile', () => {
  for (const text of [
    'login ada password secret',
    'machine',
    'machine ftp://a.example login ada password secret',
    'machine https://ada@a.example login ada password secret',
    'machine a.example login ada login bob password secret',
    'machine a.example login ada account x password secret',
    'machine a.example login ada password',
  ]) {
    test(`refuses ${text}, without repeating what it says`, () => {
      assert.throws(
        () => parseAuthFile(text, 'auth.conf'),
        (error) =>
          error instanceof Error &&
          'code' in error &&
          error.code === 'SOURCE_INVALID' &&
          !error.message.includes('secret'),
      )
    })
  }
})

describe('readAuthFiles', () => {
  test('reads the file, then those of its folder by name; none need be there', async (t) => {
    const file = join(await makeTempFolder(t), 'auth.conf')
    assert.deepEqual(await readAuthFiles(file), [])
    await mkdir(`${file}.d`)
    await writeFile(file, 'machine a login 1 password x', { mode: 0o600 })
    await writeFile(`${file}.d/20.conf`, 'machine a login 3 password x', { mode: 0o600 })
    await writeFile(`${file}.d/10.conf`, 'machine a login 2 password x', { mode: 0o600 })
    await writeFile(`${file}.d/README`, 'not one of them', { mode: 0o644 })
    assert.deepEqual(
      (await readAuthFiles(file)).map(({ login }) => login),
      ['1', '2', '3'],
    )
  })

  test('refuses what others may read, a link, and what is no file', async (t) => {
    const folder = await makeTempFolder(t)
    const file = join(folder, 'auth.conf')
    await writeFile(file, TEXT)
    for (const mode of [0o644, 0o640, 0o604, 0o660]) {
      await chmod(file, mode)
      await assert.rejects(readAuthFiles(file), { code: 'SOURCE_INVALID', message: /can be read by others/ })
    }
    await chmod(file, 0o600)
    await symlink(file, join(folder, 'link'))
    await assert.rejects(readAuthFiles(join(folder, 'link')), { code: 'SOURCE_INVALID' })
    await assert.rejects(readAuthFiles(folder), { code: 'SOURCE_INVALID' })
  })
})
