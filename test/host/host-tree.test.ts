import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { findAbsentDaemons } from '../../src/host/host-tree.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

describe('findAbsentDaemons', () => {
  test('tells systemd and udev by what they make when they start', async (t) => {
    const target = await makeTempFolder(t)
    assert.deepEqual([...(await findAbsentDaemons(target))].toSorted(), ['systemd', 'udev'])
    await mkdir(join(target, 'run/systemd/system'), { recursive: true })
    assert.deepEqual([...(await findAbsentDaemons(target))], ['udev'])
    await mkdir(join(target, 'run/udev'))
    await writeFile(join(target, 'run/udev/control'), '')
    assert.equal((await findAbsentDaemons(target)).size, 0)
  })
})
