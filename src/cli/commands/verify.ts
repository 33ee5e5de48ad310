import { type PlannedRepair, planRepair, type Repair, repair, verify } from '../../operations/verify.ts'
import { type CommandSpec, WAIT_OPTION } from '../command.ts'

export const command: CommandSpec = {
  args: '[package...]',
  summary: 'Check installed packages: their files and every image against the digests that were signed.',
  description:
    'Also whether the machines and networks that they brought are there. --fix fetches\n' +
    'damaged files anew and defines what is missing, with the same UUIDs and MACs.',
  options: [
    { flags: '--full', summary: 'read and hash every image, not just sizes and modes' },
    { flags: '--fix', summary: 'repair what is wrong, and nothing else' },
    { flags: '--dry-run', summary: 'with --fix, print what would be repaired' },
    WAIT_OPTION,
  ],
  examples: ['vmpkg verify', 'vmpkg verify router-uni --full', 'vmpkg verify --full --fix'],
  async run({ args, options, io }) {
    const request = { packages: args, full: options['full'] === true }
    if (options['fix'] === true) {
      const repairs: readonly (PlannedRepair | Repair)[] = io.dryRun
        ? await planRepair(await io.workspace(), request)
        : await repair(await io.workspace({ write: true }), request)
      if (io.json) io.printJson('repair', { dryRun: io.dryRun, repairs })
      else if (repairs.length === 0) io.print('Everything is as it was signed')
      else {
        io.printTable(
          ['PACKAGE', 'WHAT', 'OUTCOME', 'FINDING'],
          repairs.map((row) => [row.package, row.what, row.outcome, reasonOf(row) ?? row.finding]),
          'whole',
        )
      }
      return repairs.every(({ outcome }) => io.dryRun || outcome === 'repaired') ? 0 : 1
    }
    const findings = await verify(await io.workspace(), request)
    if (io.json) io.printJson('verify', { findings })
    else if (findings.length === 0) io.print('Everything is as it was signed')
    else {
      io.printTable(
        ['PACKAGE', 'WHAT', 'FINDING'],
        findings.map((row) => [row.package, row.what, row.finding]),
        'whole',
      )
      io.note(`To repair: vmpkg verify${request.full ? ' --full' : ''} --fix`)
    }
    return findings.length === 0 ? 0 : 1
  },
}

function reasonOf(row: PlannedRepair | Repair): string | undefined {
  return 'reason' in row ? row.reason : undefined
}
