/**
 * The command line's edge: finds the command, parses its arguments, runs it with an `Io`, prints failures as apt does
 * and turns them into the exit status: 0 done, 1 negative answer, 2 usage, 100 failed, 130 interrupted (decisions 23).
 * What only help and failures need is loaded for them only.
 */
import { isVmpkgError, VmpkgError } from '../errors.ts'
import { textFor } from './ascii.ts'
import type { CommandSpec } from './command.ts'
import { findCommand, suggestCommand } from './commands.ts'
import { columnsOf, createIo, type ProcessLike } from './io.ts'
import { watchOutput } from './output.ts'
import { moveLeadingOptions, type Parsed, parseQuickly } from './quick-parse.ts'

/** @returns the exit status. */
export async function main(process: ProcessLike): Promise<number> {
  const argv = process.argv.slice(2)
  const output = watchOutput(process)
  try {
    const status = await dispatch(argv, process, output.lost)
    return output.status() ?? status
  } catch (error) {
    return output.status() ?? (await fail(error, argv, process))
  }
}

async function fail(error: unknown, argv: readonly string[], process: ProcessLike): Promise<number> {
  const { exitStatusOf, printFailure } = await import('./failure.ts')
  const { wrapText } = await import('./wrap.ts')
  const status = exitStatusOf(error)
  const json = argv.includes('--json')
  const columns = json ? undefined : columnsOf(process.stderr)
  const plain = textFor(process.stderr, process.env)
  const write = (text: string): void => void process.stderr.write(wrapText(json ? text : plain(text), columns))
  if (status !== 0) printFailure(error, { json, verbose: argv.includes('--verbose'), write })
  return status
}

async function dispatch(given: readonly string[], process: ProcessLike, lost: AbortSignal): Promise<number> {
  const argv = moveLeadingOptions(given)
  if (argv.length === 0 || argv[0] === '--help' || argv[0] === '-h' || (argv[0] === 'help' && argv.length === 1)) {
    const { formatOverview } = await import('./help.ts')
    process.stdout.write(textFor(process.stdout, process.env)(formatOverview()))
    return argv.length === 0 ? 2 : 0
  }
  if (argv[0] === '--version' || argv[0] === '-V') {
    process.stdout.write(`vmpkg ${await readVersion()}\n`)
    return 0
  }
  const words = argv[0] === 'help' ? [...argv.slice(1), '--help'] : argv
  const found = findCommand(words)
  if (found === undefined) {
    const { formatFamily } = await import('./help.ts')
    const asked = words.filter((word) => word !== '--help' && word !== '-h')
    const family = formatFamily(asked)
    if (family === undefined) throw unknownCommand(words)
    process.stdout.write(textFor(process.stdout, process.env)(family))
    return asked.length < words.length ? 0 : 2
  }
  const spec = await found.entry.load()
  const parsed = parseQuickly(spec, found.rest) ?? (await parseSlowly(found.entry.name, spec, found.rest, process))
  const edge = createIo(process, parsed.options, lost)
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
  const options = words.findIndex((word) => word.startsWith('-'))
  const text = words.slice(0, options === -1 ? words.length : options).join(' ')
  const near = suggestCommand(words)
  const hint = near === undefined ? 'vmpkg --help lists the commands.' : `Did you mean vmpkg ${near}?`
  if (text !== '') return new VmpkgError('USAGE', `There is no command ${JSON.stringify(text.slice(0, 60))}`, { hint })
  return new VmpkgError('USAGE', `No command is named before ${JSON.stringify(words[0]?.slice(0, 60))}`, {
    hint: 'Name the command first, then its options; vmpkg --help lists the commands.',
  })
}

async function readVersion(): Promise<string> {
  const { readFile } = await import('node:fs/promises')
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8')
  const parsed: unknown = JSON.parse(text)
  return typeof parsed === 'object' && parsed !== null && 'version' in parsed ? String(parsed.version) : 'unknown'
}
