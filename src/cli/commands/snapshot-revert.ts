import { VmpkgError } from '../../errors.ts'
import { revertSnapshot, type StateAfter } from '../../operations/snapshot-revert.ts'
import type { CommandSpec, OptionValues } from '../command.ts'

const AFTER = { start: 'running', paused: 'paused', off: 'off' } as const

export const command: CommandSpec = {
  args: '<machine> <name>',
  summary: 'Put a machine back to a snapshot: disks, UEFI variables, and memory where it has it.',
  description:
    'What was written since the last snapshot is lost; all snapshots stay. With memory\n' +
    'in it the machine goes on where it was, otherwise it is off. Its place stays what\n' +
    'it is today: the router that it is behind, and what you changed of its definition.',
  options: [
    { flags: '--start', summary: 'it runs afterwards' },
    { flags: '--paused', summary: 'it is paused afterwards' },
    { flags: '--off', summary: 'it is off afterwards, also where its memory was kept' },
    { flags: '-f, --force', summary: 'also when the machine is running' },
    { flags: '--dry-run', summary: 'say what would be, change nothing' },
  ],
  examples: ['vmpkg snapshot revert demo before-upgrade', 'vmpkg snapshot revert demo before-upgrade --force --start'],
  async run({ args: [machine = '', name = ''], options, io }) {
    const workspace = await io.workspace({ write: !io.dryRun })
    const question = `Put ${machine} back to ${name}? What it wrote since its last snapshot is lost.`
    if (!io.dryRun && !(await io.confirm(question))) return 1
    const reverted = await revertSnapshot(workspace, {
      machine,
      name,
      after: stateAfter(options),
      force: options['force'] === true,
      dryRun: io.dryRun,
    })
    if (io.json) io.printJson('snapshot-revert', { dryRun: io.dryRun, ...reverted })
    else {
      const state = reverted.resumed ? `${reverted.state}, where it was then` : reverted.state
      io.print(`${machine} ${io.dryRun ? 'would be' : 'is'} at ${name} again, and ${state}`)
      for (const target of reverted.untouched)
        io.note(`${target} is not in the snapshot, and stays as it is`, 'careful')
    }
    return 0
  },
}

function stateAfter(options: OptionValues): StateAfter {
  const [first, ...more] = (['start', 'paused', 'off'] as const).filter((one) => options[one] === true)
  if (more.length > 0) throw new VmpkgError('USAGE', '--start, --paused and --off exclude one another')
  return first === undefined ? 'as-then' : AFTER[first]
}
