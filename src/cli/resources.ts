/** What the `set` verbs of memory, processors and disks have in common. */
import type { Resources } from '../domain/resources.ts'
import { formatSize } from '../model/size.ts'
import { machineResources, type ResourceChange, setResources } from '../operations/resources.ts'
import type { Io, OptionSpec, OptionValues } from './command.ts'

export const IMPACT_OPTIONS: readonly OptionSpec[] = [
  { flags: '--live', summary: 'only the machine that runs now' },
  { flags: '--config', summary: 'only its definition, for the next start' },
]

export const IMPACT_DESCRIPTION =
  'Without --live and --config both: the definition and, where libvirt can, what\n' +
  'runs now. It is libvirt’s own setting, which virsh and virt-manager show, and an\n' +
  'upgrade of the package keeps it. Without a value what is set is printed.'

/** Changes, or tells where there is nothing to change. */
export async function runSet(
  io: Io,
  {
    name,
    change,
    options,
  }: { readonly name: string; readonly change: ResourceChange | undefined; readonly options: OptionValues },
  describe: (resources: Resources) => string,
): Promise<number> {
  if (change === undefined) {
    const resources = await machineResources(await io.workspace(), name)
    if (io.json) io.printJson('resources', { machine: name, resources })
    else io.print(describe(resources))
    return 0
  }
  const result = await setResources(await io.workspace({ write: true }), {
    name,
    change,
    live: options['live'] === true,
    config: options['config'] === true,
  })
  if (io.json) io.printJson('set', { machine: name, ...result })
  else {
    io.print(`${name}: ${describe(result.after)}`)
    if (result.isLive === false) io.note(`It runs on as it is until its next start: ${result.reason}`, 'careful')
  }
  return 0
}

export function describeDisks({ disks }: Resources): string {
  const words = disks.map(({ target, iops, bandwidth }) => {
    const limits = [
      iops === undefined || iops === 0 ? undefined : `${iops} operations a second`,
      bandwidth === undefined || bandwidth === 0 ? undefined : `${formatSize(bandwidth)} a second`,
    ].filter((one) => one !== undefined)
    return `${target} ${limits.length === 0 ? 'without limits' : limits.join(', ')}`
  })
  return words.length === 0 ? 'no disk' : words.join('; ')
}
