import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { together } from '../src/together.ts'

test('what all of them give comes in the order of the list', async () => {
  const slow = wait(5, 1)
  assert.deepEqual(await together([slow, Promise.resolve('two')]), [1, 'two'])
})

test('a failure is told when nothing of the others goes on any more', async () => {
  let isOver = false
  const slow = (async () => {
    await wait(20)
    isOver = true
  })()
  await assert.rejects(together([Promise.reject(new Error('no')), slow]), /^Error: no$/)
  assert.equal(isOver, true)
})

test('of several failures the first of the list is told, whichever came first', async () => {
  const late = (async () => {
    await wait(10)
    throw new Error('late')
  })()
  await assert.rejects(together([late, Promise.reject(new Error('early'))]), /^Error: late$/)
})
