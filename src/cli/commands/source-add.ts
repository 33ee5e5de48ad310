import { applySource, planSource } from '../../operations/source-add.ts'
import { sourceRow } from '../../operations/sources.ts'
import { type CommandSpec, optionList, optionNumber, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<name> <url>',
  summary: 'Trust a registry. Its root keys must be named: by a root file that you got safely, or by fingerprints.',
  description: 'The address is a web server’s, a folder, or oci://host/repository for a registry in an OCI registry.',
  options: [
    { flags: '--root-file <file>', summary: 'the registry’s root file, from a place you trust' },
    { flags: '--fingerprint <fingerprint>...', summary: 'full fingerprint of a root key (repeatable)' },
    {
      flags: '--mirror <url>...',
      summary: 'another place with the same files, asked when the others fail (repeatable)',
    },
    {
      flags: '--proxy <url>',
      summary: 'reach it through this proxy; none for no proxy (default: http_proxy and https_proxy)',
    },
    {
      flags: '--expiry <policy>',
      summary: "strict, 'grace 3 days' or 'snapshot 2026-11-21T00:00:00Z' (default strict)",
    },
    {
      flags: '--minimum-version <number>',
      summary: 'refuse the registry below this version, whatever this host remembers',
    },
    { flags: '--dry-run', summary: 'check the root file and print the source, change nothing' },
  ],
  examples: [
    'vmpkg source add example ./registry --root-file ./registry/root/1.json',
    'vmpkg source add example https://a.example.org/vmpkg --mirror https://b.example.net/vmpkg --root-file root.json',
    'vmpkg source add example https://packages.example.org/vmpkg --fingerprint 0123456789ABCDEF0123456789ABCDEF01234567',
    'vmpkg source add example oci://registry.example.org/team/vmpkg --root-file root.json',
  ],
  async run({ args, options, io }) {
    const [name = '', url = ''] = args
    const workspace = await io.workspace({ write: !io.dryRun })
    const plan = await planSource(workspace, {
      name,
      url,
      rootFile: optionText(options, 'rootFile'),
      fingerprints: optionList(options, 'fingerprint'),
      mirrors: optionList(options, 'mirror'),
      proxy: optionText(options, 'proxy'),
      expiry: optionText(options, 'expiry'),
      minimumVersion: optionNumber(options, 'minimumVersion', 1),
    })
    if (plan.change !== undefined) {
      io.note(plan.change)
      if (!io.dryRun && !(await io.confirm('Trust the other registry?'))) return 1
    }
    const source = io.dryRun ? sourceRow(plan.source) : await applySource(workspace, plan)
    if (io.json) io.printJson('source', { ...source })
    else if (io.dryRun) io.print(`Would add source ${source.name} with root keys ${source.rootKeys.join(', ')}`)
    else io.print(`Added source ${source.name}; run vmpkg update to fetch its package list`)
    return 0
  },
}
