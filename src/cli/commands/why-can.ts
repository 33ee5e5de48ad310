import { VmpkgError } from '../../errors.ts'
import { readKnown } from '../../operations/net.ts'
import { plainText } from '../../router/graph-words.ts'
import { explainReach, type ReachQuery } from '../../router/reach.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<from> <to> [port]',
  summary: 'Say whether one reaches another, hop by hop, and which rule decides.',
  description:
    'From a machine or world, to a machine, an IPv4 address or world; the port is\n' +
    'tcp/443 (the default), udp/53, 443 or icmp. It is about new connections; what runs\n' +
    'already is answered. Rules are known by what libvirt knows of the routers: guests\n' +
    'are not asked. The exit status is 1 for no; with --json it is 0 for both.',
  options: [],
  examples: [
    'vmpkg why-can app-console-1 world',
    'vmpkg why-can world web tcp/8443',
    'vmpkg why-can web 203.0.113.7 53',
  ],
  async run({ args: [from = '', to = '', port = 'tcp/443'], io }) {
    const query: ReachQuery = { from, to, ...parsePort(port) }
    const { isReachable, hops, assumptions } = explainReach(await readKnown(await io.workspace()), query)
    if (io.json) {
      io.printJson('why-can', { from, to, protocol: query.protocol, port: query.port, isReachable, hops, assumptions })
      return 0
    }
    const [first, last] = [plainText(from), plainText(to)]
    const what = query.port === undefined ? query.protocol : `${query.protocol} port ${query.port}`
    io.print(`${isReachable ? 'Yes' : 'No'}: ${first} ${isReachable ? 'reaches' : 'does not reach'} ${last} by ${what}`)
    for (const { at, isOpen, reason } of hops) io.print(`  ${isOpen ? 'passes' : 'stops at'} ${at}: ${reason}`)
    for (const text of assumptions) io.note(text)
    return isReachable ? 0 : 1
  },
}

/** `tcp/443`, `udp/53`, `443`, `icmp`. @throws {VmpkgError} `USAGE` */
function parsePort(text: string): Pick<ReachQuery, 'protocol' | 'port'> {
  if (text === 'icmp') return { protocol: 'icmp' }
  const [, protocol = 'tcp', digits] = /^(?:(tcp|udp)\/)?(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  if (port >= 1 && port <= 65_535 && (protocol === 'tcp' || protocol === 'udp')) return { protocol, port }
  throw new VmpkgError('USAGE', `Not a port: ${JSON.stringify(text.slice(0, 40))}`, {
    hint: 'Write tcp/443, udp/53, 443 or icmp.',
  })
}
