/**
 * Places for the boxes of trees that grow to the right: a column for each depth, what is below a box stacked beside it, and
 * the box in the middle of that. Boxes never overlap, since every tree keeps to rows of its own.
 */

export interface Box<T> {
  readonly of: T
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
  /** The box to the left that it hangs on. */
  readonly parent?: Box<T>
}

export interface Layout<T> {
  readonly boxes: readonly Box<T>[]
  readonly width: number
  readonly height: number
}

interface Shape<T> {
  readonly sizeOf: (of: T) => { readonly width: number; readonly height: number }
  readonly branchesOf: (of: T) => readonly T[]
  readonly columnGap: number
  readonly rowGap: number
}

/** The upper left corner is 0, 0. */
export function layOut<T>(roots: readonly T[], shape: Shape<T>): Layout<T> {
  const columns = columnsOf(roots, shape)
  const lefts = columns.map((_, i) => columns.slice(0, i).reduce((sum, width) => sum + width + shape.columnGap, 0))
  const boxes: Box<T>[] = []
  const place = (of: T, depth: number, top: number, parent?: Box<T>): void => {
    const height = spanOf(of, shape)
    const own = shape.sizeOf(of)
    const box: Box<T> = {
      of,
      x: lefts[depth] ?? 0,
      y: top + (height - own.height) / 2,
      width: columns[depth] ?? own.width,
      height: own.height,
      ...(parent === undefined ? {} : { parent }),
    }
    boxes.push(box)
    const branches = shape.branchesOf(of)
    stack(branches, top + (height - stackHeight(branches, shape)) / 2, shape, (one, y) => place(one, depth + 1, y, box))
  }
  stack(roots, 0, shape, (root, y) => place(root, 0, y))
  const width = Math.max(0, (lefts.at(-1) ?? 0) + (columns.at(-1) ?? 0))
  return { boxes, width, height: stackHeight(roots, shape) }
}

/** Width of the widest box of each depth. */
function columnsOf<T>(roots: readonly T[], { sizeOf, branchesOf }: Shape<T>): readonly number[] {
  const columns: number[] = []
  for (let row = roots; row.length > 0; row = row.flatMap(branchesOf)) {
    columns.push(row.reduce((widest, one) => Math.max(widest, sizeOf(one).width), 0))
  }
  return columns
}

function stack<T>(all: readonly T[], top: number, shape: Shape<T>, place: (one: T, y: number) => void): void {
  let y = top
  for (const one of all) {
    place(one, y)
    y += spanOf(one, shape) + shape.rowGap
  }
}

/** What a box and all that hangs on it take. */
function spanOf<T>(of: T, shape: Shape<T>): number {
  return Math.max(shape.sizeOf(of).height, stackHeight(shape.branchesOf(of), shape))
}

function stackHeight<T>(all: readonly T[], shape: Shape<T>): number {
  return all.reduce((sum, one) => sum + spanOf(one, shape), 0) + Math.max(0, all.length - 1) * shape.rowGap
}
