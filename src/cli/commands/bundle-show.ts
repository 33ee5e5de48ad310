import { showBundle } from '../../operations/bundle-import.ts'
import type { CommandSpec } from '../command.ts'
import { formatBytes } from '../table.ts'

export const command: CommandSpec = {
  args: '<file>',
  summary: 'Show what a bundle says it holds. Nothing of it is verified before it is imported.',
  options: [],
  examples: ['vmpkg bundle show uni.vmbundle', 'vmpkg bundle show uni.vmbundle --json'],
  async run({ args, io }) {
    const [file = ''] = args
    const { schema: _, ...info } = await showBundle(await io.workspace(), file)
    if (io.json) {
      io.printJson('bundle', info)
      return 0
    }
    io.note(`Registry ${info.registryId}, version ${info.version}, exported from source ${info.source} (${info.url})`)
    io.note(`${info.files} files, ${formatBytes(info.sizeBytes)}; not verified`)
    io.printTable(
      ['PACKAGE', 'VERSION', 'ARCH'],
      info.packages.map(({ name, version, arch }) => [name, version, arch]),
    )
    return 0
  },
}
