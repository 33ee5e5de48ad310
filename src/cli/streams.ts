/** Standard input and output of this process joined with a program elsewhere: no faster than either side goes. */
import { once } from 'node:events'
import { fstatSync, statSync } from 'node:fs'

/** Input that can be let go before its end, so that nobody has to press a key for the process to end. */
export interface OpenedInput {
  readonly chunks: AsyncIterable<Uint8Array>
  close(): void
}

/** Nothing where it is a terminal, or /dev/null. */
export function openInput(stdin: NodeJS.ReadStream & { readonly fd?: number }): OpenedInput | undefined {
  if (stdin.isTTY || isNull(stdin.fd ?? 0)) return undefined
  return {
    chunks: stdin as AsyncIterable<Uint8Array>,
    close: () => void stdin.on('error', () => {}).destroy(),
  }
}

function isNull(fd: number): boolean {
  const { rdev } = fstatSync(fd)
  return rdev !== 0 && rdev === statSync('/dev/null').rdev
}

/** Waits while the reader is behind; one that has gone away ends the command by the edge. */
export function writeTo(stream: NodeJS.WriteStream): (bytes: Uint8Array) => Promise<void> {
  return async (bytes) => {
    if (stream.write(bytes) || stream.destroyed) return
    await once(stream, 'drain')
  }
}
