import { sshConfig } from '../../operations/ssh.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<machine>',
  summary: 'Print the settings of a machine for ssh, scp, sftp and rsync.',
  description:
    'Keep them in a file and name it: ssh -F FILE. Or take it into ~/.ssh/config with\n' +
    'Include. They hold as long as the machine is there.',
  options: [
    { flags: '--user <name>', summary: 'as this user of the guest (default: root)' },
    { flags: '--host <name>', summary: 'the name for ssh (default: the machine’s)' },
  ],
  examples: [
    'vmpkg ssh-config demo',
    'vmpkg ssh-config demo --host demo.vmpkg',
    'vmpkg ssh-config demo --user nobody --json',
  ],
  async run({ args: [machine = ''], options, io }) {
    const user = optionText(options, 'user')
    const config = await sshConfig(await io.workspace(), { machine, user, alias: optionText(options, 'host') })
    if (io.json) io.printJson('ssh-config', { machine, config })
    else io.print(config.trimEnd())
    return 0
  },
}
