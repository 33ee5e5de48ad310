import { addVpnClient } from '../../operations/vpn-server.ts'
import { type CommandSpec, optionList, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<name>',
  summary: 'Make one file for a VPN client, and let it in to the machines that are named.',
  description:
    'The file is for wg-quick and the WireGuard programs of phones. It holds the only\n' +
    'copy of the client’s key: lost, remove the client and add it again. Only what is\n' +
    'for these machines goes into the tunnel. A router that runs lets the client in at\n' +
    'once.',
  options: [
    { flags: '--to <machine>...', summary: 'a machine behind the router that it may reach (repeatable)' },
    { flags: '--out <file>', summary: 'write the file there, for its owner only (default: print it)' },
    { flags: '--force', summary: 'replace a file that is there' },
    { flags: '--qr', summary: 'print it as a QR code, for a phone' },
    { flags: '--router <router>', summary: 'which one, where several routers of the first layer are there' },
    { flags: '--dry-run', summary: 'say what it would reach, change nothing' },
  ],
  examples: [
    'vmpkg vpn-server add-client anna --to web --out anna.conf',
    'vmpkg vpn-server add-client phone --to web --to files --qr',
  ],
  async run({ args: [name = ''], options, io }) {
    const { dryRun } = io
    const workspace = await io.workspace({ write: !dryRun })
    const out = optionText(options, 'out')
    const qr = options['qr'] === true
    const { client, file, code } = await addVpnClient(workspace, {
      router: optionText(options, 'router'),
      name,
      to: optionList(options, 'to'),
      out,
      force: options['force'] === true,
      qr,
      dryRun,
    })
    const reached = client.machines.map((one) => `${one.name} (${one.address})`).join(', ')
    if (io.json) {
      io.printJson('vpn-server-add-client', {
        dryRun,
        client,
        ...(dryRun ? {} : { file }),
        ...(out === undefined ? {} : { out }),
      })
    } else if (dryRun) io.print(`${name} would be ${client.address} and reach ${reached}`)
    else {
      if (out === undefined && !qr) io.print(file.trimEnd())
      if (code !== undefined) io.print(code)
      io.note(`${name} is ${client.address} and reaches ${reached}`)
      if (out !== undefined) io.note(`Its file is ${out}: hand it over by a way that nobody else reads.`)
    }
    return 0
  },
}
