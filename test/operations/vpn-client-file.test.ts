import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemProcesses } from '../../src/node/processes.ts'
import { drawCode, writeClientFile } from '../../src/operations/vpn-client-file.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const { signal } = new AbortController()

test('a file is for its owner alone, replaces none unasked, and is taken away again', async (t) => {
  const path = join(await makeTempFolder(t), 'anna.ovpn')
  const undo = await writeClientFile(path, 'text\n', false)
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  await assert.rejects(writeClientFile(path, 'other\n', false), { code: 'USAGE', message: /is there already/ })
  await writeClientFile(path, 'other\n', true)
  assert.equal(await readFile(path, 'utf8'), 'other\n')
  await undo()
  await assert.rejects(stat(path), { code: 'ENOENT' })
  await writeFile(path, '')
  await assert.rejects(writeClientFile(join(path, 'below'), '', false), { code: 'USAGE', message: /Cannot write/ })
})

test('a code holds as much as a code can, and what is longer is said to be', async () => {
  const code = await drawCode('x'.repeat(2953), systemProcesses, signal)
  assert.match(code, /█/)
  const rows = code.split('\n')
  // Version 40 has 177 modules on a side and a margin of 4; a line shows two rows of them.
  assert.deepEqual([rows.length, Math.max(...rows.map((row) => row.length))], [93, 185])
  await assert.rejects(drawCode('x'.repeat(2954), systemProcesses, signal), {
    code: 'USAGE',
    message: /2954 bytes.*2953/,
  })
})
