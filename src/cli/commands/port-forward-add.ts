import { addForwards } from '../../operations/port-forward.ts'
import { formatForward, parseForward } from '../../router/forward.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<machine> <port...>',
  summary: 'Let ports of the outer address of a machine’s router lead to that machine.',
  description:
    'tcp/443 leads to port 443, tcp/8443:443 where the port outside is another.\n' +
    'Machines of the same LAN reach the port by the outer address as well. Routers\n' +
    'behind a tunnel forward nothing.',
  options: [{ flags: '--dry-run', summary: 'print what would be forwarded, change nothing' }],
  examples: ['vmpkg port-forward add web tcp/443', 'vmpkg port-forward add web tcp/8443:443 udp/5353'],
  async run({ args: [machine = '', ...ports], io }) {
    const workspace = await io.workspace({ write: !io.dryRun })
    const request = { machine, ports: ports.map(parseForward), dryRun: io.dryRun }
    const { changed, forwards } = await addForwards(workspace, request)
    if (io.json) io.printJson('port-forward-add', { dryRun: io.dryRun, changed, forwards })
    else {
      for (const one of forwards) {
        io.print(`${one.router} ${formatForward(one)} leads to ${machine} at ${one.address} port ${one.target}`)
      }
      if (!changed) io.note('It was so already.')
    }
    return 0
  },
}
