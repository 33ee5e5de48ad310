import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { VmpkgError } from '../../src/errors.ts'
import { setGuard } from '../../src/operations/guard.ts'
import type { Workspace } from '../../src/operations/workspace.ts'
import { runChild } from '../support/child.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

interface Place {
  readonly child: ReturnType<typeof runChild>
  /** What the guard has run, line by line. */
  readonly asked: () => Promise<readonly string[]>
  /** Process of the shell that waits. */
  readonly shell: () => Promise<number | undefined>
}

async function makePlace(t: TestContext): Promise<Place> {
  const folder = await makeTempFolder(t)
  const script = join(folder, 'vmpkg.sh')
  await writeFile(script, 'echo "$*" >>"${0%/*}/asked"\n')
  const child = runChild(t, 'operations/children/guarded.ts', [script])
  assert.equal(await child.line(), 'guarded')
  return {
    child,
    asked: async () => (await readFile(join(folder, 'asked'), 'utf8').catch(() => '')).split('\n').slice(0, -1),
    shell: async () => {
      for (const pid of await readdir('/proc')) {
        const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
        if (line.startsWith('sh\0-c\0') && line.includes(script)) return Number(pid)
      }
      return undefined
    },
  }
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isSo()); tries++) {
    assert.ok(tries < 400, 'it did not come to that')
    await sleep(25)
  }
}

const WORDS = 'gc --machines --quiet --connect private:guarded --root /a root'

describe('setGuard', { timeout: 60_000 }, () => {
  test('ends what a command leaves that is killed, also when the guard itself was killed before', async (t) => {
    const { child, asked, shell } = await makePlace(t)
    const first = (await shell()) ?? assert.fail('nobody waits')
    process.kill(first, 'SIGTERM')
    process.kill(first, 'SIGHUP')
    await sleep(100)
    assert.equal(await shell(), first, 'the end of a session ends it')
    process.kill(first, 'SIGKILL')
    await until(async () => ![first, undefined].includes(await shell()))
    assert.deepEqual(await asked(), [])
    await child.kill('SIGKILL')
    await until(async () => (await asked()).length === 2)
    assert.deepEqual(await asked(), [WORDS, WORDS])
    await until(async () => (await shell()) === undefined)
  })

  test('does nothing once it is let go', async (t) => {
    const { child, asked, shell } = await makePlace(t)
    child.process.kill('SIGUSR2')
    assert.equal(await child.line(), 'released')
    assert.equal(await shell(), undefined)
    assert.deepEqual(await asked(), [])
  })

  test('is none for a library, and where a program is missing', async () => {
    const run = async (): Promise<never> => {
      throw new VmpkgError('TOOL_MISSING', 'The program setsid is not there')
    }
    const outside = { processes: { run }, emit: () => {} }
    const place = { connectionName: 'private', root: undefined, outside }
    assert.equal(await setGuard({ ...place, program: undefined } as unknown as Workspace), undefined)
    assert.equal(await setGuard({ ...place, program: ['node', 'bin'] } as unknown as Workspace), undefined)
  })
})
