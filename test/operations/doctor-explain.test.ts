import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { explainFile, explainStream } from '../../src/operations/doctor-explain.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

test('a log counts with its end, however long it is', async (t) => {
  const path = join(await makeTempFolder(t), 'log')
  await writeFile(
    path,
    `group 3 is not viable\n${`${'all is well '.repeat(300)}\n`.repeat(1_400)}Failed to get "write" lock\n`,
  )
  assert.deepEqual(
    (await explainFile(path)).map(({ error }) => error.id),
    ['KNOWN-ERR-36'],
  )
})

test('a stream that cuts a word in two is read whole', async () => {
  const text = Buffer.from("Could not open '/srv/ü.qcow2': Permission denied")
  const found = await explainStream(Readable.from([text.subarray(0, 22), text.subarray(22)]))
  assert.deepEqual(
    found.map(({ error }) => error.id),
    ['KNOWN-ERR-37'],
  )
})

test('a file that is not there is a mistake of the command line', async () => {
  await assert.rejects(explainFile('/nowhere/log'), { code: 'USAGE' })
})
