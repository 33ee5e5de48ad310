import { listSources } from '../../operations/source-list.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '',
  summary: 'List the registries that this host trusts, and by which root keys.',
  options: [{ flags: '--names', summary: 'names only, one a line' }],
  examples: ['vmpkg source list'],
  async run({ options, io }) {
    const sources = await listSources(await io.workspace())
    if (io.json) io.printJson('sources', { sources })
    else if (options['names'] === true) for (const { name } of sources) io.print(name)
    else
      io.printTable(
        ['NAME', 'EXPIRY', 'URL'],
        sources.map((row) => [row.name, row.expiry, row.url]),
      )
    return 0
  },
}
