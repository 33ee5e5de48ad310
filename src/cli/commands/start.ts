import { startMachines } from '../../operations/start.ts'
import { type CommandSpec, optionNumber, TIMEOUT_OPTION } from '../command.ts'

export const command: CommandSpec = {
  args: '<machine...>',
  summary: 'Start machines, upper routers first. A router’s LAN comes up when it has attested its firewall rules.',
  options: [TIMEOUT_OPTION],
  examples: ['vmpkg start router-uni', 'vmpkg start router-uni --timeout 600'],
  async run({ args, options, io }) {
    const timeoutSeconds = optionNumber(options, 'timeout', 1)
    const started = await startMachines(await io.workspace({ write: true }), args, { timeoutSeconds })
    if (io.json) io.printJson('start', { machines: started })
    else for (const { name, changed } of started) if (!changed) io.print(`${name} is running already`)
    return 0
  },
}
