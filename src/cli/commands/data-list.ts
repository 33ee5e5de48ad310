import { listData } from '../../operations/data-disks.ts'
import type { CommandSpec } from '../command.ts'
import { formatBytes } from '../table.ts'

export const command: CommandSpec = {
  args: '[machine]',
  summary: 'Data disks: what machines keep when they are removed or made anew.',
  options: [],
  examples: ['vmpkg data list', 'vmpkg data list browser'],
  async run({ args: [machine], io }) {
    const disks = await listData(await io.workspace(), machine)
    if (io.json) io.printJson('data-list', { disks })
    else {
      io.printTable(
        ['MACHINE', 'DATA', 'SIZE', 'ON DISK', 'STORAGE', 'USED BY'],
        disks.map(({ machine: name, data, size, diskBytes, storage, usedBy }) => [
          name,
          data,
          formatBytes(size),
          formatBytes(diskBytes),
          storage,
          usedBy.length === 0 ? 'nobody, kept' : usedBy.join(', '),
        ]),
      )
    }
    return disks.length > 0 ? 0 : 1
  },
}
