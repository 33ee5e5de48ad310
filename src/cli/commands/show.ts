import { warnOfExpiry } from '../../operations/expiry-warning.ts'
import { show } from '../../operations/show.ts'
import type { CommandSpec } from '../command.ts'
import { formatBytes } from '../table.ts'

export const command: CommandSpec = {
  args: '<package...>',
  summary: 'Show what is known of packages: versions, relations, capabilities, images, signer.',
  options: [{ flags: '--all-versions', summary: 'every version that a source has' }],
  examples: ['vmpkg show router-uni', 'vmpkg show router-uni=1.0-1', 'vmpkg show router-uni --all-versions'],
  async run({ args, options, io }) {
    const workspace = await io.workspace()
    await warnOfExpiry(workspace)
    const packages = await show(workspace, args, { allVersions: options['allVersions'] === true })
    if (io.json) {
      io.printJson('show', { packages })
      return 0
    }
    for (const item of packages) {
      const rows: readonly (readonly [string, string])[] = [
        ['Package', item.name],
        ['Version', item.version],
        ['Installed', item.installedVersion ?? 'no'],
        ['Source', item.source],
        ['Channel', item.channel],
        ['Withdrawn', item.yanked ?? ''],
        ['Versions', item.versions.join(', ')],
        ['Root-Keys', item.rootKeys.join(', ')],
        ['Line-SHA256', item.lineDigest],
        ['Architecture', item.arch],
        ['Kind', item.layer === undefined ? item.kind : `${item.kind} (${item.layer})`],
        ['Depends', item.depends.join(', ')],
        ['Recommends', item.recommends.join(', ')],
        ['Provides', item.provides.join(', ')],
        ['Conflicts', item.conflicts.join(', ')],
        ['Replaces', item.replaces.join(', ')],
        ['Capabilities', item.capabilities.join(', ')],
        ['Images', item.images.map((image) => `${image.role} ${formatBytes(image.size)}`).join(', ')],
        ['Download', formatBytes(item.downloadBytes)],
        ['Summary', item.summary],
      ]
      for (const [name, value] of rows) if (value !== '') io.print(`${name}: ${value}`)
      io.print('')
    }
    return 0
  },
}
