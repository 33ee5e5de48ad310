import { update } from '../../operations/update.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '',
  summary: 'Fetch the package lists of all sources and verify them: signatures, freshness, rollback.',
  options: [],
  examples: ['vmpkg update'],
  async run({ io }) {
    const workspace = await io.workspace({ write: true })
    const { sources } = await update(workspace)
    if (io.json) io.printJson('update', { sources })
    else
      for (const source of sources)
        io.print(
          `${source.name}: version ${source.version}, ${source.packages} package versions${source.changed ? '' : ' (no change)'}`,
        )
    return 0
  },
}
