import { reverseDepends } from '../../operations/relations.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<package>',
  summary: 'Show which packages depend on a package or recommend it, or what it provides.',
  options: [{ flags: '--installed', summary: 'installed packages only' }],
  examples: ['vmpkg rdepends router-uni', 'vmpkg rdepends router-uni --installed'],
  async run({ args, options, io }) {
    const [name = ''] = args
    const dependents = reverseDepends(await io.workspace(), name, { installedOnly: options['installed'] === true })
    if (io.json) io.printJson('rdepends', { name, dependents })
    else
      io.printTable(
        ['NAME', 'VERSION', 'STATE', 'KIND', 'RELATION'],
        dependents.map((one) => [
          one.name,
          one.version,
          one.isInstalled ? 'installed' : 'available',
          one.kind,
          one.relation,
        ]),
      )
    return dependents.length > 0 ? 0 : 1
  },
}
