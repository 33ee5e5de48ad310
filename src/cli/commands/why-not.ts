import { whyNot } from '../../operations/relations.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<package>',
  summary: 'Explain why NAME or NAME=VERSION cannot be installed. Changes nothing.',
  options: [],
  examples: ['vmpkg why-not router-gal', 'vmpkg why-not router-gal=2.0-1'],
  async run({ args, io }) {
    const [request = ''] = args
    const answer = whyNot(await io.workspace(), request)
    const isPossible = answer.explanation.length === 0
    if (io.json) io.printJson('why-not', { ...answer })
    else if (isPossible) {
      io.print(`Nothing stands in the way of ${request}:`)
      for (const change of answer.changes.length === 0 ? ['it is there already'] : answer.changes)
        io.print(`  ${change}`)
    } else for (const line of [...answer.explanation, ...answer.hints]) io.print(line)
    return isPossible ? 1 : 0
  },
}
