import { applyHost } from '../../operations/host-apply.ts'
import { applyHostBind, planHostBind } from '../../operations/host-bind.ts'
import { planHost } from '../../operations/host-plan.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { hostPlanJson, printCommands, printHostPlan, WISH_OPTIONS, wishesOf } from '../host-options.ts'

export const command: CommandSpec = {
  args: '',
  summary: 'Prepare this host for devices in guests: kernel words, modules, rules, limits.',
  description:
    'Shows the differences, asks, and writes. Each file is remembered as it was; vmpkg host undo takes everything back. ' +
    'Commands that have to follow are printed; --run runs those that disturb nobody. A reboot is always yours.',
  options: [
    ...WISH_OPTIONS,
    { flags: '--bind', summary: 'bind the devices to vfio-pci now, too' },
    { flags: '--run', summary: 'run the commands that have to follow, but no restart and no reboot' },
    { flags: '--dry-run', summary: 'print the plan and stop' },
  ],
  examples: ['vmpkg host apply', 'vmpkg host apply --device 0000:03:00.0 --run'],
  async run({ options, io }) {
    const workspace = await io.workspace({ write: true })
    const target = optionText(options, 'target')
    const plan = await planHost({ target, wishes: wishesOf(options), replace: options['replace'] === true })
    const { devices, mode, every, onlyNamed, force } = plan.wishes
    const bind =
      options['bind'] === true ? await planHostBind({ target, devices, mode, every, onlyNamed, force }) : undefined
    if (io.dryRun && io.json) {
      io.printJson('host-plan', { ...hostPlanJson(plan), writes: bind?.writes ?? [] })
      return 0
    }
    if (!io.json) printHostPlan(io, plan)
    if (!io.json) for (const { path, text } of bind?.writes ?? []) io.note(`/sys/${path} < ${text}`)
    if (io.dryRun) return 0
    const isNothing = plan.diffs.length === 0 && (bind?.writes.length ?? 0) === 0
    if (!isNothing && !(await io.confirm('Change these files?'))) return 1
    const applied = await applyHost(workspace, plan, { run: options['run'] === true })
    const bound = bind === undefined ? [] : await applyHostBind(workspace, bind)
    if (io.json) io.printJson('host-apply', { ...applied, changed: applied.changed || bound.length > 0, bound })
    else {
      for (const path of applied.files) io.print(`changed ${path}`)
      for (const address of bound) io.print(`bound ${address}`)
      if (isNothing) io.print('The files of this host are as they should be.')
      if (options['run'] === true) printCommands(io, applied.left, 'careful')
    }
    return 0
  },
}
