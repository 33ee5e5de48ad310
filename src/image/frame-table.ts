/**
 * Frames as columns of numbers: some 60 bytes each of which memory holds a part (`paged.ts`), where objects take 600. One is made
 * an object when it is looked at. An array of frames is such a list too.
 */
import { PagedDigests, PagedNumbers, Scratch } from './paged.ts'
import type { ChunkRun, Frame, FrameRun } from './transport-index.ts'

export interface FrameList<F extends Frame = Frame> extends Iterable<F> {
  readonly length: number
  /** As of an array: from the end where `number` is negative. */
  at(number: number): F | undefined
}

/** Pairs of numbers in lists that follow each other: those of list n end at `#ends` n. */
class Runs {
  readonly #ends: PagedNumbers
  readonly #first: PagedNumbers
  readonly #count: PagedNumbers

  constructor(scratch: Scratch) {
    this.#ends = new PagedNumbers('u32', scratch)
    this.#first = new PagedNumbers('u32', scratch)
    this.#count = new PagedNumbers('u32', scratch)
  }

  push(runs: readonly FrameRun[]): void {
    for (const run of runs) {
      this.#first.push('skip' in run ? 0 : run.first + 1)
      this.#count.push('skip' in run ? run.skip : run.count)
    }
    this.#ends.push(this.#first.length)
  }

  at(number: number): readonly FrameRun[] {
    const runs: FrameRun[] = []
    const end = this.#ends.at(number) ?? 0
    for (let at = number === 0 ? 0 : (this.#ends.at(number - 1) ?? 0); at < end; at++) {
      const [first, count] = [this.#first.at(at) ?? 0, this.#count.at(at) ?? 0]
      runs.push(first === 0 ? { skip: count } : { first: first - 1, count })
    }
    return runs
  }
}

export class FrameTable implements FrameList {
  readonly #packs: PagedNumbers
  readonly #offsets: PagedNumbers
  readonly #sizes: PagedNumbers
  readonly #rawSizes: PagedNumbers
  readonly #digests: PagedDigests
  readonly #runs: Runs

  constructor(scratch: Scratch = new Scratch()) {
    this.#packs = new PagedNumbers('u32', scratch)
    this.#offsets = new PagedNumbers('f64', scratch)
    this.#sizes = new PagedNumbers('u32', scratch)
    this.#rawSizes = new PagedNumbers('u32', scratch)
    this.#digests = new PagedDigests(scratch)
    this.#runs = new Runs(scratch)
  }

  get length(): number {
    return this.#sizes.length
  }

  push({ pack, offset, size, rawSize, digest, runs }: Frame): void {
    this.#packs.push(pack)
    this.#offsets.push(offset)
    this.#sizes.push(size)
    this.#rawSizes.push(rawSize)
    this.#digests.push(digest)
    this.#runs.push(runs)
  }

  at(number: number): Frame | undefined {
    if (number < 0) return number + this.length < 0 ? undefined : this.at(number + this.length)
    const size = this.#sizes.at(number)
    if (size === undefined) return undefined
    return {
      pack: this.#packs.at(number) ?? 0,
      offset: this.#offsets.at(number) ?? 0,
      size,
      rawSize: this.#rawSizes.at(number) ?? 0,
      digest: this.#digests.at(number),
      runs: this.#runs.at(number),
    }
  }

  *[Symbol.iterator](): Generator<Frame> {
    for (let number = 0; number < this.length; number++) {
      const frame = this.at(number)
      if (frame !== undefined) yield frame
    }
  }
}

/** The frames of a delta: each has the chunks of the old image that make up its dictionary. */
export class DeltaFrameTable implements FrameList<DeltaFrame> {
  readonly #frames: FrameTable
  readonly #dictionaries: Runs

  constructor(scratch: Scratch = new Scratch()) {
    this.#frames = new FrameTable(scratch)
    this.#dictionaries = new Runs(scratch)
  }

  get length(): number {
    return this.#frames.length
  }

  push(frame: DeltaFrame): void {
    this.#frames.push(frame)
    this.#dictionaries.push(frame.dictionary)
  }

  at(number: number): DeltaFrame | undefined {
    if (number < 0) return number + this.length < 0 ? undefined : this.at(number + this.length)
    const frame = this.#frames.at(number)
    if (frame === undefined) return undefined
    return { ...frame, runs: chunkRuns(frame.runs), dictionary: chunkRuns(this.#dictionaries.at(number)) }
  }

  *[Symbol.iterator](): Generator<DeltaFrame> {
    for (let number = 0; number < this.length; number++) {
      const frame = this.at(number)
      if (frame !== undefined) yield frame
    }
  }
}

export interface DeltaFrame extends Frame {
  readonly runs: readonly ChunkRun[]
  readonly dictionary: readonly ChunkRun[]
}

function chunkRuns(runs: readonly FrameRun[]): readonly ChunkRun[] {
  return runs.flatMap((run) => ('skip' in run ? [] : [run]))
}
