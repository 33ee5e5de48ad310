import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { findDependents, findOrphans } from '../../src/resolve/removal.ts'
import { installed } from '../support/universe.ts'

describe('findDependents', () => {
  test('finds what cannot stay, through others too, dependents first', () => {
    const there = installed([
      'base',
      'router: depends base',
      'app: depends router',
      'other: depends base | app',
      'free',
    ])
    assert.deepEqual(
      findDependents(['base'], there).map(({ line }) => line.name),
      ['other', 'app', 'router'],
    )
    assert.deepEqual(findDependents(['free'], there), [])
  })

  test('lets a package stay that has another alternative', () => {
    const there = installed(['aa', 'bb: provides gateway', 'app: depends aa | gateway'])
    assert.deepEqual(findDependents(['aa'], there), [])
  })
})

describe('findOrphans', () => {
  test('finds automatic packages that no manual one needs, in the order to remove them', () => {
    const there = installed([
      'app: depends router',
      '~router: recommends tor',
      '~tor',
      '~old: depends older',
      '~older',
      '~vm',
    ])
    assert.deepEqual(
      findOrphans(there).map(({ line }) => line.name),
      ['vm', 'old', 'older'],
    )
  })
})
