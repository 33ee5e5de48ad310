import { fetchInstead } from '../../operations/bundle-import.ts'
import { applyInstall, planInstall } from '../../operations/install.ts'
import { type CommandSpec, optionList, optionText } from '../command.ts'
import { confirmGrants, printPlan } from '../plan.ts'

export const command: CommandSpec = {
  args: '<package...>',
  summary: 'Install packages with what they depend on.',
  description:
    'Packages and images are fetched and verified. Routers are singletons: their\n' +
    'networks and their machine are defined in libvirt and started. Apps are\n' +
    'templates: vmpkg clone makes machines of them.',
  options: [
    { flags: '--set <name=value>...', summary: 'set a parameter of the package (repeatable)' },
    { flags: '--grant <capability>...', summary: 'grant a capability that the package asks for (repeatable)' },
    { flags: '--no-start', summary: 'define machines but do not start them' },
    { flags: '--reinstall', summary: 'fetch again what is installed already' },
    { flags: '--from <place>', summary: 'fetch from this bundle or folder in place of the source’s addresses' },
    { flags: '--dry-run', summary: 'print the plan and stop' },
  ],
  examples: [
    'vmpkg install router-uni',
    'vmpkg install router-uni --set memory=192MiB --set uplink=bridge:br0 --grant host-bridge',
    'vmpkg install router-uni app-console -y --grant network',
  ],
  async run({ args, options, io }) {
    const from = optionText(options, 'from')
    const workspace = await io.workspace({ write: !io.dryRun || from !== undefined })
    await using standIn = from === undefined ? undefined : await fetchInstead(workspace, from)
    if (standIn !== undefined) io.note(`Fetching from ${from}`)
    const plan = await planInstall(workspace, {
      requests: args,
      set: optionList(options, 'set'),
      grants: optionList(options, 'grant'),
      start: options['start'] !== false,
      reinstall: options['reinstall'] === true,
    })
    if (plan.steps.length === 0) {
      if (io.json) io.printJson('install', { changed: false, installed: [] })
      else io.print(`${args.join(', ')}: already installed and as wanted, nothing to do`)
      return 0
    }
    if (io.json && io.dryRun) io.printJson('plan', { ...plan.summary })
    else if (!io.json || !io.assumeYes) printPlan(io, plan.summary)
    if (io.dryRun) return 0
    const grants = await confirmGrants(io, plan.summary.missingGrants)
    if (!(await io.confirm('Continue?'))) return 1
    const result = await applyInstall(workspace, plan, grants)
    if (io.json) io.printJson('install', { changed: true, ...result })
    else for (const line of result.messages) io.print(line)
    return 0
  },
}
