import { listForwards } from '../../operations/port-forward.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '[machine]',
  summary: 'List the ports of routers’ outer addresses that lead to machines.',
  options: [],
  examples: ['vmpkg port-forward list', 'vmpkg port-forward list web --json'],
  async run({ args: [machine], io }) {
    const forwards = await listForwards(await io.workspace(), machine)
    if (io.json) io.printJson('port-forward-list', { forwards })
    else {
      io.printTable(
        ['ROUTER', 'PROTOCOL', 'PORT', 'MACHINE', 'ADDRESS', 'TO PORT'],
        forwards.map((one) => [
          one.router,
          one.protocol,
          String(one.port),
          one.machine,
          one.address,
          String(one.target),
        ]),
      )
    }
    return 0
  },
}
