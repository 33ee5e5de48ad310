import { pushToTarget } from '../../operations/repo-push.ts'
import type { CommandSpec } from '../command.ts'

export const command: CommandSpec = {
  args: '<registry> <target>',
  summary: 'Copy a registry folder to where it is served: missing files first, the envelope last.',
  description:
    'The target is a folder, or sftp://[user@]host/path, rsync://host/module/path, rsync+ssh://host/path, s3://bucket/prefix, oci://host/repository. Nothing there is removed, and a newer version there, or packages the folder lacks, stop it.',
  options: [
    { flags: '--allow-removals', summary: 'the folder lacks packages on purpose' },
    { flags: '--dry-run', summary: 'change nothing; say what would be uploaded' },
  ],
  examples: [
    'vmpkg repo push ./registry sftp://deploy@example.org/srv/www/vmpkg',
    'vmpkg repo push ./registry s3://my-registry/vmpkg --dry-run',
    'vmpkg repo push ./registry oci://registry.example.org/team/vmpkg',
  ],
  async run({ args, options, io }) {
    const [folder = '', to = ''] = args
    const result = await pushToTarget(await io.workspace(), {
      folder,
      to,
      dryRun: io.dryRun,
      allowRemovals: options['allowRemovals'] === true,
    })
    if (io.json) io.printJson('repo-push', { ...result })
    else for (const line of result.messages) io.print(line)
    return 0
  },
}
