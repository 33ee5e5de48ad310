/** Parses one command's arguments with commander, the options that every command has included. */
import { Command } from 'commander'
import type { CommandSpec, OptionValues } from './command.ts'
import { describeExamples } from './help.ts'

interface Output {
  readonly stdout: { write(text: string): unknown }
}

const COMMON: readonly (readonly [flags: string, summary: string])[] = [
  ['-c, --connect <uri>', 'libvirt to use: a libvirt URI, private or private:NAME'],
  ['--root <folder>', 'keep all of vmpkg’s state below this folder'],
  ['--json', 'print the result as JSON'],
  ['-y, --yes', 'assume yes; never grants a capability'],
  ['-q, --quiet', 'print results, warnings and errors only'],
  ['--verbose', 'print the chain of causes of a failure'],
]

/** @throws {CommanderError} on wrong usage, and with exit code 0 after printing help. */
export function parseInvocation(
  name: string,
  spec: CommandSpec,
  argv: readonly string[],
  output: Output,
): { readonly args: readonly string[]; readonly options: OptionValues } {
  const command = new Command(`vmpkg ${name}`)
    .description([spec.summary, spec.description].filter((text) => text !== undefined).join('\n\n'))
    .exitOverride()
    .configureOutput({ writeOut: (text) => output.stdout.write(text), writeErr: () => {}, outputError: () => {} })
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
  for (const [flags, summary] of COMMON) command.option(flags, summary)
  command.parse([...argv], { from: 'user' })
  return { args: command.args, options: command.opts<OptionValues>() }
}

function gather(value: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), value]
}
