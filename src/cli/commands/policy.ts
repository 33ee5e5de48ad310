import { generalPolicy, type PackagePolicy, policy } from '../../operations/policy.ts'
import type { CommandSpec, Io } from '../command.ts'

export const command: CommandSpec = {
  args: '[package...]',
  summary: 'Show which version of a package is the candidate, and why.',
  description:
    'Every version with its priority, source and channel, and what keeps it from\n' +
    'being installed: a pin, a channel that is not followed, phasing, a yank, or\n' +
    'another source that the name is taken from. *** marks the installed one.\n' +
    'Without a package: sources, channels and pins.',
  options: [],
  examples: ['vmpkg policy router-uni', 'vmpkg policy'],
  async run({ args, io }) {
    const workspace = await io.workspace()
    if (args.length === 0) {
      const general = generalPolicy(workspace)
      if (io.json) io.printJson('policy', { ...general })
      else {
        io.print('Sources:')
        for (const { name, priority, packages } of general.sources)
          io.print(`  ${priority}  ${name}  ${packages} versions`)
        io.print(`Channels: ${general.channels.join(', ')}`)
        io.print('Pins:')
        for (const { target, priority } of general.pins) io.print(`  ${priority}  ${target}`)
      }
      return 0
    }
    const packages = policy(workspace, args)
    if (io.json) io.printJson('policy', { packages })
    else for (const one of packages) print(io, one)
    return 0
  },
}

function print(io: Io, { name, installed, installedFrom, isHeld, candidate, why, versions }: PackagePolicy): void {
  io.print(`${name}:`)
  const from = installedFrom === undefined ? '' : ` from ${installedFrom}`
  io.print(`  Installed: ${installed === undefined ? 'no' : `${installed}${from}${isHeld ? ', held' : ''}`}`)
  io.print(`  Candidate: ${candidate ?? 'none'}`)
  io.print(`  Because: ${why}`)
  io.print('  Versions:')
  const width = Math.max(0, ...versions.map((one) => one.version.length))
  for (const one of versions) {
    const phase = one.phasedPercent === 100 ? '' : `  ${one.phasedPercent} %`
    const pin = one.pin === undefined ? '' : `  (pin ${one.pin})`
    const mark = one.isInstalled ? '***' : '   '
    io.print(
      `  ${mark} ${one.version.padEnd(width)}  ${String(one.priority).padStart(4)}  ${one.source}  ${one.channel}${phase}${pin}`,
    )
    if (one.refused !== undefined) io.print(`        ${one.refused}`)
  }
}
