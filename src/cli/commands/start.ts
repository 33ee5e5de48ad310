import { startMachines } from '../../operations/start.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<machine...>',
  summary: 'Start machines, upper routers first. A router’s LAN comes up when it has attested its firewall rules.',
  options: [],
  examples: ['vmpkg start router-uni'],
  async run({ args, io }) {
    const started = await startMachines(await io.workspace({ write: true }), args)
    if (io.json) io.printJson('start', { machines: started })
    else for (const { name, changed } of started) if (!changed) io.print(`${name} is running already`)
    return 0
  },
}
