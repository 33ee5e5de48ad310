import { VmpkgError } from '../../errors.ts'
import { type DiskUsage, diskUsage } from '../../operations/disk-usage.ts'
import { warnOfExpiry } from '../../operations/expiry-warning.ts'
import { show } from '../../operations/show.ts'
import type { CommandSpec, Io } from '../command.ts'
import { formatBytes } from '../table.ts'

export const command: CommandSpec = {
  args: '[package...]',
  summary: 'Show what is known of packages: versions, relations, capabilities, images, signer.',
  description:
    'With --disk: what images take on this disk, which of their chunks others have too, and who\n' +
    'needs them; of the packages named, or of everything in the store, with the sum.',
  options: [
    { flags: '--all-versions', summary: 'every version that a source has' },
    { flags: '--disk', summary: 'what it takes on disk, and who needs it' },
  ],
  examples: [
    'vmpkg show router-uni',
    'vmpkg show --disk',
    'vmpkg show router-uni=1.0-1',
    'vmpkg show router-uni --all-versions',
  ],
  async run({ args, options, io }) {
    const workspace = await io.workspace()
    if (options['disk'] === true) return showDisk(io, await diskUsage(workspace, args), args.length === 0)
    if (args.length === 0) {
      throw new VmpkgError('USAGE', 'Name a package to show', {
        hint: 'vmpkg list shows them; vmpkg show --disk needs none.',
      })
    }
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

function showDisk(io: Io, usage: DiskUsage, isAll: boolean): number {
  if (io.json) {
    io.printJson('disk-usage', { ...usage })
    return 0
  }
  io.printTable(
    ['IMAGE', 'DISK', 'TAKES', 'SHARED', 'USED BY'],
    usage.stored.map(({ images, digest, size, diskBytes, sharedBytes, usedBy, isSpare }) => [
      images.length === 0 ? digest.slice(0, 12) : images.join(', '),
      formatBytes(size),
      formatBytes(diskBytes),
      formatBytes(sharedBytes),
      `${usedBy.join(', ')}${isSpare ? ' (vmpkg clean frees it)' : ''}`.trim(),
    ]),
    'whole',
  )
  if (!isAll) return 0
  const { images, unfinished, damaged, archives, machines, cache, sum, spareImages } = usage.totals
  const rows: readonly (readonly [string, number])[] = [
    ['Images', images],
    ['Unfinished', unfinished],
    ['Damaged', damaged],
    ['Archives', archives],
    ['Machines', machines],
    ['Package lists', cache],
    ['All', sum],
    ['Freed by clean', spareImages + unfinished + damaged],
    ['Saved by sharing', usage.savedBySharing],
  ]
  for (const [name, bytes] of rows) io.print(`${name}: ${formatBytes(bytes)}`)
  return 0
}
