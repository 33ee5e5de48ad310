import { lintPackages } from '../../operations/lint.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { countOf } from '../table.ts'

export const command: CommandSpec = {
  args: '<package...>',
  summary: 'Look for mistakes in package folders before they are published: template folders and built packages.',
  description: 'The exit status is 1 when there are errors. docs/publishing.md lists the findings.',
  options: [{ flags: '--registry <registry>', summary: 'compare names and versions with this folder or address' }],
  examples: ['vmpkg lint templates/router-uni', 'vmpkg lint ./built/* --registry ./registry'],
  async run({ args, options, io }) {
    const packages = await lintPackages(await io.workspace(), {
      packages: args,
      registry: optionText(options, 'registry'),
    })
    const findings = packages.flatMap(({ folder, findings: list }) => list.map((one) => ({ folder, ...one })))
    const errors = findings.filter(({ severity }) => severity === 'error').length
    if (io.json) io.printJson('lint', { ok: errors === 0, packages })
    else {
      io.printTable(
        ['PACKAGE', 'SEVERITY', 'CODE', 'FINDING'],
        findings.map((one) => [one.folder, one.severity, one.code, `${one.subject}: ${one.message}`]),
        'whole',
      )
      io.note(
        [
          countOf(packages.length, 'package'),
          countOf(errors, 'error'),
          countOf(findings.length - errors, 'warning'),
        ].join(', '),
      )
    }
    return errors === 0 ? 0 : 1
  },
}
