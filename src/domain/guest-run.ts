/**
 * A program in a guest by its agent, with its three streams. QEMU's agent gives output only at the end and in one piece,
 * so the program writes into named pipes of a folder in the guest's /run, and each piece is fetched by a short process of
 * its own: what nobody fetches fills the pipe, and the program waits. Nothing grows, here or there.
 *
 * A word that only this run knows stands behind its output, with the exit status, and before it where there is input.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { VmpkgError } from '../errors.ts'
import type { Randomness } from '../ports.ts'
import {
  type AgentDomain,
  closeGuestFile,
  type GuestProcess,
  openGuestFile,
  pollProcess,
  startProcess,
} from './guest-agent.ts'

/** What a pipe holds. */
const PIECE_BYTES = 65_536
const FIRST_POLL_MS = 5
const LAST_POLL_MS = 200
/** How often it is looked whether the program is still there although nothing comes. */
const LIFE_CHECK_MS = 3000
const KILL_AFTER_MS = 3000
const TIMED_OUT = 124
const MARK_BYTES = 32
/** The mark with a status of three digits. */
const END_BYTES = MARK_BYTES + 5

/** Also takes away what a vmpkg that was killed left there, once its program has ended. */
const PREPARE = `umask 077
for o in /run/vmpkg-exec.*; do
  [ -n "$(find "$o" -maxdepth 0 -mmin +1 2>/dev/null)" ] || continue
  kill -0 "$(cat "$o/pid" 2>/dev/null || echo none)" 2>/dev/null || rm -rf "$o"
done
d=$(mktemp -d /run/vmpkg-exec.XXXXXX) && printf %s "$1" >"$d/mark" && mkfifo "$d/in" "$d/out" "$d/err" && echo "$d"`

/** Folder, whether there is input, user, folder to run in, then the program with its arguments. */
const RUN = `d=$1 i=$2 u=$3 w=$4
shift 4
echo $$ >"$d/pid"
m=$(cat "$d/mark")
exec 8>"$d/out" 9>"$d/err"
if [ "$i" = yes ]; then
  exec <"$d/in"
  printf '%s\\n' "$m" >&8
else
  exec </dev/null
fi
HOME=/root USER=root
[ -z "$u" ] || { eval "HOME=~$u"; USER=$u; }
export HOME USER LOGNAME=$USER
if ! id "\${u:-root}" >/dev/null 2>&9; then
  s=126
elif ! cd "$w" 2>&9; then
  s=126
elif [ -z "$u" ]; then
  env -- "$@" >&8 2>&9 8>&- 9>&-
  s=$?
elif command -v runuser >/dev/null; then
  runuser -u "$u" -- env -- "$@" >&8 2>&9 8>&- 9>&-
  s=$?
else
  su -s /bin/sh "$u" -c 'exec env -- "$@"' sh "$@" >&8 2>&9 8>&- 9>&-
  s=$?
fi
printf '%s' "$m" >&9
printf '%s %s\\n' "$m" "$s" >&8`

export interface GuestRun {
  /** Program and arguments; it is looked for on the guest's PATH. */
  readonly command: readonly string[]
  /** `NAME=value`, for the program. */
  readonly env?: readonly string[]
  /** Of the guest; its root without. */
  readonly user?: string | undefined
  /** Where it runs; `/` without. */
  readonly folder?: string | undefined
  /** Standard input; /dev/null without. It is read only as fast as the guest takes it. */
  readonly input?: AsyncIterable<Uint8Array> | undefined
  readonly onOutput: (bytes: Uint8Array) => Promise<void> | void
  readonly onErrorOutput: (bytes: Uint8Array) => Promise<void> | void
  /** Milliseconds until it is ended in the guest. */
  readonly timeoutMs?: number | undefined
}

export interface GuestRunOutside {
  readonly randomness: Randomness
  readonly signal: AbortSignal
}

/**
 * Its exit status, as a shell has it: 126 and 127 where it cannot be run, 128 and the signal that ended it, and 124 where
 * the time is over.
 * @throws {VmpkgError} `AGENT_UNAVAILABLE` `AGENT_REFUSED` `DOMAIN_STATE` `ABORTED`
 */
export async function runInGuest(domain: AgentDomain, run: GuestRun, outside: GuestRunOutside): Promise<number> {
  const { signal } = outside
  throwIfAborted(signal)
  const mark = Buffer.from(outside.randomness.bytes(MARK_BYTES / 2)).toString('hex')
  const folder = await prepare(domain, mark, signal)
  const session = new Session(domain, folder, mark, run, signal)
  try {
    return await session.run()
  } finally {
    await session.close()
  }
}

/** For our own short scripts: what it says is bounded. @throws {VmpkgError} `AGENT_REFUSED` where it fails */
export async function runScript(
  domain: AgentDomain,
  script: string,
  args: readonly string[],
  signal: AbortSignal,
  input?: Uint8Array,
): Promise<Buffer> {
  const pid = await startProcess(domain, {
    path: '/bin/sh',
    args: ['-c', script, 'sh', ...args],
    capture: true,
    ...(input === undefined ? {} : { input }),
  })
  const done = await awaitProcess(domain, pid, signal)
  if (done.status === 0) return done.output
  const said = done.errorOutput.toString().trim().slice(0, 300)
  throw new VmpkgError(
    'AGENT_REFUSED',
    `${domain.name} cannot do that: ${said === '' ? `status ${done.status}` : said}`,
    {
      hint: 'It is the guest’s own word; look inside with vmpkg console.',
    },
  )
}

async function awaitProcess(domain: AgentDomain, pid: number, signal: AbortSignal): Promise<GuestProcess> {
  for (let pauseMs = FIRST_POLL_MS; ; pauseMs = Math.min(LAST_POLL_MS, pauseMs * 2)) {
    const found = await pollProcess(domain, pid)
    if (found.exited) return found
    await pause(pauseMs, signal)
    throwIfAborted(signal)
  }
}

async function prepare(domain: AgentDomain, mark: string, signal: AbortSignal): Promise<string> {
  const folder = (await runScript(domain, PREPARE, [mark], signal)).toString().trim()
  if (/^\/run\/vmpkg-exec\.[A-Za-z0-9]{6}$/.test(folder)) return folder
  throw new VmpkgError('AGENT_REFUSED', `${domain.name} cannot run programs for vmpkg`, {
    hint: 'Its guest needs a POSIX shell, mktemp, mkfifo, dd and setsid.',
  })
}

class Session {
  readonly #domain: AgentDomain
  readonly #folder: string
  readonly #mark: string
  readonly #run: GuestRun
  readonly #signal: AbortSignal
  /** Ends the loops: the program is over, or nobody wants it any more. */
  readonly #over = new AbortController()
  readonly #ready = Promise.withResolvers<void>()
  /** Pipes that the agent holds open, so that none breaks between two pieces. */
  readonly #handles = new Map<'in' | 'out' | 'err', number>()
  #pid: number | undefined

  constructor(domain: AgentDomain, folder: string, mark: string, run: GuestRun, signal: AbortSignal) {
    this.#domain = domain
    this.#folder = folder
    this.#mark = mark
    this.#run = run
    this.#signal = signal
    this.#ready.promise.catch(() => {})
  }

  async run(): Promise<number> {
    const { command, env = [], user = '', folder = '/', input } = this.#run
    const pipes = input === undefined ? (['out', 'err'] as const) : (['out', 'err', 'in'] as const)
    for (const pipe of pipes) {
      this.#handles.set(pipe, await openGuestFile(this.#domain, `${this.#folder}/${pipe}`, 'r+'))
    }
    const words = [this.#folder, input === undefined ? 'no' : 'yes', user, folder, ...env, ...command]
    // A session of its own, so that all of it can be ended.
    this.#pid = await startProcess(this.#domain, {
      path: 'setsid',
      args: ['/bin/sh', '-c', RUN, 'sh', ...words],
      capture: false,
    })
    const expiry = new AbortController()
    const timer = this.#run.timeoutMs === undefined ? undefined : setTimeout(() => expiry.abort(), this.#run.timeoutMs)
    const stop = AbortSignal.any([this.#signal, expiry.signal])
    stop.addEventListener('abort', () => this.#over.abort(), { once: true })
    if (stop.aborted) this.#over.abort()
    const feeding = input === undefined ? undefined : this.#feed(input)
    feeding?.catch(() => this.#over.abort())
    try {
      const [status] = await Promise.all([this.#readOutput(), this.#readErrorOutput()])
      if (status !== undefined) return status
      if (this.#signal.aborted || expiry.signal.aborted) await this.#kill()
      throwIfAborted(this.#signal)
      if (expiry.signal.aborted) return TIMED_OUT
      await feeding
      return await this.#statusOfLost()
    } finally {
      clearTimeout(timer)
      this.#over.abort()
    }
  }

  async close(): Promise<void> {
    this.#over.abort()
    const ignore = (error: unknown): void => {
      if (!(error instanceof VmpkgError)) throw error // a guest that went away meanwhile has nothing left of it
    }
    const handles = [...this.#handles.values()].map(async (one) => closeGuestFile(this.#domain, one).catch(ignore))
    const removal = startProcess(this.#domain, { path: 'rm', args: ['-rf', this.#folder], capture: false })
    const end = this.#pid === undefined ? undefined : pollProcess(this.#domain, this.#pid).catch(ignore)
    await Promise.all([...handles, removal.catch(ignore), end])
  }

  /** The status, or nothing where it was ended before its end mark came. */
  async #readOutput(): Promise<number | undefined> {
    let held = Buffer.alloc(0)
    let hasBegun = this.#run.input === undefined
    for await (const piece of this.#pieces('out')) {
      held = Buffer.concat([held, piece])
      if (!hasBegun) {
        if (held.length <= MARK_BYTES) continue
        if (held.toString('latin1', 0, MARK_BYTES + 1) !== `${this.#mark}\n`) throw nonsense(this.#domain.name)
        held = held.subarray(MARK_BYTES + 1)
        hasBegun = true
        this.#ready.resolve()
      }
      const ready = findMark(held, this.#mark)
      await this.#give(this.#run.onOutput, held.subarray(0, ready))
      held = held.subarray(ready)
      const status = new RegExp(`^${this.#mark} (\\d{1,3})\\n$`).exec(held.toString('latin1'))
      if (status !== null) return Number(status[1])
    }
    await this.#give(this.#run.onOutput, held)
    return undefined
  }

  async #readErrorOutput(): Promise<void> {
    let held = Buffer.alloc(0)
    for await (const piece of this.#pieces('err')) {
      held = Buffer.concat([held, piece])
      const ready = findMark(held, this.#mark)
      await this.#give(this.#run.onErrorOutput, held.subarray(0, ready))
      held = held.subarray(ready)
      if (held.toString('latin1') === this.#mark) return
    }
    await this.#give(this.#run.onErrorOutput, held)
  }

  async #give(take: GuestRun['onOutput'], bytes: Uint8Array): Promise<void> {
    if (bytes.length > 0) await take(bytes)
  }

  /** One after the other, until the run is over. */
  async *#pieces(pipe: 'out' | 'err'): AsyncGenerator<Buffer> {
    const path = `${this.#folder}/${pipe}`
    const args = [`bs=${PIECE_BYTES}`, 'count=1', `if=${path}`]
    while (!this.#over.signal.aborted) {
      const pid = await startProcess(this.#domain, { path: 'dd', args, capture: true })
      const piece = await this.#await(pid)
      if (piece === undefined) return
      if (piece.length > PIECE_BYTES) throw nonsense(this.#domain.name)
      if (piece.length === 0) return
      yield piece
    }
  }

  /** Nothing where the run is over first. */
  async #await(pid: number): Promise<Buffer | undefined> {
    let waitedMs = 0
    for (let pauseMs = FIRST_POLL_MS; ; pauseMs = Math.min(LAST_POLL_MS, pauseMs * 2)) {
      const found = await pollProcess(this.#domain, pid)
      if (found.exited) return found.output
      await pause(pauseMs, this.#over.signal)
      if (this.#over.signal.aborted) return undefined
      waitedMs += pauseMs
      if (waitedMs < LIFE_CHECK_MS) continue
      waitedMs = 0
      if (!(await this.#isAlive())) {
        // Its end mark may be in the pipe by now.
        const last = await pollProcess(this.#domain, pid)
        if (last.exited) return last.output
        this.#over.abort()
        return undefined
      }
    }
  }

  async #isAlive(): Promise<boolean> {
    const script = 'kill -0 "$1" 2>/dev/null && echo yes || echo no'
    return (await runScript(this.#domain, script, [String(this.#pid)], this.#signal)).toString().startsWith('yes')
  }

  /** Piece by piece; the guest's program takes each before the next is sent. */
  async #feed(input: AsyncIterable<Uint8Array>): Promise<void> {
    const path = `${this.#folder}/in`
    for await (const given of input) {
      for (let at = 0; at < given.length; at += PIECE_BYTES * 8) {
        if (this.#over.signal.aborted) return
        const bytes = given.subarray(at, at + PIECE_BYTES * 8)
        const args = ['-c', 'exec cat >"$1"', 'sh', path]
        const pid = await startProcess(this.#domain, { path: '/bin/sh', args, input: bytes, capture: true })
        if ((await this.#await(pid)) === undefined) return
      }
    }
    // Before the program has opened it, an end would go unseen.
    await this.#ready.promise
    const handle = this.#handles.get('in')
    this.#handles.delete('in')
    if (handle !== undefined) await closeGuestFile(this.#domain, handle)
  }

  /** First the word, then the plug; what hangs in the kernel stays. */
  async #kill(): Promise<void> {
    if (this.#pid === undefined) return
    const script = `kill -TERM -"$1" 2>/dev/null || exit 0
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do sleep 0.2; kill -0 -"$1" 2>/dev/null || exit 0; done
kill -KILL -"$1"`
    const pid = await startProcess(this.#domain, {
      path: '/bin/sh',
      args: ['-c', script, 'sh', String(this.#pid)],
      capture: true,
    })
    // The signal of the caller may have fired already: what is in the guest is ended all the same.
    await awaitProcess(this.#domain, pid, AbortSignal.timeout(2 * KILL_AFTER_MS)).catch(() => {})
  }

  /** It ended and took the shell around it along, as out of memory does. */
  async #statusOfLost(): Promise<number> {
    const pid = this.#pid
    const found = pid === undefined ? undefined : await pollProcess(this.#domain, pid).catch(() => undefined)
    if (found?.exited === true) {
      this.#pid = undefined
      return found.status === 0 ? 255 : found.status
    }
    throw nonsense(this.#domain.name)
  }
}

/** Where the mark, or what may become it, begins at the end of what came. */
export function findMark(bytes: Buffer, mark: string): number {
  for (let at = Math.max(0, bytes.length - END_BYTES); at < bytes.length; at++) {
    const tail = bytes.toString('latin1', at)
    const isMark = tail.startsWith(mark) ? /^( \d{0,3}\n?)?$/.test(tail.slice(MARK_BYTES)) : mark.startsWith(tail)
    if (isMark) return at
  }
  return bytes.length
}

function nonsense(name: string): VmpkgError {
  return new VmpkgError('AGENT_REFUSED', `The guest agent of ${name} gives answers that make no sense`, {
    hint: 'It is the guest’s own word; look inside with vmpkg console.',
  })
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {})
}

function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new VmpkgError('ABORTED', 'Interrupted', { cause: signal.reason })
}
