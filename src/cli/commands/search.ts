import { warnOfExpiry } from '../../operations/expiry-warning.ts'
import { search } from '../../operations/search.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<word...>',
  summary: 'Find packages whose name, summary or description has all the words.',
  options: [],
  examples: ['vmpkg search router', 'vmpkg search tor browser --json'],
  async run({ args, io }) {
    const workspace = await io.workspace()
    await warnOfExpiry(workspace)
    const packages = search(workspace, args)
    if (io.json) io.printJson('search', { packages })
    else
      io.printTable(
        ['NAME', 'VERSION', 'KIND', 'SUMMARY'],
        packages.map((row) => [row.name, row.version, row.kind, row.summary]),
      )
    return packages.length > 0 ? 0 : 1
  },
}
