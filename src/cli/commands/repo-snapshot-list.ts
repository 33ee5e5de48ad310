import { listSnapshots } from '../../operations/repo-snapshot.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<registry>',
  summary: 'List the snapshots of a registry folder, with the expiry policy that reads each.',
  options: [],
  examples: ['vmpkg repo snapshot list ./registry'],
  async run({ args, io }) {
    const [registry = ''] = args
    const snapshots = await listSnapshots(registry)
    if (io.json) io.printJson('repo-snapshots', { snapshots })
    else {
      io.printTable(
        ['SNAPSHOT', 'VERSION', 'PACKAGES', 'EXPIRY POLICY'],
        snapshots.map((one) => [one.name, String(one.version), String(one.packages), one.policy]),
      )
    }
    return 0
  },
}
