/** Builds the `Io` of one run from the process: reporter, output, prompts, abort on SIGINT, SIGTERM and SIGHUP. */
import { homedir } from 'node:os'
import { VmpkgError } from '../errors.ts'
import type { Workspace } from '../operations/workspace.ts'
import { type Io, type OptionValues, optionText } from './command.ts'
import { redact } from './redact.ts'
import { humanReporter, jsonReporter, plainReporter, type Reporter } from './report.ts'
import { formatTable } from './table.ts'

export type ProcessLike = Pick<
  NodeJS.Process,
  'argv' | 'env' | 'stdin' | 'stdout' | 'stderr' | 'on' | 'off' | 'exit' | 'cwd' | 'getuid' | 'pid'
>

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export function createIo(process: ProcessLike, options: OptionValues): { io: Io; close(): Promise<void> } {
  const json = options['json'] === true
  const quiet = options['quiet'] === true
  const reporter = chooseReporter(process, json, quiet)
  const abort = new AbortController()
  let workspace: Workspace | undefined
  let interrupts = 0
  const onSignal = (): void => {
    interrupts++
    if (interrupts > 1) process.exit(130) // the journal undoes the rest at the next command
    reporter.clear()
    process.stderr.write('Stopping: undoing what is half done. Press Ctrl-C again to stop at once.\n')
    abort.abort(new VmpkgError('ABORTED', 'Interrupted'))
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  const print = (text: string): void => {
    reporter.clear()
    process.stdout.write(`${text}\n`)
  }
  const columns = process.stdout.isTTY ? (process.stdout.columns ?? 80) : undefined
  const io: Io = {
    json,
    quiet,
    assumeYes: options['yes'] === true,
    dryRun: options['dryRun'] === true,
    signal: abort.signal,
    emit: reporter.emit,
    stdin: process.stdin,
    stdout: process.stdout,
    print,
    printJson: (name, value) => print(JSON.stringify({ schema: `vmpkg.${name}/1`, ...value }, undefined, columns && 2)),
    printTable: (header, rows) => {
      const lines = formatTable(header, rows, columns).map(redact)
      if (lines.length > 0) print(lines.join('\n')) // at once: a write for each of 2,000 lines takes 10 ms
    },
    note: (text) => {
      reporter.clear()
      if (!quiet) process.stderr.write(`${redact(text)}\n`)
    },
    confirm: (question) => confirm(process, reporter, question, options['yes'] === true),
    passphrase: (question) => askPassphrase(process, reporter, question),
    workspace: async (needs = {}) => {
      const { openWorkspace } = await import('../operations/workspace.ts')
      const { systemOutside } = await import('../node/outside.ts')
      workspace ??= await openWorkspace({
        outside: systemOutside({ emit: reporter.emit, signal: abort.signal }),
        root: optionText(options, 'root') ?? process.env['VMPKG_ROOT'],
        connect: optionText(options, 'connect'),
        env: process.env,
        home: process.env['HOME'] ?? homedir(),
        folder: process.cwd(),
        uid: process.getuid?.() ?? 0,
        command: process.argv.slice(2),
        write: needs.write === true,
      })
      return workspace
    },
  }
  const close = async (): Promise<void> => {
    for (const signal of SIGNALS) process.off(signal, onSignal)
    reporter.clear()
    await workspace?.close()
  }
  return { io, close }
}

function chooseReporter(process: ProcessLike, json: boolean, quiet: boolean): Reporter {
  const write = (text: string): void => void process.stderr.write(text)
  if (json) return jsonReporter(quiet ? () => {} : write, () => new Date())
  if (!process.stderr.isTTY || quiet) return plainReporter(write, quiet)
  return humanReporter(write, () => process.stderr.columns ?? 80, Date.now)
}

async function confirm(process: ProcessLike, reporter: Reporter, question: string, yes: boolean): Promise<boolean> {
  if (yes) return true
  if (!process.stdin.isTTY) {
    throw new VmpkgError('CONFIRMATION_NEEDED', 'This needs a yes, and there is no terminal to ask on', {
      hint: 'Add -y to say yes beforehand, or --dry-run to see what would happen.',
    })
  }
  reporter.clear()
  const { createInterface } = await import('node:readline/promises')
  const prompt = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await prompt.question(`${question} [y/N] `)).trim())
  } finally {
    prompt.close()
  }
}

/** Reads without echo: the line editor writes to nowhere while the person types. */
async function askPassphrase(process: ProcessLike, reporter: Reporter, question: string): Promise<string> {
  const given = process.env['VMPKG_PASSPHRASE']
  if (given !== undefined) return given
  if (!process.stdin.isTTY) {
    throw new VmpkgError('CONFIRMATION_NEEDED', 'A passphrase is needed, and there is no terminal to ask on', {
      hint: 'Set VMPKG_PASSPHRASE in the environment of this command.',
    })
  }
  reporter.clear()
  const { createInterface } = await import('node:readline/promises')
  const { Writable } = await import('node:stream')
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const prompt = createInterface({ input: process.stdin, output: silent, terminal: true })
  try {
    process.stderr.write(`${question}: `)
    return await prompt.question('')
  } finally {
    prompt.close()
    process.stderr.write('\n')
  }
}
