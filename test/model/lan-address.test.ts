import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientAddress, clientNumbers } from '../../src/model/lan-address.ts'

test('a client’s address ends as its MAC does, and no two numbers give the same', () => {
  const all = clientNumbers().map((number) => clientAddress('10.1.1.0/24', `6a:00:00:00:00:${number.toString(16)}`))
  assert.equal(all[0], '10.1.1.32')
  assert.equal(all.at(-1), '10.1.1.223')
  assert.equal(new Set(all).size, 192)
})

test('addresses of routers, of others and the broadcast address are nobody’s by a MAC', () => {
  for (const last of ['00', '01', '02', '1f', 'e0', 'fe', 'ff'])
    assert.equal(clientAddress('10.1.1.0/24', `6a:00:00:00:00:${last}`), undefined)
})
