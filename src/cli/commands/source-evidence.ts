import { listEvidence } from '../../operations/source-evidence.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '[name]',
  summary: 'List the files with which registries contradicted themselves, such as two envelopes of one version.',
  options: [{ flags: '--output <folder>', summary: 'write the files to this folder' }],
  examples: ['vmpkg source evidence', 'vmpkg source evidence example --output ./evidence'],
  async run({ args, options, io }) {
    const [name] = args
    const evidence = await listEvidence(await io.workspace(), name, optionText(options, 'output'))
    if (io.json) io.printJson('evidence', { evidence })
    else
      io.printTable(
        ['SOURCE', 'NOTED', 'FILE', 'FACT'],
        evidence.map((row) => [row.source, row.notedAt, row.path ?? row.name, row.fact]),
      )
    return evidence.length > 0 ? 0 : 1
  },
}
