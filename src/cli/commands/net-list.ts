import { readTopology } from '../../operations/net.ts'
import { limitsOf } from '../../operations/session-mode.ts'
import { describeMarks, plainText } from '../../router/graph-words.ts'
import { type LanMember, listLans } from '../../router/lan-rows.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '',
  summary: 'List the networks of routers: whose they are, what stands above and below, who is on them.',
  description:
    'Machines and networks that vmpkg did not make are in it where they are on a network\n' +
    'that it made. Guests are not asked; vmpkg status does that.',
  options: [],
  examples: ['vmpkg net list', 'vmpkg net list --json'],
  async run({ io }) {
    const workspace = await io.workspace()
    const networks = listLans(await readTopology(workspace))
    const limits = limitsOf(workspace)
    if (io.json) io.printJson('net-list', { networks, limits })
    else {
      io.printTable(
        ['NETWORK', 'LAYER', 'SUBNET', 'BRIDGE', 'ROUTER', 'STATE', 'ABOVE', 'BELOW', 'CLIENTS', 'NOTES'],
        networks.map((row) => [
          plainText(row.network),
          row.layer ?? row.role ?? '-',
          row.cidr ?? '-',
          row.bridge ?? '-',
          orDash(row.routers.map(({ name }) => name)),
          orDash(row.routers.map(stateOf)),
          orDash(row.uppers),
          orDash(row.lowers.map(({ name }) => name)),
          orDash(row.clients.map((one) => `${one.name} (${stateOf(one)})`)),
          notesOf(row.isForeign, row.marks, [...row.routers, ...row.lowers]),
        ]),
        'whole',
      )
      for (const limit of limits) io.note(`Under ${workspace.connectionName}: ${limit}`, 'careful')
    }
    return 0
  },
}

function orDash(words: readonly string[]): string {
  return words.length === 0 ? '-' : words.map(plainText).join(', ')
}

function stateOf({ state, isCut, isForeign }: LanMember): string {
  return [...(isForeign ? ['foreign'] : []), state, ...(isCut ? ['no link'] : [])].join(', ')
}

/** Of the network, then of its routers. */
function notesOf(isForeign: boolean, marks: LanMember['marks'], routers: readonly LanMember[]): string {
  return [
    ...(isForeign ? ['not made by vmpkg'] : []),
    ...describeMarks(marks),
    ...routers.flatMap((one) => describeMarks(one.marks).map((mark) => `${plainText(one.name)}: ${mark}`)),
  ].join('; ')
}
