import { listHosts } from '../../operations/host-private.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '',
  summary: 'List private hosts, and how virsh and virt-manager reach them.',
  options: [],
  examples: ['vmpkg host private status'],
  async run({ io }) {
    const hosts = await listHosts(await io.workspace())
    if (io.json) io.printJson('private-hosts', { hosts })
    else
      io.printTable(
        ['NAME', 'STATE', 'PID', 'URI'],
        hosts.map((row) => [row.name, row.state, row.pid, row.uri]),
      )
    return hosts.length > 0 ? 0 : 1
  },
}
