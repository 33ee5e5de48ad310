import { fetchInstead } from '../../operations/bundle-import.ts'
import { planInstall } from '../../operations/install.ts'
import { type CommandSpec, optionList, optionText } from '../command.ts'
import { grantOptions } from '../grants.ts'
import { CHANGE_OPTIONS, conflictSide, DEFINITION_OPTIONS, runPlan, startOptions } from '../plan.ts'

export const command: CommandSpec = {
  args: '<package...>',
  summary: 'Install packages with what they depend on; upgrade those that are installed.',
  description:
    'Packages and images are fetched and verified. Routers are singletons: their\n' +
    'networks and their machine are defined in libvirt and started. Apps are\n' +
    'templates: vmpkg clone makes machines of them. NAME=VERSION takes that version;\n' +
    'an older one than installed needs --allow-downgrade.',
  options: [
    { flags: '--set <name=value>...', summary: 'set a parameter of the package (repeatable)' },
    { flags: '--profile <profile>...', summary: 'a named set of values, of the package or yours (repeatable)' },
    { flags: '--grant <capability>...', summary: 'grant a capability that the package asks for (repeatable)' },
    { flags: '--no-start', summary: 'define machines but do not start them' },
    { flags: '--reinstall', summary: 'fetch and define again what is installed already' },
    { flags: '--from <place>', summary: 'fetch from this bundle or folder in place of the source’s addresses' },
    { flags: '--allow-downgrade', summary: 'go back to older versions where asked for' },
    ...DEFINITION_OPTIONS,
    ...CHANGE_OPTIONS,
  ],
  examples: [
    'vmpkg install router-uni',
    'vmpkg install router-uni --set memory=192MiB --set uplink=bridge:br0 --grant host-bridge',
    'vmpkg install router-uni app-console -y --grant network',
    'vmpkg install router-uni=1.0-1 --allow-downgrade',
  ],
  async run({ args, options, io }) {
    const from = optionText(options, 'from')
    const workspace = await io.workspace({ write: io.dryRun && from === undefined ? false : 'late' })
    if (from !== undefined) await workspace.lock() // it brings new package lists
    await using standIn = from === undefined ? undefined : await fetchInstead(workspace, from)
    if (standIn !== undefined) io.note(`Fetching from ${from}`)
    const plan = await planInstall(workspace, {
      requests: args,
      set: optionList(options, 'set'),
      profiles: optionList(options, 'profile'),
      grants: grantOptions(options),
      ...startOptions(options),
      reinstall: options['reinstall'] === true,
      conflict: conflictSide(options),
      comment: optionText(options, 'comment'),
    })
    const nothing = `${args.join(', ')}: already installed and as wanted, nothing to do`
    return await runPlan(io, workspace, plan, { name: 'install', options, nothing })
  },
}
