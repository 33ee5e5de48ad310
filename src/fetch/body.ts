/**
 * Reading a body whose sender may be hostile or asleep: no byte beyond the limit is taken, and a sender slower than the
 * floor is given up, however long the whole may take (threats M10, M11).
 */
import type { Readable } from 'node:stream'
import { VmpkgError } from '../errors.ts'

export interface StallPolicy {
  /** Bytes per second below which a sender counts as stalled. */
  readonly floor: number
  /** Milliseconds of waiting over which the speed is measured. */
  readonly windowMs: number
}

/** 1 KiB/s over 30 s. */
export const DEFAULT_STALL: StallPolicy = { floor: 1024, windowMs: 30_000 }

export interface ReadBodyOptions {
  /** What messages call the file. */
  readonly subject: string
  readonly maxBytes: number
  readonly stall: StallPolicy
  readonly signal: AbortSignal | undefined
}

/**
 * Yields the pieces of a body and destroys it when the reader stops. Only time spent waiting for the sender counts
 * towards a stall, not what the reader does between pieces.
 *
 * @throws {VmpkgError} `SIZE_EXCEEDED` at the first byte beyond `maxBytes`, `DOWNLOAD_STALLED`, `ABORTED`; errors of the
 *   body as they are
 */
export async function* readBody(body: Readable, options: ReadBodyOptions): AsyncGenerator<Uint8Array> {
  const { subject, maxBytes, stall, signal } = options
  const enough = (stall.floor * stall.windowMs) / 1000
  let received = 0
  let inWindow = 0
  let waitedMs = 0
  let reason: VmpkgError | undefined
  const giveUp = (error: VmpkgError) => {
    reason ??= error // bodies wrap what they are destroyed with
    body.destroy(error)
  }
  const abort = () => giveUp(aborted(subject))
  signal?.addEventListener('abort', abort, { once: true })
  try {
    if (signal?.aborted) throw aborted(subject)
    const pieces = (body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
    for (;;) {
      const since = performance.now()
      const watch = setTimeout(() => giveUp(stalled(subject, inWindow, stall)), stall.windowMs - waitedMs)
      const next = await pieces.next().finally(() => clearTimeout(watch))
      if (next.done === true) return
      received += next.value.length
      if (received > maxBytes) throw tooLarge(subject, maxBytes)
      inWindow += next.value.length
      waitedMs += performance.now() - since
      if (waitedMs >= stall.windowMs || inWindow >= enough) {
        if (inWindow < enough) throw stalled(subject, inWindow, stall)
        waitedMs = 0
        inWindow = 0
      }
      yield next.value
    }
  } catch (error) {
    throw reason ?? error
  } finally {
    signal?.removeEventListener('abort', abort)
    body.on('error', () => {}) // whoever destroyed it knows why
    body.destroy()
  }
}

export function aborted(subject: string): VmpkgError {
  return new VmpkgError('ABORTED', `The download of ${subject} was interrupted`)
}

export function tooLarge(subject: string, maxBytes: number): VmpkgError {
  return new VmpkgError('SIZE_EXCEEDED', `${subject} is larger than ${maxBytes} bytes`, {
    hint: 'The server sends something else than was signed; run vmpkg update, or use another mirror.',
  })
}

export function stalled(subject: string, bytes: number, stall: StallPolicy): VmpkgError {
  const message = `${subject} stalled: ${bytes} bytes in ${stall.windowMs / 1000} s`
  return new VmpkgError('DOWNLOAD_STALLED', message, {
    hint: 'Check the network or use another mirror; what arrived is kept.',
  })
}
