import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { findAbandonedSsh } from '../../src/operations/ssh-leftovers.ts'
import { readOwnIdentity } from '../../src/state/process-identity.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const UUID = '0b9bc8f1-6a0e-4b43-9d2c-6a1f0e7d2c11'

describe('findAbandonedSsh', () => {
  test('finds what dead processes left, and nothing of living ones or of machines', async (t) => {
    const ssh = await makeTempFolder(t)
    const { pid, startTicks } = readOwnIdentity()
    const [dead, living] = [`${pid}-${startTicks + 1}`, `${pid}-${startTicks}`]
    for (const name of [`${UUID}.new-${dead}-AbCdEf`, `${UUID}.new-${living}-AbCdEf`, `${UUID}.keys`, 'other'])
      await mkdir(join(ssh, name))
    for (const name of ['key', 'known_hosts', `.known_hosts.vmpkg-${dead}.tmp`, `.known_hosts.vmpkg-${living}.tmp`])
      await writeFile(join(ssh, `${UUID}.keys`, name), '')
    const found = await findAbandonedSsh({ ssh })
    assert.deepEqual(found.toSorted(), [
      join(ssh, `${UUID}.keys`, `.known_hosts.vmpkg-${dead}.tmp`),
      join(ssh, `${UUID}.new-${dead}-AbCdEf`),
    ])
  })

  test('finds nothing where nobody has used ssh yet', async (t) => {
    assert.deepEqual(await findAbandonedSsh({ ssh: join(await makeTempFolder(t), 'ssh') }), [])
  })
})
