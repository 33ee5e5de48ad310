import { VmpkgError } from '../../errors.ts'
import { execInMachine } from '../../operations/exec.ts'
import { type CommandSpec, optionList, optionNumber, optionText } from '../command.ts'
import { openInput, writeTo } from '../streams.ts'

/** Of each stream, with `--json`. */
const CAPTURE_BYTES = 16 * 1024 * 1024

export const command: CommandSpec = {
  args: '<machine> <command...>',
  summary: 'Run a program in a machine, by the guest’s agent.',
  description:
    'Its output and errors come as they are written, its exit status is passed on.\n' +
    'Standard input goes to it unless it is a terminal. There is no terminal inside:\n' +
    'vmpkg console has one. Write -- before a command with options.\n' +
    'Statuses of a shell: 126 and 127 where it cannot be run, 128 and the signal that\n' +
    'ended it, 124 where the time is over; 100 is vmpkg’s own failure.',
  options: [
    { flags: '--user <name>', summary: 'as this user of the guest (default: its root)' },
    { flags: '--env <name=value>...', summary: 'set in its environment; repeatable' },
    { flags: '--cwd <folder>', summary: 'run it there (default /)' },
    { flags: '-n, --no-stdin', summary: 'give it no standard input' },
    { flags: '--timeout <seconds>', summary: 'end it after so long' },
  ],
  examples: [
    'vmpkg exec demo -- ip address',
    'vmpkg exec demo --user nobody --env LANG=C -- id -un',
    'tar -c site | vmpkg exec demo --cwd /srv -- tar -x',
  ],
  async run({ args, options, io }) {
    const [machine = '', ...words] = args
    const env = optionList(options, 'env')
    for (const one of env) {
      if (/^[A-Za-z_][A-Za-z0-9_]*=/.test(one)) continue
      throw new VmpkgError('USAGE', `--env takes NAME=VALUE, not ${JSON.stringify(one.slice(0, 40))}`, {
        hint: 'For example: --env LANG=C.UTF-8',
      })
    }
    const timeoutSeconds = optionNumber(options, 'timeout', 1)
    const captured = { output: [] as Uint8Array[], errors: [] as Uint8Array[] }
    const workspace = await io.workspace()
    const input = options['stdin'] === false ? undefined : openInput(io.stdin)
    try {
      const status = await execInMachine(workspace, {
        machine,
        command: words,
        env,
        user: optionText(options, 'user'),
        folder: optionText(options, 'cwd'),
        input: input?.chunks,
        timeoutMs: timeoutSeconds === undefined ? undefined : timeoutSeconds * 1000,
        onOutput: io.json ? keep(captured.output) : writeTo(io.stdout),
        onErrorOutput: io.json ? keep(captured.errors) : writeTo(io.stderr),
      })
      if (io.json) {
        const [stdout, stderr] = [captured.output, captured.errors].map((one) => Buffer.concat(one).toString())
        io.printJson('exec', { machine, status, stdout, stderr })
      }
      return status
    } finally {
      input?.close()
    }
  },
}

function keep(chunks: Uint8Array[]): (bytes: Uint8Array) => void {
  let size = 0
  return (bytes) => {
    size += bytes.length
    if (size > CAPTURE_BYTES) {
      throw new VmpkgError('USAGE', 'The program writes more than 16 MiB, too much for --json', {
        hint: 'Leave --json out: then the output is passed on as it comes.',
      })
    }
    chunks.push(bytes)
  }
}
