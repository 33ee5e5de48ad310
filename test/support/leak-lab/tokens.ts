/** Every probe carries 128 random bits of its own, by which the taps find it and what was declared of it. */
import { randomBytes } from 'node:crypto'
import type { Sender, TapName } from './lab.ts'

export interface Declared {
  readonly caseId: string
  readonly what: string
  readonly from: Sender | 'router'
  /** Where the router may let it out. */
  readonly passes: readonly TapName[]
}

const MARK = Buffer.from('vmpkgtok')
const SIZE = 16

export class Tokens {
  readonly #declared = new Map<string, Declared>()

  add(declared: Declared): Buffer {
    const token = randomBytes(SIZE)
    this.#declared.set(token.toString('hex'), declared)
    return Buffer.concat([MARK, token])
  }

  /** What was declared of the probe in these bytes; `undefined` when there is none. */
  find(bytes: Buffer): Declared | undefined {
    const at = bytes.indexOf(MARK)
    if (at === -1) return undefined
    const token = bytes.subarray(at + MARK.length, at + MARK.length + SIZE).toString('hex')
    const declared = this.#declared.get(token)
    if (declared === undefined) throw new Error(`a tap saw a probe that nobody sent: ${token}`)
    return declared
  }

  all(): Iterable<Declared> {
    return this.#declared.values()
  }
}
