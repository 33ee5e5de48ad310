/** Builds the `Io` of one run from the process: reporter, output, prompts, abort on SIGINT, SIGTERM and SIGHUP. */
import { homedir } from 'node:os'
import type { Interface } from 'node:readline/promises'
import { styleText } from 'node:util'
import { VmpkgError } from '../errors.ts'
import type { Workspace } from '../operations/workspace.ts'
import { ASCII_MARGIN, isAsciiOnly, isUtf8, textFor } from './ascii.ts'
import { type Io, type OptionValues, optionNumber, optionText, type Tone } from './command.ts'
import { formatJson, redact } from './redact.ts'
import { humanReporter, jsonReporter, plainReporter, type Reporter } from './report.ts'
import { formatTable } from './table.ts'
import { wrapText } from './wrap.ts'

export type ProcessLike = Pick<
  NodeJS.Process,
  'argv' | 'env' | 'stdin' | 'stdout' | 'stderr' | 'on' | 'off' | 'exit' | 'exitCode' | 'cwd' | 'getuid' | 'pid'
>

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** @param lost aborts the command when its output has nowhere to go */
export function createIo(
  process: ProcessLike,
  options: OptionValues,
  lost: AbortSignal,
): { io: Io; close(): Promise<void> } {
  const json = options['json'] === true
  const quiet = options['quiet'] === true
  const reporter = chooseReporter(process, json, quiet)
  const abort = new AbortController()
  let workspace: Workspace | undefined
  let interrupts = 0
  const onLost = (): void => abort.abort(new VmpkgError('ABORTED', 'Nobody reads the output any more'))
  lost.addEventListener('abort', onLost, { once: true })
  if (lost.aborted) onLost()
  const onSignal = (): void => {
    interrupts++
    if (interrupts > 1) process.exit(130) // the journal undoes the rest at the next command
    reporter.clear()
    if (!quiet) process.stderr.write('Stopping: undoing what is half done. Press Ctrl-C again to stop at once.\n')
    abort.abort(new VmpkgError('ABORTED', 'Interrupted'))
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  const columns = columnsOf(process.stdout)
  const [out, err] = [textFor(process.stdout, process.env), textFor(process.stderr, process.env)]
  const print = (text: string): void => {
    reporter.clear()
    process.stdout.write(`${wrapText(out(redact(text)), columns)}\n`)
  }
  const io: Io = {
    json,
    quiet,
    assumeYes: options['yes'] === true,
    dryRun: options['dryRun'] === true,
    signal: abort.signal,
    emit: reporter.emit,
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    print,
    printJson: (name, value) => {
      reporter.clear()
      process.stdout.write(`${formatJson({ schema: `vmpkg.${name}/1`, ...value }, columns && 2)}\n`)
    },
    printTable: (header, rows, last) => {
      reporter.clear()
      const width = columns !== undefined && isAsciiOnly(process.stdout, process.env) ? columns - ASCII_MARGIN : columns
      const lines = formatTable(header, rows, width, last).map((line) => `${out(redact(line))}\n`)
      process.stdout.write(lines.join('')) // at once: a write for each of 2,000 lines takes 10 ms
    },
    note: (text, tone) => {
      reporter.clear()
      if (json) reporter.emit({ type: 'noted', message: text })
      else if (!quiet)
        process.stderr.write(`${paint(wrapText(err(redact(text)), columnsOf(process.stderr)), tone, process.stderr)}\n`)
    },
    confirm: async (question) => {
      if (options['yes'] === true) return true
      reporter.clear()
      return confirm(process, question, abort.signal, onSignal)
    },
    ask: async (question, fallback) => {
      reporter.clear()
      const { createInterface } = await import('node:readline/promises')
      const prompt = createInterface({ input: process.stdin, output: process.stderr })
      const shown = fallback === '' ? question : `${question} [${fallback}]`
      const typed = (await answer(prompt, err(redact(`${shown}: `)), abort.signal, onSignal)).trim()
      return typed === '' ? fallback : typed
    },
    passphrase: async (question) => {
      reporter.clear()
      return askPassphrase(process, question, abort.signal, onSignal)
    },
    workspace: async (needs = {}) => {
      const { openWorkspace } = await import('../operations/workspace.ts')
      const { systemOutside } = await import('../node/outside.ts')
      workspace ??= await openWorkspace({
        outside: systemOutside({
          emit: reporter.emit,
          signal: abort.signal,
          env: process.env,
          offline: isOffline(process, options),
        }),
        root: optionText(options, 'root') ?? process.env['VMPKG_ROOT'],
        connect: optionText(options, 'connect'),
        env: process.env,
        home: process.env['HOME'] ?? homedir(),
        folder: process.cwd(),
        uid: process.getuid?.() ?? 0,
        command: process.argv.slice(2),
        program: programOf(process.argv),
        write: needs.write ?? false,
        relief: needs.relief,
        waitSeconds: optionNumber(options, 'wait', 0),
      })
      return workspace
    },
  }
  const close = async (): Promise<void> => {
    for (const signal of SIGNALS) process.off(signal, onSignal)
    lost.removeEventListener('abort', onLost)
    reporter.clear()
    await workspace?.close()
  }
  return { io, close }
}

function programOf([node, bin]: readonly string[]): readonly [string, string] | undefined {
  return node === undefined || bin === undefined ? undefined : [node, bin]
}

/** Width of a terminal; `undefined` for what is none. */
export function columnsOf(stream: NodeJS.WriteStream): number | undefined {
  return stream.isTTY ? (stream.columns ?? 80) : undefined
}

/** `VMPKG_OFFLINE=1` in the environment means the same as the option; empty and 0 mean nothing. */
function isOffline({ env }: ProcessLike, options: OptionValues): boolean {
  return options['offline'] === true || !['', '0'].includes(env['VMPKG_OFFLINE'] ?? '')
}

const COLOURS = { good: 'green', careful: 'yellow', bad: 'red' } as const

/** Node heeds NO_COLOR and streams that are no terminal. */
function paint(text: string, tone: Tone | undefined, stream: NodeJS.WriteStream): string {
  return tone === undefined ? text : styleText(COLOURS[tone], text, { stream })
}

function chooseReporter(process: ProcessLike, json: boolean, quiet: boolean): Reporter {
  const text = textFor(process.stderr, process.env)
  const write = (line: string): void => void process.stderr.write(text(line))
  if (json) return jsonReporter(quiet ? () => {} : write, () => new Date())
  if (!process.stderr.isTTY || quiet) return plainReporter(write, quiet)
  return humanReporter(write, {
    columns: () => process.stderr.columns ?? 80,
    now: () => performance.now(),
    isUnicode: isUtf8(process.env),
  })
}

async function confirm(
  process: ProcessLike,
  question: string,
  signal: AbortSignal,
  interrupt: () => void,
): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new VmpkgError('CONFIRMATION_NEEDED', 'This needs a yes, and there is no terminal to ask on', {
      hint: 'Add -y to say yes beforehand, or --dry-run to see what would happen.',
    })
  }
  const { createInterface } = await import('node:readline/promises')
  const prompt = createInterface({ input: process.stdin, output: process.stderr })
  return /^y(es)?$/i.test(
    (
      await answer(prompt, textFor(process.stderr, process.env)(redact(`${question} [y/N] `)), signal, interrupt)
    ).trim(),
  )
}

/** Reads without echo: the line editor writes to nowhere while the person types. */
async function askPassphrase(
  process: ProcessLike,
  question: string,
  signal: AbortSignal,
  interrupt: () => void,
): Promise<string> {
  const given = process.env['VMPKG_PASSPHRASE']
  if (given !== undefined) return given
  if (!process.stdin.isTTY) {
    throw new VmpkgError('CONFIRMATION_NEEDED', 'A passphrase is needed, and there is no terminal to ask on', {
      hint: 'Set VMPKG_PASSPHRASE in the environment of this command.',
    })
  }
  const { createInterface } = await import('node:readline/promises')
  const { Writable } = await import('node:stream')
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const prompt = createInterface({ input: process.stdin, output: silent, terminal: true })
  try {
    process.stderr.write(`${textFor(process.stderr, process.env)(redact(question))}: `)
    return await answer(prompt, '', signal, interrupt)
  } finally {
    process.stderr.write('\n')
  }
}

/** One answer. The line editor takes Ctrl-C for itself, so it is handed on; Ctrl-D is an empty answer. */
async function answer(
  prompt: Interface,
  question: string,
  signal: AbortSignal,
  interrupt: () => void,
): Promise<string> {
  const { promise: ended, resolve } = Promise.withResolvers<string>()
  prompt.once('close', () => resolve(''))
  prompt.on('SIGINT', interrupt)
  try {
    return await Promise.race([prompt.question(question, { signal }), ended])
  } finally {
    prompt.close()
  }
}
