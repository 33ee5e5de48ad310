import assert from 'node:assert/strict'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { generateKey, getCertificate } from '../../src/publish/key.ts'
import { completeKeyFolder, findUnfinishedKeyFiles } from '../../src/publish/key-folder.ts'
import { fixedClock } from '../support/fixed-clock.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const UUID = '01234567-89ab-cdef-0123-456789abcdef'

test('a secret key without its certificate gets it back, with a passphrase too, and unfinished files go', async (t) => {
  const folder = await makeTempFolder(t)
  const clock = fixedClock()
  const made = [
    await generateKey({ name: 'a', folder, clock }),
    await generateKey({ name: 'b', folder, clock, passphrase: 'x' }),
  ]
  const before = (await readdir(folder)).toSorted()
  for (const { fingerprint } of made) await rm(join(folder, `${fingerprint}.asc`))
  const unfinished = `${made[0]?.fingerprint}.secret.asc.${UUID}.tmp`
  await writeFile(join(folder, unfinished), '-----BEGIN')
  await writeFile(join(folder, 'notes.tmp'), 'of the user')
  assert.deepEqual(await findUnfinishedKeyFiles(folder), [join(folder, unfinished)])
  await completeKeyFolder(folder)
  assert.deepEqual((await readdir(folder)).toSorted(), [...before, 'notes.tmp'].toSorted())
  for (const { fingerprint, userIds } of made) {
    assert.deepEqual((await getCertificate(folder, fingerprint)).userIds, userIds)
  }
})

test('a folder that is not there and a secret file that is no key are left alone', async (t) => {
  const folder = await makeTempFolder(t)
  await completeKeyFolder(join(folder, 'absent'))
  const name = `${'A'.repeat(40)}.secret.asc`
  await writeFile(join(folder, name), 'torn')
  await completeKeyFolder(folder)
  assert.deepEqual(await readdir(folder), [name])
  assert.equal(await readFile(join(folder, name), 'utf8'), 'torn')
})
