import { verifyBackups } from '../../operations/backup-list.ts'
import { type CommandSpec, optionText } from '../command.ts'
import { formatBytes } from '../table.ts'

export const command: CommandSpec = {
  args: '<folder>',
  summary: 'Read backups from end to end: signature, digests, every part of every disk.',
  description:
    'Of encrypted ones without --secret-key the files are compared as they are stored; with it they\n' +
    'are opened too. A passphrase comes from VMPKG_PASSPHRASE or a prompt.',
  options: [
    { flags: '--at <point>', summary: 'only this one: a point, the beginning of one, or a time' },
    { flags: '--secret-key <file>', summary: 'OpenPGP secret key that opens encrypted ones' },
    { flags: '--signed-by <fingerprint>', summary: 'also believe this key, of another host' },
  ],
  examples: ['vmpkg backup verify /srv/backups', 'vmpkg backup verify /srv/backups/web --at 20261126T091037Z'],
  async run({ args: [path = ''], options, io }) {
    const backups = await verifyBackups(await io.workspace(), {
      path,
      at: optionText(options, 'at'),
      secretKey: optionText(options, 'secretKey'),
      signedBy: optionText(options, 'signedBy'),
      passphrase: async () => io.passphrase('Passphrase of the secret key'),
    })
    const bad = backups.filter(({ problem }) => problem !== undefined)
    if (io.json) io.printJson('backup-verify', { backups })
    else {
      for (const { machine, point, problem, depth, bytes } of backups) {
        const how = depth === 'content' ? 'whole' : 'whole as stored, not opened'
        io.print(`${machine} ${point}: ${problem ?? `${how} (${formatBytes(bytes)})`}`)
      }
    }
    return bad.length === 0 && backups.length > 0 ? 0 : 1
  },
}
