import { type MachineStatus, machineStatus } from '../../operations/status.ts'
import { type CommandSpec, optionNumber } from '../command.ts'

export const command: CommandSpec = {
  args: '[machine...]',
  summary: 'State of machines as libvirt and their guests report it: addresses, LAN link, attested rules.',
  options: [{ flags: '--timeout <seconds>', summary: 'how long to wait for a guest’s answer (default 8)' }],
  examples: ['vmpkg status', 'vmpkg status router-uni --json', 'vmpkg status --timeout 60'],
  async run({ args, options, io }) {
    const timeoutSeconds = optionNumber(options, 'timeout', 1)
    const { connection, supervisor, machines, limits } = await machineStatus(await io.workspace(), args, {
      timeoutSeconds,
    })
    if (io.json) io.printJson('status', { connection, supervisor, machines, limits })
    else {
      io.printTable(
        ['NAME', 'STATE', 'READY', 'RULES', 'LAN LINK', 'WAY OUT', 'WAN', 'LAN', 'PACKAGE'],
        machines.map((row) => [
          row.name,
          row.state,
          row.ready,
          row.rules,
          row.panic === undefined ? (row.lanLink ?? '-') : 'panic',
          describeWayOut(row),
          row.wanAddress ?? '-',
          row.lanAddress ?? '-',
          `${row.package} ${row.version}`,
        ]),
      )
      for (const { name, openvpn } of machines) {
        if (openvpn?.state === 'down')
          io.note(`The OpenVPN server of ${name} does not run: vmpkg logs ${name}`, 'careful')
      }
      for (const { name, closed } of machines) {
        if (closed !== undefined) io.note(`The LAN of ${name} is closed: ${closed}`, 'careful')
      }
      for (const limit of limits) io.note(`Under ${connection}: ${limit}`, 'careful')
    }
    return machines.every(({ rules }) => rules !== 'mismatch') ? 0 : 1
  },
}

/** `openvpn up`, `tor 45 %`: by the guest's word. */
function describeWayOut({ tunnel, tor }: MachineStatus): string {
  if (tunnel !== undefined) return `${tunnel.kind} ${tunnel.state}`
  if (tor === undefined) return '-'
  return tor.state === 'up' ? 'tor up' : `tor ${tor.progress} %`
}
