import { VmpkgError } from '../../errors.ts'
import { setAutostart } from '../../operations/autostart.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<machine> <state>',
  summary: 'Let a machine start with the host, or not any more. STATE is on or off.',
  description:
    'It is libvirt’s own mark, which virsh and virt-manager show. Networks of vmpkg\n' +
    'that the machine is on, and for a router those above it, are marked with it.\n' +
    'A router starts with its LAN closed: vmpkg supervise, or vmpkg start, opens it\n' +
    'once it has attested its rules.',
  options: [{ flags: '--dry-run', summary: 'print what would be marked' }],
  examples: ['vmpkg set autostart router-gal on', 'vmpkg set autostart router-gal off --dry-run'],
  async run({ args, io }) {
    const [name = '', state = ''] = args
    if (state !== 'on' && state !== 'off') {
      throw new VmpkgError('USAGE', `set autostart takes on or off, not ${JSON.stringify(state.slice(0, 40))}`, {
        hint: `For example: vmpkg set autostart ${name} on`,
      })
    }
    const workspace = await io.workspace({ write: !io.dryRun })
    const { changes, stranded } = await setAutostart(workspace, { name, isOn: state === 'on', dryRun: io.dryRun })
    if (io.json) io.printJson('autostart', { dryRun: io.dryRun, changes, stranded })
    else if (changes.length === 0) io.print(`Autostart of ${name} is ${state} already`)
    else {
      for (const one of changes) {
        const subject = one.kind === 'network' ? `network ${one.name}` : one.name
        io.print(`${io.dryRun ? 'Would set' : 'Set'} autostart of ${subject} ${state}`)
      }
    }
    for (const lower of stranded) io.note(`${lower} still starts with the host, and stands behind ${name}`, 'careful')
    return 0
  },
}
