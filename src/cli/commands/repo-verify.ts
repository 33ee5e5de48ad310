import { verifyRegistry } from '../../operations/repo-verify.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<registry>',
  summary: 'Check a registry folder as its clients would, and warn of what will go wrong soon.',
  description: 'The exit status is 1 when there are errors. Warnings alone leave it 0.',
  options: [{ flags: '--full', summary: 'also put every image together, chunk by chunk' }],
  examples: ['vmpkg repo verify ./registry', 'vmpkg repo verify ./registry --full'],
  async run({ args, options, io }) {
    const [registry = ''] = args
    const findings = await verifyRegistry(await io.workspace(), { registry, full: options['full'] === true })
    const errors = findings.filter(({ severity }) => severity === 'error').length
    if (io.json) io.printJson('repo-verify', { ok: errors === 0, findings })
    else if (findings.length === 0) io.print('Everything is as clients want it')
    else {
      io.printTable(
        ['SEVERITY', 'CODE', 'SUBJECT', 'FINDING'],
        findings.map((one) => [one.severity, one.code, one.subject, one.message]),
        'whole',
      )
    }
    return errors === 0 ? 0 : 1
  },
}
