import { warnOfExpiry } from '../../operations/freshness.ts'
import { list } from '../../operations/list.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '[pattern...]',
  summary: 'List packages: all candidates, or the installed ones. Patterns may use * and ?.',
  options: [{ flags: '--installed', summary: 'installed packages only' }],
  examples: ['vmpkg list', 'vmpkg list --installed', "vmpkg list 'router-*'"],
  async run({ args, options, io }) {
    const workspace = await io.workspace()
    await warnOfExpiry(workspace)
    const packages = list(workspace, { patterns: args, installedOnly: options['installed'] === true })
    if (io.json) io.printJson('list', { packages })
    else {
      io.printTable(
        ['NAME', 'VERSION', 'ARCH', 'KIND', 'STATE'],
        packages.map((row) => [row.name, row.version, row.arch, row.kind, row.state]),
      )
    }
    return packages.length > 0 ? 0 : 1
  },
}
