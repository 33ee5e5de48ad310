import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { VmpkgError } from '../../errors.ts'
import { captureSsh, connectSsh, openSsh } from '../../operations/ssh.ts'
import { type CommandSpec, type Io, optionList, optionText } from '../command.ts'
import { writeTo } from '../streams.ts'

export const command: CommandSpec = {
  args: '<machine> [command...]',
  summary: 'Log in to a machine with SSH, or run a command in it.',
  description:
    'ssh on this host talks to a server that the guest’s agent starts for it, over a\n' +
    'channel of the machine: no password, no question about keys, no network between.\n' +
    'The guest needs qemu-guest-agent and openssh-server. For scp, sftp and rsync see\n' +
    'vmpkg ssh-config. Write -- before a command with options.\n' +
    'The status is that of the command; 255 is ssh’s own failure.',
  options: [
    { flags: '--user <name>', summary: 'as this user of the guest (default: root)' },
    { flags: '-t, --tty', summary: 'give the command a terminal' },
    { flags: '-L, --forward <spec>...', summary: 'pass a port on as ssh -L does: 8080:localhost:80 (repeatable)' },
    { flags: '--stdio', summary: 'be the connection itself, for ProxyCommand of ssh' },
  ],
  examples: [
    'vmpkg ssh demo',
    'vmpkg ssh demo --user nobody -- ls -l /srv',
    'vmpkg ssh demo --forward 127.0.0.1:8080:localhost:80',
  ],
  async run({ args, options, io }) {
    const [named = '', ...words] = args
    const at = named.lastIndexOf('@')
    const machine = named.slice(at + 1)
    const user = optionText(options, 'user') ?? (at === -1 ? undefined : named.slice(0, at))
    const workspace = await io.workspace()
    if (options['stdio'] === true) {
      await join(await connectSsh(workspace, machine), io)
      return 0
    }
    const forwards = optionList(options, 'forward')
    const request = { machine, user, command: words, terminal: options['tty'] === true, forwards }
    if (!io.json) return openSsh(workspace, request)
    if (words.length === 0) {
      throw new VmpkgError('USAGE', 'With --json a command is needed: a shell has no result', {
        hint: `For example: vmpkg ssh ${machine} --json -- uname -a`,
      })
    }
    const { exitCode, stdout, stderr } = await captureSsh(workspace, request)
    io.printJson('ssh', { machine, status: exitCode, stdout, stderr })
    return exitCode
  },
}

/** Until either side has ended, or ssh has: it takes its proxy along. */
async function join(channel: Duplex, { stdin, stdout, signal }: Io): Promise<void> {
  const over = Promise.withResolvers<void>()
  const end = (): void => over.resolve()
  signal.addEventListener('abort', end, { once: true })
  channel.once('close', end)
  const write = writeTo(stdout)
  const outwards = async (): Promise<void> => {
    for await (const chunk of channel) await write(chunk as Uint8Array)
  }
  const inwards = async (): Promise<void> => {
    for await (const chunk of stdin) if (!channel.write(chunk)) await once(channel, 'drain')
  }
  void outwards().then(end, end)
  void inwards().then(end, end)
  await over.promise
  channel.destroy()
  stdin.on('error', () => {}).destroy()
}
