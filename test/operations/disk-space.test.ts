import assert from 'node:assert/strict'
import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { requireFreeSpace } from '../../src/operations/disk-space.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

test('what fits is accepted, for a folder that is not there yet as well', async (t) => {
  const folder = await makeTempFolder(t)
  await requireFreeSpace(folder, 1)
  await requireFreeSpace(join(folder, 'not', 'yet'), 1)
})

test('what does not fit is NO_SPACE with both figures, and so is what would leave no reserve', async (t) => {
  const folder = await makeTempFolder(t)
  const { bavail, bsize } = await statfs(folder)
  await assert.rejects(requireFreeSpace(folder, 2 ** 60), { code: 'NO_SPACE', message: / MiB free, .* are needed$/ })
  await assert.rejects(requireFreeSpace(folder, bavail * bsize - 1024), { code: 'NO_SPACE' })
})
