import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { findCoreKinds } from '../../src/host/core-kinds.ts'

const cpus = (speeds: readonly number[], name: 'capacity' | 'maximumKhz') =>
  speeds.map((speed, id) => ({ id, [name]: speed }))

describe('findCoreKinds', () => {
  test('goes by the PMUs of hybrid Intel processors first', () => {
    const kinds = findCoreKinds(cpus([5e6, 5e6, 5e6, 5e6], 'maximumKhz'), [[0, 1], [2, 3], []])
    assert.deepEqual(kinds, [
      { name: 'performance', cpus: [0, 1] },
      { name: 'efficiency', cpus: [2, 3] },
    ])
  })

  test('goes by the capacity of ARM cores', () => {
    const kinds = findCoreKinds(cpus([446, 446, 871, 1024], 'capacity'), [[], [], []])
    assert.deepEqual(
      kinds.map((kind) => kind.cpus),
      [
        [2, 3],
        [0, 1],
      ],
    )
  })

  test('takes favoured cores, a little faster than the rest, for the same kind', () => {
    assert.deepEqual(findCoreKinds(cpus([5.3e6, 5.5e6, 5.3e6, 5.1e6], 'maximumKhz'), [[], [], []]), [
      { name: 'uniform', cpus: [0, 1, 2, 3] },
    ])
  })

  test('finds compact cores by their frequency', () => {
    const kinds = findCoreKinds(cpus([5.1e6, 5.1e6, 3.3e6, 3.3e6], 'maximumKhz'), [[], [], []])
    assert.deepEqual(
      kinds.map(({ name }) => name),
      ['performance', 'efficiency'],
    )
  })

  test('knows one kind where some core does not say, and where PMUs do not cover all', () => {
    const some = [{ id: 0, maximumKhz: 5e6 }, { id: 1 }]
    assert.equal(findCoreKinds(some, [[0], [], []]).length, 1)
  })
})
