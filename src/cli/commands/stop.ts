import { VmpkgError } from '../../errors.ts'
import { stopMachines } from '../../operations/stop.ts'
import { type CommandSpec, type OptionValues, optionNumber, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<machine...>',
  summary: 'Stop machines: links first, then the guest. Ephemeral clones are removed by it.',
  options: [
    { flags: '--force', summary: 'do not wait for the guest to shut itself down' },
    { flags: '--timeout <seconds>', summary: 'how long it may take for that before the plug is pulled (default 20)' },
    { flags: '--mode <mode>', summary: 'who is asked: acpi (the power button) or agent (default: acpi, then agent)' },
    { flags: '--cascade', summary: 'stop routers that run behind these first' },
  ],
  examples: [
    'vmpkg stop router-uni',
    'vmpkg stop --timeout 120 demo',
    'vmpkg stop --mode agent demo',
    'vmpkg stop --cascade router-uni',
  ],
  async run({ args, options, io }) {
    const stopped = await stopMachines(await io.workspace({ write: true }), {
      names: args,
      force: options['force'] === true,
      timeoutSeconds: optionNumber(options, 'timeout', 0),
      mode: readMode(options),
      cascade: options['cascade'] === true,
    })
    if (io.json) io.printJson('stop', { machines: stopped })
    else for (const { name, changed } of stopped) io.print(changed ? `Stopped ${name}` : `${name} is not running`)
    return 0
  },
}

function readMode(options: OptionValues): 'acpi' | 'agent' | undefined {
  const mode = optionText(options, 'mode')
  if (mode === undefined) return undefined
  if (options['force'] === true) {
    throw new VmpkgError('USAGE', '--mode is for guests that are asked, and --force asks none', {
      hint: 'Leave one of the two out.',
    })
  }
  if (mode === 'acpi' || mode === 'agent') return mode
  throw new VmpkgError('USAGE', `--mode is acpi or agent, not ${JSON.stringify(mode.slice(0, 40))}`, {
    hint: 'Without it the power button is pressed, and then the agent asked.',
  })
}
