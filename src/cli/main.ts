/**
 * The command line's edge: finds the command, parses its arguments, runs it with an `Io`, prints failures as apt does
 * and turns them into the exit status: 0 done, 1 negative answer, 2 usage, 100 failed, 130 interrupted (decisions 23).
 * What only help and failures need is loaded for them only.
 */
import { isVmpkgError, VmpkgError } from '../errors.ts'
import type { CommandSpec } from './command.ts'
import { findCommand, suggestCommand } from './commands.ts'
import { createIo, type ProcessLike } from './io.ts'
import { type Parsed, parseQuickly } from './quick-parse.ts'

/** @returns the exit status. */
export async function main(process: ProcessLike): Promise<number> {
  const argv = process.argv.slice(2)
  const json = argv.includes('--json')
  try {
    return await dispatch(argv, process)
  } catch (error) {
    const { exitStatusOf, printFailure } = await import('./failure.ts')
    const status = exitStatusOf(error)
    const write = (text: string): void => void process.stderr.write(text)
    if (status !== 0) printFailure(error, { json, verbose: argv.includes('--verbose'), write })
    return status
  }
}

async function dispatch(argv: readonly string[], process: ProcessLike): Promise<number> {
  if (argv.length === 0 || argv[0] === '--help' || argv[0] === '-h' || (argv[0] === 'help' && argv.length === 1)) {
    const { formatOverview } = await import('./help.ts')
    process.stdout.write(formatOverview())
    return argv.length === 0 ? 2 : 0
  }
  if (argv[0] === '--version' || argv[0] === '-V') {
    process.stdout.write(`vmpkg ${await readVersion()}\n`)
    return 0
  }
  const words = argv[0] === 'help' ? [...argv.slice(1), '--help'] : argv
  const found = findCommand(words)
  if (found === undefined) throw unknownCommand(words)
  const spec = await found.entry.load()
  const parsed = parseQuickly(spec, found.rest) ?? (await parseSlowly(found.entry.name, spec, found.rest, process))
  const edge = createIo(process, parsed.options)
  try {
    return await spec.run({ args: parsed.args, options: parsed.options, io: edge.io })
  } catch (error) {
    throw edge.io.signal.aborted ? interrupted(error) : error
  } finally {
    await edge.close()
  }
}

/** Whatever failed because of Ctrl-C, in a program that got it as well for example: the interruption is the news. */
function interrupted(error: unknown): VmpkgError {
  if (isVmpkgError(error, 'ABORTED')) return error
  return new VmpkgError('ABORTED', 'Interrupted', { cause: error })
}

async function parseSlowly(
  name: string,
  spec: CommandSpec,
  argv: readonly string[],
  process: ProcessLike,
): Promise<Parsed> {
  const { parseInvocation } = await import('./parse.ts')
  return parseInvocation(name, spec, argv, process)
}

function unknownCommand(words: readonly string[]): VmpkgError {
  const text = words.filter((word) => !word.startsWith('-')).join(' ')
  const near = suggestCommand(words)
  return new VmpkgError(
    'USAGE',
    text === '' ? 'No command is named' : `There is no command ${JSON.stringify(text.slice(0, 60))}`,
    {
      hint: near === undefined ? 'vmpkg --help lists the commands.' : `Did you mean vmpkg ${near}?`,
    },
  )
}

async function readVersion(): Promise<string> {
  const { readFile } = await import('node:fs/promises')
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8')
  const parsed: unknown = JSON.parse(text)
  return typeof parsed === 'object' && parsed !== null && 'version' in parsed ? String(parsed.version) : 'unknown'
}
