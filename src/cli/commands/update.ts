import { type UpdatedSource, update } from '../../operations/update.ts'
import type { CommandSpec } from '../command.ts'

/** New, no change, or how old what is known is. */
function remark({ changed, offline, refreshedAt }: UpdatedSource): string {
  if (!offline) return changed ? '' : ' (no change)'
  const minutes = Math.max(0, Math.round((Date.now() - refreshedAt.getTime()) / 60_000))
  const [count, unit] =
    minutes < 120
      ? [minutes, 'minute']
      : minutes < 2880
        ? [Math.round(minutes / 60), 'hour']
        : [Math.round(minutes / 1440), 'day']
  return ` (offline, last refreshed ${count} ${unit}${count === 1 ? '' : 's'} ago)`
}

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
        io.print(`${source.name}: version ${source.version}, ${source.packages} package versions${remark(source)}`)
    return 0
  },
}
