import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { layOut } from '../../src/router/svg-layout.ts'

interface Tree {
  readonly width: number
  readonly height: number
  readonly branches: readonly Tree[]
}

const SHAPE = {
  sizeOf: ({ width, height }: Tree) => ({ width, height }),
  branchesOf: ({ branches }: Tree) => branches,
  columnGap: 10,
  rowGap: 5,
}

const side = fc.integer({ min: 1, max: 90 })
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5 },
    fc.record({ width: side, height: side, branches: fc.constant([]) }),
    fc.record({ width: side, height: side, branches: fc.array(tie('tree'), { maxLength: 4 }) }),
  ),
}))

describe('layOut', () => {
  test('no two boxes overlap or touch, all lie inside, and each hangs to the right of its parent', () => {
    fc.assert(
      fc.property(fc.array(tree, { maxLength: 4 }), (roots) => {
        const { boxes, width, height } = layOut(roots, SHAPE)
        for (const [i, a] of boxes.entries()) {
          assert.ok(a.x >= 0 && a.y >= 0 && a.x + a.width <= width && a.y + a.height <= height)
          assert.ok(a.width >= a.of.width && a.height === a.of.height)
          if (a.parent !== undefined) assert.ok(a.x >= a.parent.x + a.parent.width + SHAPE.columnGap)
          for (const b of boxes.slice(i + 1)) {
            const isApart = a.x + a.width < b.x || b.x + b.width < a.x || a.y + a.height < b.y || b.y + b.height < a.y
            assert.ok(isApart)
          }
        }
      }),
    )
  })

  test('a parent is in the middle of what hangs on it', () => {
    const leaf = { width: 10, height: 20, branches: [] }
    const { boxes, height } = layOut([{ width: 30, height: 10, branches: [leaf, leaf, leaf] }], SHAPE)
    assert.equal(height, 70)
    assert.deepEqual(
      boxes.map(({ x, y }) => [x, y]),
      [
        [0, 30],
        [40, 0],
        [40, 25],
        [40, 50],
      ],
    )
  })
})
