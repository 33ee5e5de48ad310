import { diffRegistry } from '../../operations/repo-diff.ts'
import { type ChannelState, isEqual, type PackageRef, type RegistryDiff } from '../../publish/registry-diff.ts'
import { type CommandSpec, optionText } from '../command.ts'

export const command: CommandSpec = {
  args: '<registry> [other]',
  summary: 'Compare two registries (folders or addresses), or one with a snapshot of it.',
  description: 'Each is checked against its own root files as of its own date. The exit status is 1 when they differ.',
  options: [{ flags: '--snapshot <name>', summary: 'what has changed since this snapshot' }],
  examples: [
    'vmpkg repo diff https://packages.example.org/vmpkg ./registry',
    'vmpkg repo diff ./registry --snapshot 20261121T000000Z',
  ],
  async run({ args, options, io }) {
    const diff = await diffRegistry(await io.workspace(), {
      registries: args,
      snapshot: optionText(options, 'snapshot'),
    })
    if (io.json) io.printJson('repo-diff', { equal: isEqual(diff), ...diff })
    else for (const line of describe(diff)) io.print(line)
    return isEqual(diff) ? 0 : 1
  },
}

function describe(diff: RegistryDiff): readonly string[] {
  const [before, after] = diff.versions
  const name = (one: PackageRef): string => `${one.name} ${one.version} ${one.arch}`
  return [
    ...(diff.sameRegistry ? [] : ['These are different registries']),
    isEqual(diff) ? `No difference (versions ${before} and ${after})` : `version ${before} -> ${after}`,
    ...diff.root.map((line) => `! ${line}`),
    ...diff.added.map((one) => `+ ${name(one)}`),
    ...diff.removed.map((one) => `- ${name(one)}`),
    ...diff.changed.map((one) => `! ${name(one)}: another signed line for the same version`),
    ...diff.channels.map((one) => `~ ${name(one)}: ${state(one.before)} -> ${state(one.after)}`),
  ]
}

function state({ channel, yanked, phasedPercent }: ChannelState): string {
  const phase = phasedPercent === undefined ? '' : ` ${phasedPercent} %`
  return `${channel}${phase}${yanked === undefined ? '' : ` yanked (${yanked})`}`
}
