/**
 * The protocol over a program's input and output: ssh, or any program of the transport `ext`. The program is ended with
 * the stream; when it ends by itself, the stream fails with the program's own last words.
 */
import type { ChildProcessByStdio } from 'node:child_process'
import { Duplex, type Readable, type Writable } from 'node:stream'
import { ConnectionClosed } from './error.ts'

/** What ssh and its like may need of the environment; the rest is nobody's business on the other side. */
const KEPT_ENVIRONMENT =
  /^(PATH|LD_LIBRARY_PATH|HOME|USER|LOGNAME|TMPDIR|XDG_RUNTIME_DIR|KRB5CCNAME|SSH_AUTH_SOCK|SSH_ASKPASS|SSH_ASKPASS_REQUIRE|OPENSSL_CONF|DISPLAY|WAYLAND_DISPLAY|XAUTHORITY|GPG_TTY|TERM)$/
/** A program that does not end when it is asked to. */
const KILL_AFTER_MS = 2000
/** Of what the program says on its error output, the end is kept. */
const WORDS_LIMIT = 4096

export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** For messages, as `ssh to host`. */
  readonly label: string
  /** What to do about what the program said, if anything is known. */
  readonly hint: (words: string) => string | undefined
}

/** Starts the program. That it fails is seen on the stream. */
export async function runCommand(command: Command): Promise<Duplex> {
  const { spawn } = await import('node:child_process')
  const kept = Object.entries(command.env).filter(([name]) => KEPT_ENVIRONMENT.test(name))
  // In English, since its words are read for the hint.
  const env = { ...Object.fromEntries(kept), LC_ALL: 'C' }
  return new CommandStream(spawn(command.program, command.args, { env, stdio: ['pipe', 'pipe', 'pipe'] }), command)
}

class CommandStream extends Duplex {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #command: Command
  #words = ''
  #over = false

  constructor(child: ChildProcessByStdio<Writable, Readable, Readable>, command: Command) {
    super()
    this.#child = child
    this.#command = command
    child.stdout.on('data', (piece: Buffer) => {
      if (!this.push(piece)) child.stdout.pause()
    })
    child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      this.#words = (this.#words + piece).slice(-WORDS_LIMIT)
    })
    // A broken pipe says less than the program's words, which come with its end.
    child.stdin.on('error', () => {})
    child.on('error', (error: NodeJS.ErrnoException) => {
      this.#over = true
      const why = error.code === 'ENOENT' ? 'it is not installed; command= names another program' : error.message
      this.destroy(new ConnectionClosed(`cannot run ${command.program}: ${why}`, { cause: error }))
    })
    // Only now has all of its output been read.
    child.on('close', (code, signal) => {
      this.#over = true
      this.destroy(this.#failure(code, signal))
    })
  }

  override _read(): void {
    this.#child.stdout.resume()
  }

  override _write(piece: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#child.stdin.write(piece, () => done())
  }

  override _final(done: () => void): void {
    this.#child.stdin.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#over) {
      this.#child.stdin.destroy()
      this.#child.kill()
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), KILL_AFTER_MS).unref()
      this.#child.once('close', () => clearTimeout(timer))
    }
    done(error)
  }

  #failure(code: number | null, signal: string | null): ConnectionClosed {
    const { label, hint } = this.#command
    const words = this.#words
      .replace(/[^\P{C}\n]/gu, '')
      .split('\n')
      .map((line) => line.trim())
      .filter(Boolean)
      .join('; ')
    const how = signal === null ? `ended with status ${code}` : `was ended by ${signal}`
    const next = hint(words)
    return new ConnectionClosed(
      `${label} ${how}${words === '' ? '' : `: ${words}`}${next === undefined ? '' : ` (${next})`}`,
    )
  }
}
