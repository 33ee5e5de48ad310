import { explainFile, explainStream } from '../../operations/doctor-explain.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '[file]',
  summary: 'Name the known errors in a text, with cause and fix.',
  description:
    'Reads a file, or standard input without one (or with -): what virsh printed, the journal, a QEMU log, dmesg. Exit status 1 when nothing in it is known. docs/known-errors.md lists all that are.',
  options: [],
  examples: [
    'vmpkg doctor explain /var/log/libvirt/qemu/web.log',
    'journalctl -b -u libvirtd | vmpkg doctor explain',
    'sudo dmesg | vmpkg doctor explain - --json',
  ],
  async run({ args, io }) {
    const [file = '-'] = args
    const found = file === '-' ? await explainStream(io.stdin) : await explainFile(file)
    if (io.json) {
      const errors = found.map(({ error: { id, title, cause, fix }, line, lineNumber, count }) => ({
        id,
        title,
        cause,
        fix,
        line,
        lineNumber,
        count,
        documentation: `docs/known-errors.md#${id.toLowerCase()}`,
      }))
      io.printJson('known-errors', { errors })
    } else if (found.length === 0) io.note('Nothing in this text is a known error.')
    else
      for (const { error, line, lineNumber, count } of found) {
        const often = count === 1 ? '' : `, ${count} times`
        io.print(`${error.id}: ${error.title} (line ${lineNumber}${often})`)
        io.print(`  seen: ${line}`)
        io.print(`  why:  ${error.cause}`)
        io.print(`  fix:  ${error.fix}`)
      }
    return found.length > 0 ? 0 : 1
  },
}
