import assert from 'node:assert/strict'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { sha256 } from '../../src/model/digest.ts'
import { forgetKept, keepDownload, type Leased, openLease, withLeased, withObject } from '../../src/state/downloads.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const [IMAGE, MAP, ARCHIVE] = ['image', 'map', 'archive'].map((text) => sha256(text)) as [
  ReturnType<typeof sha256>,
  ReturnType<typeof sha256>,
  ReturnType<typeof sha256>,
]
const NEEDED: Leased = { images: new Set([IMAGE]), maps: new Set([MAP]), archives: new Set([ARCHIVE]) }
const NOTHING: Leased = { images: new Set(), maps: new Set(), archives: new Set() }

describe('withObject', () => {
  test('lets one in at a time, tells the others whom they wait for, and other objects pass', async (t) => {
    const folder = await makeTempFolder(t)
    const order: string[] = []
    const { promise: gate, resolve: open } = Promise.withResolvers<void>()
    const first = withObject({ folder, digest: IMAGE, command: 'vmpkg install a' }, async () => {
      order.push('first in')
      await gate
      order.push('first out')
    })
    const { promise: isWaiting, resolve: waits } = Promise.withResolvers<string | undefined>()
    const options = { folder, digest: IMAGE, command: 'vmpkg install b' }
    const second = withObject({ ...options, onWait: (holder) => waits(holder?.command) }, async () => {
      order.push('second in')
    })
    assert.equal(await isWaiting, 'vmpkg install a')
    await withObject({ folder, digest: MAP, command: 'x' }, async () => void order.push('other'))
    open()
    await Promise.all([first, second])
    assert.deepEqual(order, ['first in', 'other', 'first out', 'second in'])
  })

  test('ends the wait when the signal fires', async (t) => {
    const folder = await makeTempFolder(t)
    await withObject({ folder, digest: IMAGE, command: 'x' }, async () => {
      const waiting = withObject({ folder, digest: IMAGE, command: 'y', signal: AbortSignal.abort() }, async () => {})
      await assert.rejects(waiting, { code: 'ABORTED' })
    })
  })
})

describe('leases', () => {
  const leased = (folder: string, more = {}) => withLeased({ folder, command: 'x', ...more }, (found) => found)

  test('count until they are disposed of, each on its own', async (t) => {
    const folder = await makeTempFolder(t)
    const first = await openLease({ folder, command: 'x' }, NEEDED)
    const second = await openLease({ folder, command: 'x' }, NOTHING)
    second[Symbol.dispose]()
    assert.deepEqual(await leased(folder), NEEDED)
    first[Symbol.dispose]()
    assert.deepEqual(await leased(folder), NOTHING)
  })

  test('of the dead, and what is no lease, count for nothing and are removed', async (t) => {
    const folder = await makeTempFolder(t)
    const dead = { holder: { pid: 1, startTicks: 1, bootId: 'another' }, images: [IMAGE], maps: [], archives: [] }
    await writeFile(join(folder, '1-1-0.json'), JSON.stringify(dead))
    await writeFile(join(folder, '2-2-0.json'), '{')
    assert.deepEqual(await leased(folder), NOTHING)
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.endsWith('.json')),
      [],
    )
  })

  test('for later stay until they are dropped or forgotten', async (t) => {
    const folder = await makeTempFolder(t)
    await keepDownload({ folder, command: 'x' }, ARCHIVE, NEEDED)
    assert.deepEqual(await leased(folder), NEEDED)
    assert.deepEqual(await leased(folder, { ignoreKept: true }), NOTHING)
    assert.deepEqual(await leased(folder), NEEDED)
    assert.deepEqual(await leased(folder, { ignoreKept: true, dropKept: true }), NOTHING)
    assert.deepEqual(await leased(folder), NOTHING)
    await keepDownload({ folder, command: 'x' }, ARCHIVE, NEEDED)
    forgetKept(folder, ARCHIVE)
    assert.deepEqual(await leased(folder), NOTHING)
  })
})
