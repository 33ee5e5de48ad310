/** The options of `host plan` and `host apply`, and how a plan looks. */
import { VmpkgError } from '../errors.ts'
import type { HostCommand } from '../host/host-advice.ts'
import { type HostWishes, NO_WISHES } from '../host/host-wishes.ts'
import { PASSTHROUGH_MODES, type PassthroughMode } from '../host/passthrough-plan.ts'
import type { HostPlan } from '../operations/host-plan.ts'
import {
  type Io,
  type OptionSpec,
  type OptionValues,
  optionList,
  optionNumber,
  optionText,
  type Tone,
} from './command.ts'

export const TARGET_OPTION: OptionSpec = {
  flags: '--target <folder>',
  summary: 'work on another file tree than /, such as a mounted disk',
}

export const SELECTION_OPTIONS: readonly OptionSpec[] = [
  {
    flags: '--mode <mode>',
    summary: 'none; default: exactly what is named; flex: what its group allows; force: whole groups',
  },
  { flags: '--every', summary: 'a vendor:device or class means all devices that fit' },
  { flags: '--only-named', summary: 'leave the other functions of a card' },
  { flags: '--force', summary: 'also what the host needs for its network; never its disks' },
]

export const WISH_OPTIONS: readonly OptionSpec[] = [
  { flags: '--device <device>...', summary: 'give a PCI device to guests: address, vendor:device, class:gpu, slot:…' },
  ...SELECTION_OPTIONS,
  { flags: '--late', summary: 'bind after the disks are unlocked, not while the kernel starts' },
  { flags: '--bridge <name>...', summary: 'let users’ guests join a bridge (qemu-bridge-helper)' },
  { flags: '--user <name>...', summary: 'let a user run guests: groups, locked memory' },
  { flags: '--memlock <kib>', summary: 'KiB that guests may lock; unlimited with devices' },
  { flags: '--hugepages <count>', summary: 'huge pages of the default size to reserve' },
  { flags: '--blacklist <name>...', summary: 'keep modules off: ipmi, nouveau, nvidia, amd, audio, or any' },
  { flags: '--iommu-pt', summary: 'map devices of the host one to one (less protection)' },
  { flags: '--unsafe-interrupts', summary: 'live without interrupt remapping (trusted guests only)' },
  { flags: '--unsafe-acs', summary: 'split groups that are not separate (patched kernel)' },
  { flags: '--ignore-msrs', summary: 'answer 0 for unknown registers of the processor' },
  { flags: '--replace', summary: 'forget what earlier calls asked for' },
  TARGET_OPTION,
]

/** @throws {VmpkgError} `USAGE` */
export function wishesOf(options: OptionValues): HostWishes {
  const memlock = optionText(options, 'memlock')
  return {
    ...NO_WISHES,
    devices: [...optionList(options, 'device')],
    mode: modeOf(options),
    every: options['every'] === true,
    onlyNamed: options['onlyNamed'] === true,
    force: options['force'] === true,
    iommuPt: options['iommuPt'] === true,
    unsafeAcs: options['unsafeAcs'] === true,
    unsafeInterrupts: options['unsafeInterrupts'] === true,
    ignoreMsrs: options['ignoreMsrs'] === true,
    late: options['late'] === true,
    bridges: [...optionList(options, 'bridge')],
    users: [...optionList(options, 'user')],
    memlockKib: memlock === 'unlimited' ? memlock : (optionNumber(options, 'memlock', 1) ?? null),
    hugepages: optionNumber(options, 'hugepages', 0) ?? null,
    blacklist: [...optionList(options, 'blacklist')],
  }
}

/** @throws {VmpkgError} `USAGE` */
export function modeOf(options: OptionValues): PassthroughMode {
  const text = optionText(options, 'mode')?.toLowerCase() ?? 'default'
  const mode = PASSTHROUGH_MODES.find((name) => name === text)
  if (mode !== undefined) return mode
  throw new VmpkgError('USAGE', `No such mode: ${JSON.stringify(text.slice(0, 40))}`, {
    hint: `Choose one of ${PASSTHROUGH_MODES.join(', ')}.`,
  })
}

/** Differences on standard output, what to know about them on standard error. */
export function printHostPlan(io: Io, plan: HostPlan): void {
  printDiffs(io, plan.diffs)
  for (const { address, refusals } of plan.passthrough.skipped) {
    io.note(`Left out: ${address}: ${refusals.map(({ reason }) => reason).join('; ')}`, 'careful')
  }
  for (const text of plan.passthrough.warnings) io.note(text, 'careful')
  for (const { text, risk, isPlanned } of plan.advice) {
    io.note(
      `${isPlanned ? 'Planned: ' : ''}${text}${risk === undefined ? '' : ` Risk: ${risk}`}`,
      isPlanned && risk !== undefined ? 'careful' : undefined,
    )
  }
  if (plan.manualWords.length > 0) {
    io.note(`GRUB is not here: give the kernel these words by hand: ${plan.manualWords.join(' ')}`, 'careful')
  }
  printCommands(io, plan.commands)
}

export function printDiffs(io: Io, diffs: readonly string[]): void {
  for (const diff of diffs) io.stdout.write(diff)
}

export function printCommands(io: Io, commands: readonly HostCommand[], tone?: Tone): void {
  if (commands.length === 0) return
  io.note('To be run afterwards:', tone)
  for (const { argv, why } of commands) io.note(`  ${argv.join(' ')}   # ${why}`)
}

export function hostPlanJson(plan: HostPlan): Readonly<Record<string, unknown>> {
  const { target, wishes, passthrough, changes, diffs, commands, advice, manualWords } = plan
  return {
    target,
    wishes,
    changed: diffs.length > 0,
    passthrough,
    files: changes
      .filter(({ now, wanted }) => now !== wanted)
      .map(({ path, now, wanted }) => ({ path: `/${path}`, before: now ?? null, after: wanted ?? null })),
    diff: diffs.join(''),
    commands,
    advice,
    manualWords,
  }
}
