import { signRootDraft } from '../../operations/repo-sign-root.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<draft>',
  summary: 'Add the signatures of the root keys that are here to the draft of a root file. Needs no network.',
  description: 'Shows what would change and asks. The file is then passed on to the next holder.',
  options: [
    { flags: '--keys <folder>', summary: 'folder with the secret keys' },
    { flags: '--dry-run', summary: 'show what would happen, change nothing' },
  ],
  examples: ['vmpkg repo sign-root root.draft --keys /media/holder-a'],
  async run({ args, options, io }) {
    const [file = ''] = args
    const report = await signRootDraft(await io.workspace(), {
      file,
      keys: optionText(options, 'keys'),
      dryRun: io.dryRun,
      passphrase: () => io.passphrase('Passphrase of the keys'),
      agree: async (changes) => {
        for (const line of changes) io.note(line)
        return io.confirm('Sign this root file?')
      },
    })
    if (io.json) io.printJson('repo-sign-root', { ...report })
    else {
      if (io.dryRun) for (const line of report.changes) io.print(line)
      io.print(`It follows the root file with SHA-256 ${report.follows}`)
      for (const { role, threshold, signed } of report.progress)
        io.print(`${signed.length} of ${threshold} needed signatures of the ${role} root keys`)
      if (report.complete && !io.dryRun) io.print('Complete: vmpkg repo rotate-key REGISTRY --finish FILE publishes it')
    }
    return 0
  },
}
