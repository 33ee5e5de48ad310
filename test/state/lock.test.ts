import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { acquireLock, findLockHolder, type LockHolder, withLock } from '../../src/state/lock.ts'
import { runChild } from '../support/child.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

describe('withLock', () => {
  test('refuses after the timeout and names pid and command of the holder', async (t) => {
    const path = join(await makeTempFolder(t), 'lock')
    const child = runChild(t, 'state/children/hold-lock.ts', [path, '20000'])
    assert.equal(await child.line(), 'holding')
    const waited: (LockHolder | undefined)[] = []
    const attempt = withLock(
      { path, command: 'vmpkg clone', timeoutMs: 200, onWait: (holder) => waited.push(holder) },
      async () => assert.fail('two writers'),
    )
    await assert.rejects(attempt, {
      code: 'LOCK_HELD',
      message: `Process ${child.process.pid} (vmpkg install router-uni) is changing things here`,
      details: { pid: child.process.pid, command: 'vmpkg install router-uni' },
    })
    assert.deepEqual(
      waited.map((holder) => holder?.pid),
      [child.process.pid],
    )
  })

  test('waits for the holder and then runs', async (t) => {
    const path = join(await makeTempFolder(t), 'lock')
    const child = runChild(t, 'state/children/hold-lock.ts', [path, '300'])
    assert.equal(await child.line(), 'holding')
    assert.equal(await withLock({ path, command: 'second', timeoutMs: 10_000 }, async () => 'done'), 'done')
  })

  test('takes over from a holder that was killed', async (t) => {
    const path = join(await makeTempFolder(t), 'lock')
    const child = runChild(t, 'state/children/hold-lock.ts', [path, '20000'])
    assert.equal(await child.line(), 'holding')
    await child.kill('SIGKILL')
    assert.equal(findLockHolder(path), undefined)
    assert.equal(await withLock({ path, command: 'next', timeoutMs: 0 }, async () => 'done'), 'done')
  })

  test('lets one of many in at a time', async (t) => {
    const path = join(await makeTempFolder(t), 'lock')
    let inside = 0
    let most = 0
    const enter = async () => {
      inside++
      most = Math.max(most, inside)
      await new Promise((resolve) => setTimeout(resolve, 5))
      inside--
    }
    await Promise.all(Array.from({ length: 6 }, () => withLock({ path, command: 'one of six' }, enter)))
    assert.equal(most, 1)
  })

  test('is free again after a failure inside', async (t) => {
    const path = join(await makeTempFolder(t), 'lock')
    await assert.rejects(
      withLock({ path, command: 'first' }, async () => {
        throw new Error('inside')
      }),
      /inside/,
    )
    await withLock({ path, command: 'second', timeoutMs: 0 }, async () => {})
  })
})

describe('acquireLock', () => {
  test('stops waiting when the signal fires', async (t) => {
    const path = join(await makeTempFolder(t), 'lock')
    await using lock = await acquireLock({ path, command: 'first' })
    assert.ok(lock)
    const signal = AbortSignal.timeout(100)
    await assert.rejects(acquireLock({ path, command: 'second', signal }), { code: 'ABORTED' })
  })

  test('refuses a lock file that is something else', async (t) => {
    const path = join(await makeTempFolder(t), 'lock')
    await writeFile(path, 'this is not a database, and long enough to be looked at as one. '.repeat(20))
    await assert.rejects(acquireLock({ path, command: 'first' }), { code: 'STATE_INVALID' })
  })
})

describe('findLockHolder', () => {
  test('says nothing where the note is gone, torn or of a dead process', async (t) => {
    const path = join(await makeTempFolder(t), 'lock')
    assert.equal(findLockHolder(path), undefined)
    await writeFile(`${path}.holder`, '{"pid": 1')
    assert.equal(findLockHolder(path), undefined)
    await writeFile(`${path}.holder`, '{"pid":1,"startTicks":-1,"bootId":"x","command":"y"}')
    assert.equal(findLockHolder(path), undefined)
  })
})
