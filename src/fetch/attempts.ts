/**
 * Which mirror is asked next for one file, and when to give up. A fault that another try cannot mend (no such file, a
 * refused redirect, too many bytes) rules a mirror out for this file; any other sends the next try to another mirror, and
 * only when each has had its turn is there a wait. Threats D02, M11, M14.
 */
import { isVmpkgError, VmpkgError } from '../errors.ts'
import { aborted } from './body.ts'
import { isContentAddressed } from './locate.ts'
import { inOrder, type Mirror, type Mirrors, mirrorSet, retryPolicy, waitBeforeRetry } from './mirror.ts'
import type { Fault } from './penalties.ts'

export class Attempts {
  readonly #from: Mirrors
  readonly #path: string
  readonly #signal: AbortSignal | undefined
  readonly #left: { readonly mirror: Mirror; faults: number }[]
  #tries = 0
  #fruitless = 0
  #first: VmpkgError | undefined
  #current: Mirror

  constructor(from: Mirrors, path: string, signal: AbortSignal | undefined) {
    this.#from = from
    this.#path = path
    this.#signal = signal
    const ordered = inOrder(from)
    this.#left = ordered.map((mirror) => ({ mirror, faults: 0 }))
    this.#current = ordered[0]
  }

  /** The mirror whose turn it is. */
  get mirror(): Mirror {
    return this.#current
  }

  /**
   * Takes note of what went wrong there and resolves when it is time for the next try.
   *
   * @param isFruitful the try brought bytes
   * @throws {VmpkgError} `ABORTED`; the fault itself when there is nothing left to try
   */
  async fail(error: unknown, { subject, isFruitful }: { subject: string; isFruitful: boolean }): Promise<void> {
    if (this.#signal?.aborted) throw isVmpkgError(error, 'ABORTED') ? error : aborted(subject)
    this.#tries++
    this.#fruitless = isFruitful ? 0 : this.#fruitless + 1
    const fault = faultOf(error, this.#path)
    if (fault !== undefined) mirrorSet(this.#from).penalties.blame(this.#current.base, fault)
    const entry = this.#left.find(({ mirror }) => mirror === this.#current)
    if (entry !== undefined) entry.faults++
    if (isFinal(error)) {
      this.#first ??= error
      if (entry !== undefined) this.#left.splice(this.#left.indexOf(entry), 1)
      const next = this.#next()
      if (next === undefined) throw this.#first
      this.#current = next
      return
    }
    const retry = retryPolicy(this.#current)
    const count = this.#left.length
    const isEnough = this.#fruitless >= retry.fruitless * count || this.#tries >= retry.total * count
    const next = this.#next()
    if (isEnough || next === undefined) throw brokeOff(subject, error)
    this.#current = next
    const round = Math.floor(this.#fruitless / count)
    if (this.#fruitless % count === 0) await waitBeforeRetry(retry, round, subject, this.#signal)
  }

  /** The one with the fewest faults here, then the one in the best standing. */
  #next(): Mirror | undefined {
    return this.#left.toSorted((a, b) => a.faults - b.faults)[0]?.mirror
  }
}

/** True where asking the same mirror again changes nothing. */
function isFinal(error: unknown): error is VmpkgError {
  if (!(error instanceof VmpkgError)) return false // the line broke
  if (error.code === 'DOWNLOAD_STALLED') return false
  return error.code !== 'DOWNLOAD_FAILED' || error.details['status'] !== undefined
}

function faultOf(error: unknown, path: string): Fault | undefined {
  if (!(error instanceof VmpkgError)) return 'failed'
  if (error.code === 'OFFLINE') return undefined
  if (error.code === 'DOWNLOAD_STALLED') return 'stalled'
  if (error.code === 'SIZE_EXCEEDED' || error.code === 'REDIRECT_REFUSED') return 'wrong-bytes'
  const isAbsent = [404, 410].includes(Number(error.details['status']))
  if (isAbsent) return isContentAddressed(path) ? 'missing' : undefined
  return 'failed'
}

function brokeOff(subject: string, cause: unknown): VmpkgError {
  if (cause instanceof VmpkgError) return cause
  return new VmpkgError('DOWNLOAD_FAILED', `The download of ${subject} broke off`, {
    hint: 'Check the network and run the command again.',
    cause,
  })
}
