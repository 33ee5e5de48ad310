import { detachData } from '../../operations/data-attach.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<disk>',
  summary: 'Take an attached data disk from the machine that has it; what is on it stays.',
  description: 'DISK is MACHINE/DATA as vmpkg data list shows it. Unmount it in a guest that runs.',
  options: [{ flags: '--dry-run', summary: 'say what would be detached and change nothing' }],
  examples: ['vmpkg data detach browser/home', 'vmpkg data detach browser/home --dry-run'],
  async run({ args: [disk = ''], io }) {
    const place = await detachData(await io.workspace({ write: !io.dryRun }), { disk, dryRun: io.dryRun })
    if (io.json) io.printJson('data-detach', { ...place })
    else io.print(`${io.dryRun ? 'Would detach' : 'Detached'} ${disk} from ${place.machine}`)
    return 0
  },
}
