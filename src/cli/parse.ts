/** Parses one command's arguments with commander, the options that every command has included. */
import { Command } from 'commander'
import { textFor } from './ascii.ts'
import { COMMON_OPTIONS, type CommandSpec } from './command.ts'
import { describeExamples } from './help.ts'
import type { Parsed } from './quick-parse.ts'

interface Output {
  readonly stdout: { readonly isTTY?: boolean; write(text: string): unknown }
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** @throws {CommanderError} on wrong usage, and with exit code 0 after printing help. */
export function parseInvocation(name: string, spec: CommandSpec, argv: readonly string[], output: Output): Parsed {
  const command = new Command(`vmpkg ${name}`)
    .description([spec.summary, flow(spec.description)].filter((text) => text !== undefined).join('\n\n'))
    .exitOverride()
    .configureOutput({
      writeOut: (text) => output.stdout.write(textFor(output.stdout, output.env ?? {})(text)),
      writeErr: () => {},
      outputError: () => {},
    })
    .showSuggestionAfterError()
    .allowExcessArguments(false)
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', describeExamples(spec))
  if (spec.args !== '') command.arguments(spec.args)
  for (const { flags, summary } of spec.options) {
    if (flags.endsWith('...')) {
      command.option(flags.slice(0, -3), summary, gather)
    } else command.option(flags, summary)
  }
  for (const { flags, summary } of COMMON_OPTIONS) command.option(flags, summary)
  command.parse([...argv], { from: 'user' })
  return { args: command.args, options: command.opts<Parsed['options']>() }
}

/** Paragraphs as wide as the terminal, however the source has their lines; what is set in columns stays as it is. */
function flow(text: string | undefined): string | undefined {
  return text
    ?.split('\n\n')
    .map((paragraph) => (/^\s/m.test(paragraph) ? paragraph : paragraph.replaceAll('\n', ' ')))
    .join('\n\n')
}

function gather(value: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), value]
}
