/**
 * Standard output and standard error that go away. A reader that has seen enough (`vmpkg show a | head -1`) ends the
 * command quietly with the status that a shell gives for SIGPIPE (signal(7), POSIX.1-2024 `sh`: 128 + 13), and a disk
 * that is full is a failure that is told. Node ignores SIGPIPE, so the streams' errors are all there is to hear.
 */
import type { ProcessLike } from './io.ts'

const STATUS_OF_SIGPIPE = 141
const STATUS_OF_FAILURE = 100

export interface Output {
  /** Aborted once nobody reads, or nothing can be written any more. */
  readonly lost: AbortSignal
  /** The exit status because of that; `undefined` as long as all is well. */
  status(): number | undefined
}

/** Listens until the process ends: errors of pipes come after the last line of a command, too. */
export function watchOutput(process: ProcessLike): Output {
  const lost = new AbortController()
  let status: number | undefined
  const lose = (name: string, error: NodeJS.ErrnoException): void => {
    if (status !== undefined) return
    const isReaderGone = error.code === 'EPIPE'
    status = isReaderGone ? STATUS_OF_SIGPIPE : STATUS_OF_FAILURE
    process.exitCode = status
    lost.abort()
    if (!isReaderGone && name === 'output') {
      const code = error.code === 'ENOSPC' ? 'NO_SPACE' : 'INTERNAL'
      process.stderr.write(`E: Standard output cannot be written: ${error.message} [${code}]\n`)
    }
  }
  process.stdout.on('error', (error) => lose('output', error))
  process.stderr.on('error', (error) => lose('error', error))
  return { lost: lost.signal, status: () => status }
}
