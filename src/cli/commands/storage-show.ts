import { showStorage } from '../../operations/storage.ts'
import type { CommandSpec } from '../command.ts'
import { formatStorageState } from '../storage-state.ts'
import { formatBytes } from '../table.ts'

export const command: CommandSpec = {
  args: '<name>',
  summary: 'Everything about a place for disks: where it is, how full, which file opens it.',
  options: [],
  examples: ['vmpkg storage show vault'],
  async run({ args: [name = ''], io }) {
    const found = await showStorage(await io.workspace(), name)
    if (io.json) io.printJson('storage', { ...found })
    else {
      const { usage, pool, keyFile, keyHeader } = found
      const rows: readonly (readonly [string, string | undefined])[] = [
        ['Name', found.name],
        ['Type', found.type],
        ['Place', found.place],
        ['State', formatStorageState(found)],
        ['Free', usage && `${formatBytes(usage.free)} of ${formatBytes(usage.size)}`],
        ['Promised', usage?.promised === undefined ? undefined : formatBytes(usage.promised)],
        ['Metadata', usage?.metadataPercent === undefined ? undefined : `${usage.metadataPercent} % full`],
        ['Pool', pool],
        ['Key file', keyFile],
        ['Key header', keyHeader],
      ]
      for (const [label, text] of rows) if (text !== undefined) io.print(`${label}: ${text}`)
    }
    return found.problem === undefined ? 0 : 1
  },
}
