import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { listMachineFileOwners, machineFiles, removeMachineFiles } from '../../src/operations/machine-files.ts'
import { connectionPaths, locatePaths } from '../../src/state/paths.ts'
import { listTree, makeTempFolder } from '../support/temp-folder.ts'

const ONE = '11111111-1111-4111-8111-111111111111'
const TWO = '22222222-2222-4222-8222-222222222222'

test('a machine’s files go together, unfinished ones of a killed command too, and nobody else’s', async (t) => {
  const root = await makeTempFolder(t)
  const paths = connectionPaths(locatePaths({ isRoot: false, home: root, env: {}, root }), 'private')
  for (const uuid of [ONE, TWO]) {
    const { overlay, medium, log } = machineFiles(paths, uuid)
    const unfinished = [`${medium}.1a2b3c4d`, join(`${medium}.files-abc123`, 'files', 'vmpkg.env')]
    const keys = join(paths.ssh, `${uuid}.keys`, 'key')
    for (const file of [overlay, medium, log, keys, ...unfinished]) {
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, '')
    }
  }
  assert.deepEqual([...(await listMachineFileOwners(paths))].toSorted(), [ONE, TWO])
  await removeMachineFiles(paths, ONE)
  assert.deepEqual([...(await listMachineFileOwners(paths))], [TWO])
  const left = (await listTree(paths.folder)).filter((name) => name.includes('-'))
  assert.equal(left.length, 7)
  assert.ok(left.every((name) => name.includes(TWO)))
  assert.deepEqual(await readdir(paths.ssh), [`${TWO}.keys`])
})

test('folders that are not there yet hold no files', async (t) => {
  const root = await makeTempFolder(t)
  const paths = connectionPaths(locatePaths({ isRoot: false, home: root, env: {}, root }), 'private')
  await removeMachineFiles(paths, ONE)
  assert.equal((await listMachineFileOwners(paths)).size, 0)
})
