import { applyHostBind, planHostBind } from '../../operations/host-bind.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { modeOf, SELECTION_OPTIONS, TARGET_OPTION } from '../host-options.ts'

export const command: CommandSpec = {
  args: '<device...>',
  summary: 'Give PCI devices to vfio-pci now, until host unbind or the next start.',
  description:
    'Closes the IOMMU group or says what is in the way. Guests with managed hostdevs do not need it: libvirt binds for ' +
    'them. --dry-run prints exactly what would be written to /sys.',
  options: [...SELECTION_OPTIONS, TARGET_OPTION, { flags: '--dry-run', summary: 'print the writes and stop' }],
  examples: ['vmpkg host bind 0000:03:00.0', 'vmpkg host bind 01:00 --dry-run'],
  async run({ args, options, io }) {
    const workspace = await io.workspace({ write: true })
    const plan = await planHostBind({
      target: optionText(options, 'target'),
      devices: args,
      mode: modeOf(options),
      every: options['every'] === true,
      onlyNamed: options['onlyNamed'] === true,
      force: options['force'] === true,
    })
    const { skipped, warnings, exempt } = plan.passthrough
    if (io.dryRun) {
      if (io.json) io.printJson('host-bind-plan', { passthrough: plan.passthrough, writes: plan.writes })
      else for (const { path, text } of plan.writes) io.print(`/sys/${path} < ${text}`)
      return 0
    }
    for (const { address, refusals } of skipped) {
      io.note(`Left out: ${address}: ${refusals.map(({ reason }) => reason).join('; ')}`, 'careful')
    }
    for (const text of warnings) io.note(text, 'careful')
    const bound = await applyHostBind(workspace, plan)
    if (io.json) io.printJson('host-bind', { changed: bound.length > 0, bound, exempt })
    else if (bound.length === 0) io.print('vfio-pci has them already.')
    else for (const address of bound) io.print(`bound ${address}`)
    return 0
  },
}
