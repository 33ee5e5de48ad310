import { describeSource } from '../../operations/source-show.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<name>',
  summary: 'Show what a registry is trusted by: root keys, thresholds, roles with their patterns, versions seen.',
  options: [],
  examples: ['vmpkg source show example', 'vmpkg source show example --json'],
  async run({ args, io }) {
    const [name = ''] = args
    const source = await describeSource(await io.workspace(), name)
    if (io.json) {
      io.printJson('source-details', { ...source })
      return 0
    }
    const { root, envelope } = source
    const rows: readonly (readonly [string, string | undefined])[] = [
      ['Source', source.name],
      ['URL', source.url],
      ['Registry-Id', source.registryId],
      ['Priority', String(source.priority)],
      ['Expiry', source.expiry],
      ['Minimum-Version', source.minimumVersion?.toString()],
      ['Pinned-Root', `${source.pinnedRoot.version}, SHA-256 ${source.pinnedRoot.sha256}`],
      ['Newest-Root', `${root.version}, expires ${root.expiresAt}`],
      ['Envelope', envelope && `${envelope.version}, issued ${envelope.issuedAt}, expires ${envelope.expiresAt}`],
      ['Channels', source.channelsVersion?.toString()],
      ['Evidence', source.evidence === 0 ? undefined : `${source.evidence} files: vmpkg source evidence ${name}`],
    ]
    for (const [field, value] of rows) if (value !== undefined) io.print(`${field}: ${value}`)
    for (const { role, threshold, keys, patterns } of root.roles) {
      const names = patterns === undefined ? '' : ` for ${patterns.join(' ')}`
      io.print(`${role}${names}: ${threshold} of ${keys.length}`)
      for (const { fingerprint, userIds } of keys) io.print(`  ${fingerprint}  ${userIds.join(', ')}`)
    }
    return 0
  },
}
