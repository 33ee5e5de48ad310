import { why } from '../../operations/relations.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<package>',
  summary: 'Show why a package is installed: the chain from one that you installed yourself.',
  options: [],
  examples: ['vmpkg why router-uni'],
  async run({ args, io }) {
    const [name = ''] = args
    const chain = why(await io.workspace(), name)
    if (io.json) io.printJson('why', { name, chain })
    else if (chain.length === 0) io.print(`Nothing that you installed needs ${name}: vmpkg autoremove would remove it`)
    for (const [depth, step] of io.json ? [] : chain.entries()) {
      const cause = step.relation === undefined ? 'installed by you' : `${step.kind} ${step.relation}`
      io.print(`${'  '.repeat(Math.min(depth, 20))}${step.name} ${step.version} (${cause})`)
    }
    return chain.length > 0 ? 0 : 1
  },
}
