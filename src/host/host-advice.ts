/** What a host can be told besides, what each costs, and what is left to do by hand. Pure. */

import { findFalseAssignments } from './grub-words.ts'
import type { HostConfigFacts } from './host-config.ts'
import { GRUB_KEY } from './host-config.ts'
import type { HostDaemon } from './host-tree.ts'
import type { HostWishes } from './host-wishes.ts'
import { isExempt } from './iommu-group.ts'
import { cardOf, type PciDevice } from './pci-device.ts'

export interface HostAdvice {
  /** Stable word: `iommu-pt`, `acs`, `unsafe-interrupts`, … */
  readonly topic: string
  readonly text: string
  /** What it costs in safety; absent where nothing. */
  readonly risk?: string
  /** It is part of the plan, not merely possible. */
  readonly isPlanned: boolean
}

export interface HostCommand {
  readonly argv: readonly string[]
  readonly why: string
  /** Runs with `--run`; others are for a person to choose the moment. */
  readonly isSafe: boolean
  /** It talks to this one, which has to run. */
  readonly needs?: HostDaemon
}

/** Everything optional, and what was asked for with its risk. */
export function adviseHost(
  { host, tree, commandLine, passthrough }: HostConfigFacts,
  wishes: HostWishes,
): readonly HostAdvice[] {
  const { iommu } = host
  const advice: HostAdvice[] = []
  const add = (topic: string, isPlanned: boolean, text: string, risk?: string): void => {
    advice.push({ topic, text, ...(risk !== undefined && { risk }), isPlanned })
  }
  if (!iommu.isOn) {
    add(
      'firmware',
      false,
      'The kernel shows no IOMMU groups: switch on VT-d or AMD-Vi (and VT-x or SVM, ARI and ACS where offered) in the firmware, set a firmware password, and switch remote management off. A program cannot read these settings.',
    )
  }
  if (commandLine.some((word) => /^(intel_iommu|amd_iommu|iommu)=off$/.test(word))) {
    add('iommu-off', false, 'The kernel was started with its IOMMU off: take that word out of the boot loader.')
  }
  if (!iommu.isOn && wishes.devices.length > 0) {
    add(
      'groups',
      false,
      'While the IOMMU is off nobody knows the groups: look again with vmpkg devices after the reboot.',
    )
  }
  if (iommu.kind === 'amd') {
    add(
      'amd',
      false,
      'AMD’s IOMMU is on by default where the firmware allows it; the word amd_iommu=on only states the wish.',
    )
  }
  if (wishes.iommuPt) {
    add(
      'iommu-pt',
      true,
      'iommu=pt: devices of the host are mapped one to one, which spares their drivers the translation.',
      'Devices that the host keeps can reach all of its memory; take it only where it is measurably faster, or where firmware needs it.',
    )
  } else {
    add(
      'iommu-pt',
      false,
      '--iommu-pt maps devices of the host one to one; leave it off unless the host’s own devices are too slow.',
      'Devices that the host keeps can reach all of its memory.',
    )
  }
  if (wishes.unsafeAcs) {
    const split = splitByAcs(host.devices)
    add(
      'acs',
      true,
      `pcie_acs_override=downstream,multifunction would split ${split.length === 0 ? 'no group of this host' : split.map(({ group, addresses }) => `group ${group} (${addresses.join(', ')})`).join('; ')}. It needs a patched kernel; Debian’s ignores the word.`,
      'Devices of one true group can still talk to each other: a guest may read and write what its neighbours transfer. The groups are then a claim, not a fact.',
    )
  }
  if (iommu.remapsInterrupts === false || wishes.unsafeInterrupts) {
    add(
      'unsafe-interrupts',
      wishes.unsafeInterrupts,
      iommu.remapsInterrupts === false
        ? 'This host does not remap interrupts: VFIO needs allow_unsafe_interrupts=1 (--unsafe-interrupts).'
        : 'allow_unsafe_interrupts=1, although nothing says that this host needs it.',
      'A guest with a device can send the host any interrupt. Only for guests that you trust.',
    )
  }
  if (wishes.ignoreMsrs) {
    add(
      'ignore-msrs',
      true,
      'kvm ignore_msrs=1: reads of unknown registers of the processor give 0 instead of stopping the guest.',
      'Mistakes of guests stay hidden; a guest may act on wrong values.',
    )
  }
  if (wishes.blacklist.length > 0) {
    add(
      'blacklist',
      true,
      `No module of ${wishes.blacklist.join(', ')} is loaded by itself any more.`,
      'What they drive is missing on the host too.',
    )
  }
  if (passthrough.ids.length > 0) {
    add('ids', true, `Every device ${passthrough.ids.join(', ')} goes to vfio-pci, also one that is put in later.`)
  }
  const wrong = findFalseAssignments(tree.grubText, GRUB_KEY)
  if (wrong.length > 0) {
    add(
      'grub',
      false,
      `Line ${wrong.join(', ')} of /etc/default/grub is a command to a shell, not an assignment: no blanks around =.`,
    )
  }
  if (
    passthrough.hostdevs.some(
      ({ address }) => host.holders.get(address)?.some(({ kind }) => kind === 'console') === true,
    )
  ) {
    add(
      'initramfs',
      false,
      'The console is given away: a disk password typed on that screen must come before it; see --late.',
    )
  }
  return advice
}

const DAEMON_OF: ReadonlyMap<string, HostDaemon> = new Map([
  ['systemctl', 'systemd'],
  ['udevadm', 'udev'],
])

/** What is to be run after the files have changed. @param paths that change, relative to the root */
export function commandsAfter(
  { tree }: Pick<HostConfigFacts, 'tree'>,
  wishes: HostWishes,
  paths: readonly string[],
  { hasWishes }: { readonly hasWishes: boolean },
): readonly HostCommand[] {
  const touches = (prefix: string): boolean => paths.some((path) => path.startsWith(prefix))
  const commands: HostCommand[] = []
  const add = (argv: readonly string[], why: string, isSafe = true): void => {
    const needs = DAEMON_OF.get(argv[0] ?? '')
    commands.push({ argv, why, isSafe, ...(needs !== undefined && { needs }) })
  }
  const isBoot = touches('etc/default/grub') || touches('etc/modprobe.d') || touches('etc/initramfs-tools')
  if (touches('etc/default/grub') && tree.grubCommand !== undefined) add(tree.grubCommand, 'writes the boot menu anew')
  if ((touches('etc/modprobe.d') || touches('etc/initramfs-tools')) && tree.initramfsCommand !== undefined) {
    add(tree.initramfsCommand, 'modules are chosen in the initramfs already')
  }
  if (touches('etc/udev')) {
    add(['udevadm', 'control', '--reload'], 'udev reads its rules')
    add(['udevadm', 'trigger', '--subsystem-match=vfio'], 'the new owner of /dev/vfio')
  }
  if (touches('etc/systemd')) add(['systemctl', 'daemon-reload'], 'systemd reads its units')
  if (touches('etc/sysctl.d')) add(['sysctl', '--system'], 'the kernel reserves huge pages')
  if (touches('etc/modules-load.d') && hasWishes)
    add(['systemctl', 'restart', 'systemd-modules-load.service'], 'loads the modules now')
  if (hasWishes) for (const { argv, why } of membershipCommands(tree, wishes)) add(argv, why)
  if (wishes.bridges.length > 0 && tree.bridgeHelper?.isSetuid === false) {
    add(
      [
        'dpkg-statoverride',
        '--update',
        '--add',
        'root',
        tree.groups.has('libvirt') ? 'libvirt' : 'kvm',
        '4750',
        tree.bridgeHelper.path,
      ],
      'the helper makes tap devices for ordinary users',
      false,
    )
  }
  if (paths.some((path) => /systemd\/system\/(libvirtd|virtqemud)/.test(path))) {
    add(
      ['systemctl', 'try-restart', ...tree.libvirtUnits],
      'the new limit of memory; running guests stay as they are',
      false,
    )
  }
  if (isBoot) add(['reboot'], 'the kernel reads its command line and the initramfs once', false)
  return commands
}

/** `usermod` for each group that a user lacks. */
function membershipCommands(
  { groups }: HostConfigFacts['tree'],
  { users }: HostWishes,
): readonly { argv: readonly string[]; why: string }[] {
  return users.flatMap((user) =>
    missingGroups(groups, user).map((group) => ({
      argv: ['usermod', '-aG', group, user],
      why: group === 'libvirt' ? `${user} may use qemu:///system` : `${user} may use /dev/kvm and /dev/vfio`,
    })),
  )
}

/** Of libvirt's groups those that exist and lack the user. libvirt-qemu is QEMU's own and not for people. */
export function missingGroups(groups: ReadonlyMap<string, readonly string[]>, user: string): readonly string[] {
  return ['libvirt', 'kvm'].filter((group) => groups.get(group)?.includes(user) === false)
}

/** Groups with functions that the override would set apart: several cards, or several functions of one. */
function splitByAcs(
  devices: readonly PciDevice[],
): readonly { readonly group: number; readonly addresses: readonly string[] }[] {
  const groups = Map.groupBy(
    devices.filter((device) => device.iommuGroup !== undefined && !isExempt(device)),
    ({ iommuGroup = -1 }) => iommuGroup,
  )
  return [...groups]
    .filter(([, members]) => members.length > 1 || new Set(members.map(({ address }) => cardOf(address))).size > 1)
    .map(([group, members]) => ({ group, addresses: members.map(({ address }) => address) }))
    .toSorted((a, b) => a.group - b.group)
}
