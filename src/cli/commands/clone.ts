import { isVmpkgError, VmpkgError } from '../../errors.ts'
import { attendClones, guarded } from '../../operations/attend.ts'
import { type CloneRequest, type CloneResult, cloneSeveral, findCloneGrants } from '../../operations/clone.ts'
import { copyMachine } from '../../operations/copy-machine.ts'
import { waitForMachines } from '../../operations/wait.ts'
import type { Workspace } from '../../operations/workspace.ts'
import {
  type CommandSpec,
  type Io,
  type OptionValues,
  optionList,
  optionNumber,
  optionText,
  TIMEOUT_OPTION,
} from '../command.ts'
import { grantOptions } from '../grants.ts'
import { confirmGrants } from '../plan.ts'
import { tellLeft } from '../pool-left.ts'
import { formatCommand } from '../shell-words.ts'

export const command: CommandSpec = {
  args: '[package]',
  summary:
    'Make a machine from an installed app package: a copy-on-write disk, an identity of its own, a port on a router’s LAN.',
  description:
    'With --from another machine is what it is made of, also one that runs: its disks\n' +
    'as they are at one moment, and an identity of its own. That one goes on.',
  options: [
    { flags: '--from <machine>', summary: 'make a copy of this machine instead' },
    { flags: '--name <name>', summary: 'name of the machine (default: the package’s name and a number)' },
    { flags: '--net <network>', summary: 'router LAN to attach it to, such as uni0' },
    { flags: '--ephemeral', summary: 'everything it wrote vanishes when it stops' },
    {
      flags: '--mode <mode>',
      summary: 'where an ephemeral one writes: ram, encrypted, transient (default: ram if it fits)',
    },
    { flags: '--autodestroy', summary: 'stay, and end the ephemeral machine with this command' },
    { flags: '--storage <name>', summary: 'where its disks go; vmpkg storage list (default: the default one)' },
    { flags: '--data-storage <name>', summary: 'the same for data disks that are not there yet' },
    { flags: '--no-pool', summary: 'make an ephemeral one from scratch, also where one waits in a pool' },
    { flags: '--count <number>', summary: 'make several, or none if one cannot be made' },
    { flags: '--set <name=value>...', summary: 'set a parameter of the package (repeatable)' },
    { flags: '--profile <profile>...', summary: 'a named set of values, of the package or yours (repeatable)' },
    { flags: '--grant <capability>...', summary: 'grant a capability to the package, for this and later clones' },
    { flags: '--no-start', summary: 'define it but do not start it' },
    { flags: '--wait', summary: 'return when the machine is up and has its address' },
    TIMEOUT_OPTION,
    { flags: '--dry-run', summary: 'print the libvirt XML and stop' },
  ],
  examples: [
    'vmpkg clone app-console',
    'vmpkg clone app-console --ephemeral --name shell --net uni0 --wait',
    'vmpkg clone app-console --ephemeral --mode encrypted --autodestroy',
    'vmpkg clone app-console --count 5 --name worker',
    'vmpkg clone --from work --name work-2',
    'vmpkg clone app-console --name diary --storage vault',
    'vmpkg clone desktop-windows --set disk=/srv/win.qcow2 --grant host-file:write',
  ],
  async run({ args, options, io }) {
    const [packageName] = args
    const workspace = await io.workspace({ write: io.dryRun ? false : 'late' })
    const from = optionText(options, 'from')
    if (from !== undefined) {
      if (packageName === undefined && !OF_PACKAGES.some((name) => isGiven(options, name))) {
        return copy(workspace, io, options, from)
      }
      throw new VmpkgError('USAGE', '--from makes a copy of a machine, which is of its package and as it was made', {
        hint: 'Beside it go --name, --no-start, --wait, --timeout and --dry-run.',
      })
    }
    if (packageName === undefined) {
      throw new VmpkgError('USAGE', 'It takes the name of a package, or --from and a machine', {
        hint: 'vmpkg list --installed shows the packages, vmpkg ps the machines.',
      })
    }
    const request: CloneRequest = {
      package: packageName,
      name: optionText(options, 'name'),
      net: optionText(options, 'net'),
      ephemeral: options['ephemeral'] === true,
      mode: optionText(options, 'mode'),
      autodestroy: options['autodestroy'] === true,
      storage: optionText(options, 'storage'),
      dataStorage: optionText(options, 'dataStorage'),
      // libvirt ends only what it started so.
      pool: options['pool'] !== false && options['autodestroy'] !== true,
      count: optionNumber(options, 'count', 1),
      set: optionList(options, 'set'),
      profiles: optionList(options, 'profile'),
      start: options['start'] !== false,
      wait: options['wait'] === true,
      timeoutSeconds: optionNumber(options, 'timeout', 1),
      grants: grantOptions(options),
      dryRun: io.dryRun,
    }
    // The lock is not held while a person thinks: clone looks once more.
    const missing = io.dryRun ? [] : await findCloneGrants(workspace, request)
    const granted = await confirmGrants(io, missing, formatCommand('clone', args, options, command.options))
    const whole = { ...request, grants: [...request.grants, ...granted] }
    if (request.autodestroy !== true || io.dryRun) await makeClones(workspace, io, whole)
    else {
      await guarded(workspace, async () => {
        const made = await makeClones(workspace, io, whole)
        await attendClones(
          workspace,
          made.map(({ uuid }) => uuid),
        )
      })
    }
    return 0
  },
}

async function makeClones(workspace: Workspace, io: Io, request: CloneRequest): Promise<readonly CloneResult[]> {
  const made = await cloneSeveral(workspace, request).catch(explainUnready)
  for (const { package: name, capability, reason } of made[0]?.missingGrants ?? [])
    io.note(`${name} is not granted ${capability} yet (${reason}): --grant ${capability}`)
  if (io.json && request.count !== undefined) io.printJson('clones', { machines: made })
  else for (const result of made) printClone(io, result)
  if (made.some(({ pooled }) => pooled === true)) await tellLeft(workspace, io, request.package)
  return made
}

/** What a package decides, or has to be told. */
const OF_PACKAGES = ['net', 'ephemeral', 'mode', 'autodestroy', 'count', 'set', 'profile', 'grant'] as const

function isGiven(options: OptionValues, name: string): boolean {
  const value = options[name]
  return value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0)
}

async function copy(workspace: Workspace, io: Io, options: OptionValues, machine: string): Promise<number> {
  const start = options['start'] !== false
  const made = await copyMachine(workspace, {
    machine,
    name: optionText(options, 'name'),
    start,
    dryRun: io.dryRun,
  })
  if (start && options['wait'] === true && !io.dryRun) {
    await waitForMachines(workspace, {
      names: [made.name],
      condition: { kind: 'ready' },
      timeoutSeconds: optionNumber(options, 'timeout', 1) ?? 300,
    })
  }
  if (io.json) io.printJson('clone-from', { dryRun: io.dryRun, ...made })
  else if (io.dryRun) io.print(made.xml)
  else {
    if (made.consistency === 'crash') io.note(`Its disks are as after a power cut of ${machine}`, 'careful')
    io.print(made.name)
  }
  return 0
}

function printClone(io: Io, result: CloneResult): void {
  if (io.json) io.printJson('clone', { ...result })
  else if (io.dryRun) {
    for (const reason of result.placement?.reasons ?? []) io.note(reason)
    io.print(result.xml)
  } else io.print(`${result.name}${result.address === undefined ? '' : ` ${result.address}`}`)
}

/** It is gone, and its log with it. */
function explainUnready(error: unknown): never {
  if (!isVmpkgError(error, 'GUEST_NOT_READY')) throw error
  throw new VmpkgError('GUEST_NOT_READY', `${error.message}; the clone was undone`, {
    hint: 'A slow host may need longer: --timeout 600. To look into it, leave out --wait.',
    cause: error.cause,
    details: error.details,
  })
}
