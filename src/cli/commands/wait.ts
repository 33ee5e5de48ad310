import { VmpkgError } from '../../errors.ts'
import { type Condition, waitForMachines } from '../../operations/wait.ts'
import { type CommandSpec, optionNumber, optionText } from '../command.ts'

const DONE = { running: 'runs', address: 'has', ready: 'is ready', stopped: 'has stopped' } as const

export const command: CommandSpec = {
  args: '<machine...>',
  summary: 'Wait until machines are ready, or for something else.',
  description:
    'running: libvirt says so. address: somebody knows one (vmpkg ip). ready: its\n' +
    'agents answer and say so. stopped: it does not run, or is gone. port:NUMBER: the\n' +
    'guest listens on that TCP port, by the word of its kernel: this host is no part\n' +
    'of a router’s LAN and cannot try.',
  options: [
    { flags: '--for <condition>', summary: 'running, address, ready (default), stopped or port:NUMBER' },
    { flags: '--timeout <seconds>', summary: 'how long at most (default 300)' },
  ],
  examples: ['vmpkg wait demo', 'vmpkg wait demo --for port:22 --timeout 60', 'vmpkg wait demo other --for stopped'],
  async run({ args, options, io }) {
    const condition = parseCondition(optionText(options, 'for') ?? 'ready')
    const timeoutSeconds = optionNumber(options, 'timeout', 0) ?? 300
    const machines = await waitForMachines(await io.workspace(), { names: args, condition, timeoutSeconds })
    if (io.json) io.printJson('wait', { condition: optionText(options, 'for') ?? 'ready', machines })
    else {
      for (const { name, address } of machines) {
        io.print(
          condition.kind === 'port'
            ? `${name} listens on port ${condition.port}`
            : `${name} ${DONE[condition.kind]}${address === undefined ? '' : ` ${address}`}`,
        )
      }
    }
    return 0
  },
}

function parseCondition(text: string): Condition {
  const port = /^port[:=](\d{1,5})$/.exec(text)?.[1]
  if (port !== undefined && Number(port) >= 1 && Number(port) <= 65_535) return { kind: 'port', port: Number(port) }
  if (text === 'running' || text === 'address' || text === 'ready' || text === 'stopped') return { kind: text }
  throw new VmpkgError('USAGE', `--for takes no ${JSON.stringify(text.slice(0, 40))}`, {
    hint: 'It is running, address, ready, stopped or port:NUMBER.',
  })
}
