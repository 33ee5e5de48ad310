/** Help texts, made from the one command table. */
import type { CommandSpec } from './command.ts'
import { COMMANDS, type CommandEntry, GROUPS } from './commands.ts'

export function formatOverview(): string {
  const groups = GROUPS.map((group) => `${group}:\n${listCommands(COMMANDS.filter((entry) => entry.group === group))}`)
  return [
    'vmpkg: apt for virtual machines\n\nUsage: vmpkg COMMAND [ARGUMENT…] [OPTION…]\n',
    ...groups,
    'vmpkg COMMAND --help explains a command, with examples.\n',
  ].join('\n')
}

/** The commands that begin with these words, such as those of `source`; `undefined` when there are none. */
export function formatFamily(words: readonly string[]): string | undefined {
  const name = words.join(' ')
  const commands = COMMANDS.filter((entry) => entry.name.startsWith(`${name} `))
  if (name === '' || commands.length === 0) return undefined
  return [
    `Usage: vmpkg ${name} COMMAND [ARGUMENT…] [OPTION…]\n`,
    `Commands:\n${listCommands(commands)}`,
    `vmpkg ${name} COMMAND --help explains a command, with examples.\n`,
  ].join('\n')
}

const NAME_WIDTH = Math.max(...COMMANDS.map(({ name }) => name.length)) + 2

function listCommands(commands: readonly CommandEntry[]): string {
  return commands.map(({ name, summary }) => `  ${name.padEnd(NAME_WIDTH)}${summary}\n`).join('')
}

export function describeExamples({ examples }: CommandSpec): string {
  return examples.length === 0 ? '' : `\nExamples:\n${examples.map((example) => fold(example)).join('\n')}\n`
}

const WIDTH = 80

/** A command line in the shell's own way of going on in the next line, before options only. */
function fold(example: string): string {
  const lines: string[] = []
  let line = ' '
  for (const piece of example.split(/ (?=-)/)) {
    if (line.length + 1 + piece.length > WIDTH - 2 && line.trim() !== '') {
      lines.push(`${line} \\`)
      line = '   '
    }
    line += ` ${piece}`
  }
  return [...lines, line].join('\n')
}
