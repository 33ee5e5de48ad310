import { listMachines } from '../../operations/status.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '',
  summary: 'List machines that vmpkg made: the running ones, or all.',
  options: [
    { flags: '-a, --all', summary: 'stopped machines as well' },
    { flags: '--names', summary: 'names only, one a line' },
  ],
  examples: ['vmpkg ps', 'vmpkg ps --all --json'],
  async run({ options, io }) {
    const machines = (await listMachines(await io.workspace())).filter(
      ({ state }) => options['all'] === true || state !== 'shutoff',
    )
    if (io.json) io.printJson('ps', { machines })
    else if (options['names'] === true) for (const { name } of machines) io.print(name)
    else {
      io.printTable(
        ['NAME', 'STATE', 'PACKAGE', 'NET', 'KEPT', 'AUTOSTART'],
        machines.map((row) => [
          row.name,
          row.state,
          `${row.package} ${row.version}`,
          row.net ?? '',
          row.ephemeral ? (row.storage ?? 'ephemeral') : 'kept',
          row.autostart ? 'on' : '-',
        ]),
      )
    }
    return 0
  },
}
