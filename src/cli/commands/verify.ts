import { verify } from '../../operations/verify.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '[package...]',
  summary: 'Check installed packages: their files and every image against the digests that were signed.',
  options: [{ flags: '--full', summary: 'read and hash every image, not just sizes and modes' }],
  examples: ['vmpkg verify', 'vmpkg verify router-uni --full'],
  async run({ args, options, io }) {
    const findings = await verify(await io.workspace(), { packages: args, full: options['full'] === true })
    if (io.json) io.printJson('verify', { findings })
    else if (findings.length === 0) io.print('Everything is as it was signed')
    else
      io.printTable(
        ['PACKAGE', 'WHAT', 'FINDING'],
        findings.map((row) => [row.package, row.what, row.finding]),
      )
    return findings.length === 0 ? 0 : 1
  },
}
