/** Help texts, made from the one command table. */
import type { CommandSpec } from './command.ts'
import { COMMANDS, GROUPS } from './commands.ts'

export function formatOverview(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length)) + 2
  const groups = GROUPS.map(
    (group) =>
      `${group}:\n${COMMANDS.filter((entry) => entry.group === group)
        .map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`)
        .join('\n')}\n`,
  )
  return [
    'vmpkg: apt for virtual machines\n\nUsage: vmpkg COMMAND [ARGUMENT…] [OPTION…]\n',
    ...groups,
    'vmpkg COMMAND --help explains a command, with examples.\n',
  ].join('\n')
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
