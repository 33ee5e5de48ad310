import { planHostUndo, undoHost } from '../../operations/host-undo.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { printCommands, printDiffs, TARGET_OPTION } from '../host-options.ts'

export const command: CommandSpec = {
  args: '',
  summary: 'Take back what host apply and host bind changed.',
  description:
    'Files become what they were, byte for byte; where you edited one since, only the lines of vmpkg go. When somebody ' +
    'changed those lines nothing is written. Devices go back to their drivers.',
  options: [
    TARGET_OPTION,
    { flags: '--run', summary: 'run the commands that have to follow, but no restart and no reboot' },
    { flags: '--dry-run', summary: 'print what would be taken back and stop' },
  ],
  examples: ['vmpkg host undo --dry-run', 'vmpkg host undo'],
  async run({ options, io }) {
    const workspace = await io.workspace({ write: true })
    const plan = await planHostUndo({ target: optionText(options, 'target') })
    const isNothing = plan.changes.length === 0 && plan.unbind.length === 0 && plan.journal.groups.length === 0
    if (io.dryRun && io.json) {
      io.printJson('host-undo-plan', {
        target: plan.target,
        diff: plan.diffs.join(''),
        unbind: plan.unbind,
        commands: plan.commands,
      })
      return 0
    }
    if (!io.json) {
      printDiffs(io, plan.diffs)
      for (const address of plan.unbind) io.note(`${address} goes back to its driver`)
      printCommands(io, plan.commands)
    }
    if (io.dryRun) return 0
    if (!isNothing && !(await io.confirm('Take these changes back?'))) return 1
    const undone = await undoHost(workspace, plan, { run: options['run'] === true })
    if (io.json) io.printJson('host-undo', { ...undone })
    else if (isNothing) io.print('vmpkg changed nothing on this host.')
    else {
      for (const path of undone.files) io.print(`restored ${path}`)
      for (const address of undone.unbound) io.print(`returned ${address}`)
    }
    return 0
  },
}
