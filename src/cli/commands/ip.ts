import { machineAddresses } from '../../operations/ip.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<machine>',
  summary: 'Show the addresses of a machine’s cards, and who says so.',
  description:
    'agent and guest are the guest’s own word (vmpkg’s agent, QEMU’s agent), lease is\n' +
    'what a network of libvirt gave, arp what this host has seen, planned what the\n' +
    'router will give to it. Exits 1 where nothing is known.',
  options: [{ flags: '-1, --one', summary: 'print the first address only, for scripts' }],
  examples: ['vmpkg ip demo', 'vmpkg ip demo --one', 'vmpkg ip demo --json'],
  async run({ args, options, io }) {
    const [machine = ''] = args
    const addresses = await machineAddresses(await io.workspace(), machine)
    if (io.json) io.printJson('ip', { machine, addresses })
    else if (options['one'] === true) {
      const [first] = addresses
      if (first !== undefined) io.print(first.address)
    } else if (addresses.length > 0) {
      io.printTable(
        ['ADDRESS', 'CARD', 'NETWORK', 'FROM'],
        addresses.map(({ address, prefix, mac, network, source }) => [
          prefix === undefined ? address : `${address}/${prefix}`,
          mac ?? '-',
          network === '' ? '-' : network,
          source,
        ]),
      )
    } else io.note(`No address of ${machine} is known`)
    return addresses.length > 0 ? 0 : 1
  },
}
