import { VmpkgError } from '../../errors.ts'
import { warnOfExpiry } from '../../operations/expiry-warning.ts'
import { type ListFilter, list } from '../../operations/list.ts'
import type { CommandSpec } from '../command.ts'

const FILTERS: readonly ListFilter[] = ['installed', 'upgradable', 'manual', 'auto', 'held']

export const command: CommandSpec = {
  args: '[pattern...]',
  summary: 'List packages: all candidates, or the installed ones. Patterns may use * and ?.',
  options: [
    { flags: '--installed', summary: 'installed packages only' },
    { flags: '--upgradable', summary: 'installed packages with a newer candidate' },
    { flags: '--manual', summary: 'installed packages that were asked for' },
    { flags: '--auto', summary: 'packages installed as dependencies' },
    { flags: '--held', summary: 'packages kept in their version' },
    { flags: '--all-versions', summary: 'every version of each, not only candidates' },
  ],
  examples: ['vmpkg list', 'vmpkg list --installed', "vmpkg list 'router-*' --all-versions"],
  async run({ args, options, io }) {
    const [filter, ...others] = FILTERS.filter((one) => options[one] === true)
    if (others.length > 0) {
      throw new VmpkgError('USAGE', `--${filter} and --${others.join(', --')} cannot be combined`, {
        hint: 'Choose one of them.',
      })
    }
    const workspace = await io.workspace()
    await warnOfExpiry(workspace)
    const packages = list(workspace, {
      patterns: args,
      filter,
      allVersions: options['allVersions'] === true,
    })
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
