import { listStorages } from '../../operations/storage.ts'
import type { CommandSpec } from '../command.ts'
import { formatStorageState } from '../storage-state.ts'
import { formatBytes } from '../table.ts'

export const command: CommandSpec = {
  args: '',
  summary: 'Places for disks of machines, and how full they are.',
  options: [{ flags: '--names', summary: 'names only, one a line' }],
  examples: ['vmpkg storage list'],
  async run({ options, io }) {
    const storages = await listStorages(await io.workspace())
    if (io.json) io.printJson('storages', { storages })
    else if (options['names'] === true) for (const { name } of storages) io.print(name)
    else {
      io.printTable(
        ['NAME', 'TYPE', 'PLACE', 'FREE', 'SIZE', 'STATE'],
        storages.map((one) => [
          one.name,
          one.type,
          one.place,
          one.usage === undefined ? '-' : formatBytes(one.usage.free),
          one.usage === undefined ? '-' : formatBytes(one.usage.size),
          formatStorageState(one),
        ]),
      )
    }
    return 0
  },
}
