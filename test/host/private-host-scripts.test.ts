import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { SUPERVISE } from '../../src/host/private-host-scripts.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

/** How often a daemon is started that lives so many seconds of a clock of the test's own, until it removes its socket or is given up. */
async function countStarts(t: TestContext, { seconds, atMost }: { seconds: number; atMost: number }): Promise<number> {
  const folder = await makeTempFolder(t)
  const at = (name: string): string => join(folder, name)
  const server = createServer().listen(at('socket'))
  t.after(() => server.close())
  const daemon = `echo >>'${at('started')}'
now=$(cat '${at('now')}')
echo $((now + ${seconds})) >'${at('now')}'
[ "$(wc -l <'${at('started')}')" -lt ${atMost} ] || rm '${at('socket')}'`
  await writeFile(at('now'), '1000\n')
  await writeFile(at('daemon'), `#!/bin/sh\n${daemon}\n`, { mode: 0o755 })
  const script = `sleep() { :; }\ndate() { cat '${at('now')}'; }\n${SUPERVISE}supervise '${at('daemon')}' '${at('socket')}' || :`
  execFileSync('sh', ['-c', script])
  return (await readFile(at('started'), 'utf8')).length
}

describe('SUPERVISE', () => {
  test('a daemon that lives for a while is started again as often as it ends', async (t) => {
    assert.equal(await countStarts(t, { seconds: 5, atMost: 50 }), 50)
  })

  test('one that ends at once is given up after twenty times in a row', async (t) => {
    assert.equal(await countStarts(t, { seconds: 4, atMost: 50 }), 20)
  })

  test('one whose socket is gone is not started again', async (t) => {
    assert.equal(await countStarts(t, { seconds: 0, atMost: 1 }), 1)
  })
})
