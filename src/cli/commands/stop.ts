import { stopMachines } from '../../operations/stop.ts'
import { type CommandSpec, optionNumber } from '../command.ts'

export const command: CommandSpec = {
  args: '<machine...>',
  summary: 'Stop machines: links first, then the guest. Ephemeral clones are removed by it.',
  options: [
    { flags: '--force', summary: 'do not wait for the guest to shut itself down' },
    { flags: '--timeout <seconds>', summary: 'how long it may take for that before the plug is pulled (default 20)' },
    { flags: '--cascade', summary: 'stop routers that run behind these first' },
  ],
  examples: ['vmpkg stop router-uni', 'vmpkg stop --timeout 120 demo', 'vmpkg stop --cascade router-uni'],
  async run({ args, options, io }) {
    const stopped = await stopMachines(await io.workspace({ write: true }), {
      names: args,
      force: options['force'] === true,
      timeoutSeconds: optionNumber(options, 'timeout', 0),
      cascade: options['cascade'] === true,
    })
    if (io.json) io.printJson('stop', { machines: stopped })
    else for (const { name, changed } of stopped) io.print(changed ? `Stopped ${name}` : `${name} is not running`)
    return 0
  },
}
