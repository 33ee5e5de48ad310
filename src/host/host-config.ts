/**
 * What the files of a host have to say so that guests get what was wished for. Pure.
 *
 * Sources: Linux Documentation/admin-guide/kernel-parameters.txt (intel_iommu, amd_iommu, iommu),
 * Documentation/driver-api/vfio.rst (modules, ids), modprobe.d(5) (softdep, blacklist), modules-load.d(5), udev(7),
 * limits.conf(5), systemd.exec(5) (LimitMEMLOCK), sysctl.d(5), qemu-bridge-helper (qemu-options.hx, bridge.conf).
 */
import type { HostEdit } from './host-edit.ts'
import type { HostTree } from './host-tree.ts'
import type { HostWishes } from './host-wishes.ts'
import { isAtLeast } from './kernel.ts'
import type { PassthroughPlan } from './passthrough-plan.ts'
import type { PciDevice } from './pci-device.ts'
import type { PciHost } from './pci-host.ts'

export interface HostConfig {
  readonly edits: readonly HostEdit[]
  /** Words that a boot loader other than GRUB must be given by hand. */
  readonly manualWords: readonly string[]
}

export interface HostConfigFacts {
  readonly host: PciHost
  /** Words of the running kernel's command line. */
  readonly commandLine: readonly string[]
  readonly tree: HostTree
  readonly passthrough: PassthroughPlan
}

export const GRUB_KEY = 'GRUB_CMDLINE_LINUX_DEFAULT'
const GRUB_DROP_IN = 'etc/default/grub.d/99-vmpkg.cfg'
const UNIT = 'vmpkg-vfio.service'

/** Modules that are kept off by name of a list (HST-14): they fight over devices that guests are to have. */
const BLACKLISTS: Readonly<Record<string, readonly string[]>> = {
  ipmi: ['ipmi_si', 'ipmi_devintf'],
  bluetooth: ['bluetooth', 'btusb'],
  nouveau: ['nouveau'],
  nvidia: ['nvidia', 'nvidia_drm', 'nvidia_modeset', 'nvidiafb'],
  amd: ['amdgpu', 'radeon'],
  audio: ['snd_hda_intel'],
}

/** Drivers that would take such a device, loaded or not: vfio-pci must come first. By base class and subclass. */
const CLASS_DRIVERS: Readonly<Record<string, readonly string[]>> = {
  '03': ['nouveau', 'nvidia', 'nvidiafb', 'nvidia_drm', 'amdgpu', 'radeon', 'i915', 'xe'],
  '0403': ['snd_hda_intel'],
}
/** Where the name of a driver is not that of its module. */
const MODULE_OF_DRIVER: Readonly<Record<string, string>> = { xhci_hcd: 'xhci_pci', 'ehci-pci': 'ehci_pci' }

export function planHostConfig(facts: HostConfigFacts, wishes: HostWishes): HostConfig {
  const { host, tree } = facts
  const binding = planBinding(facts, wishes)
  const words = kernelWords(facts, wishes, binding)
  const block = (path: string, lines: readonly string[]): HostEdit => ({ kind: 'block', path, lines: [...lines] })
  const wantsVfio = wishes.devices.length > 0
  const edits: HostEdit[] = [
    ...grubEdits(tree, words),
    block('etc/modprobe.d/vmpkg.conf', modprobeLines(facts, wishes, binding)),
    block('etc/modules-load.d/vmpkg.conf', modulesToLoad(host)),
    block('etc/initramfs-tools/modules', tree.hasInitramfsTools && binding.ids.length > 0 ? ['vfio_pci'] : []),
    block('etc/udev/rules.d/10-qemu-hw-users.rules', udevLines(tree, binding)),
    block('etc/security/limits.d/vmpkg.conf', limitLines(tree, wishes, wantsVfio)),
    ...tree.libvirtUnits.map((unit) =>
      block(
        `etc/systemd/system/${unit}.d/vmpkg.conf`,
        wantsVfio || wishes.memlockKib !== null ? ['[Service]', `LimitMEMLOCK=${systemdLimit(wishes)}`] : [],
      ),
    ),
    block(
      'etc/qemu/bridge.conf',
      wishes.bridges.map((name) => `allow ${name}`),
    ),
    block('etc/sysctl.d/90-vmpkg.conf', wishes.hugepages === null ? [] : [`vm.nr_hugepages = ${wishes.hugepages}`]),
    ...unitEdits(binding.byAddress),
  ]
  return {
    edits: edits.filter((edit) => edit.kind !== 'block' || edit.lines.length > 0),
    manualWords: tree.grub === 'none' ? words : [],
  }
}

interface Binding {
  /** `vendor:device` that vfio-pci takes by itself. */
  readonly ids: readonly string[]
  /** Taken by address, by a rule and a unit. */
  readonly byAddress: readonly string[]
  readonly devices: readonly PciDevice[]
}

/** By id where that names no other card and comes early enough; by address otherwise. */
function planBinding({ host, passthrough }: HostConfigFacts, { late }: HostWishes): Binding {
  const given = new Set(passthrough.hostdevs.map(({ address }) => address))
  const devices = host.devices.filter(({ address }) => given.has(address))
  const isBuiltIn = (device: PciDevice): boolean =>
    device.driver !== undefined && host.kernel.builtinModules.has(moduleOf(device.driver))
  const byAddress = new Set([
    ...passthrough.byAddress,
    ...devices.filter((device) => late || isBuiltIn(device)).map(({ address }) => address),
  ])
  const byId = devices.filter(({ address }) => !byAddress.has(address))
  const ids = [...new Set(byId.map(({ vendor, device }) => `${vendor}:${device}`))]
  return { ids, byAddress: [...byAddress].toSorted(), devices }
}

function moduleOf(driver: string): string {
  return MODULE_OF_DRIVER[driver] ?? driver.replaceAll('-', '_')
}

/** The words that the kernel must be started with. */
function kernelWords(
  { host, commandLine }: HostConfigFacts,
  { iommuPt, unsafeAcs, unsafeInterrupts }: HostWishes,
  { ids }: Binding,
): readonly string[] {
  const { iommu, kernel } = host
  const on = iommu.kind === 'intel' ? 'intel_iommu=on' : iommu.kind === 'amd' ? 'amd_iommu=on' : undefined
  // One that is on without having been told needs no word.
  const isNeeded = on !== undefined && !(iommu.isOn && !commandLine.includes(on))
  const isBuiltIn = kernel.builtinModules.has('vfio_pci')
  return [
    ...(isNeeded ? [on] : []),
    ...(iommuPt ? ['iommu=pt'] : []),
    ...(unsafeAcs ? ['pcie_acs_override=downstream,multifunction'] : []),
    ...(ids.length > 0 && isBuiltIn ? [`vfio-pci.ids=${ids.join(',')}`] : []),
    ...(ids.length > 0 && !isAtLeast(kernel.release, '4.1') ? [`pci-stub.ids=${ids.join(',')}`] : []),
    ...(unsafeInterrupts && kernel.builtinModules.has('vfio_iommu_type1')
      ? ['vfio_iommu_type1.allow_unsafe_interrupts=1']
      : []),
  ]
}

function grubEdits(tree: HostTree, words: readonly string[]): readonly HostEdit[] {
  if (words.length === 0 || tree.grub === 'none') return []
  if (tree.grub === 'file') return [{ kind: 'words', path: 'etc/default/grub', key: GRUB_KEY, words: [...words] }]
  return [{ kind: 'block', path: GRUB_DROP_IN, lines: [`${GRUB_KEY}="$${GRUB_KEY} ${words.join(' ')}"`] }]
}

function modprobeLines({ host }: HostConfigFacts, wishes: HostWishes, { ids, devices }: Binding): readonly string[] {
  const { kernel } = host
  const byId = devices.filter(({ vendor, device }) => ids.includes(`${vendor}:${device}`))
  const drivers = byId.flatMap(({ driver, classCode }) => [
    ...(driver === undefined || driver.includes('vfio') ? [] : [moduleOf(driver)]),
    ...(CLASS_DRIVERS[classCode.slice(0, 2)] ?? CLASS_DRIVERS[classCode.slice(0, 4)] ?? []),
  ])
  const isGpu = byId.some(({ classCode }) => classCode.startsWith('03'))
  const isLoadable = ids.length > 0 && isAtLeast(kernel.release, '4.1') && !kernel.builtinModules.has('vfio_pci')
  return [
    ...(isLoadable ? [`options vfio-pci ids=${ids.join(',')}${isGpu ? ' disable_vga=1' : ''}`] : []),
    ...(isLoadable ? [...new Set(drivers)].toSorted().map((driver) => `softdep ${driver} pre: vfio-pci`) : []),
    ...(wishes.unsafeInterrupts && !kernel.builtinModules.has('vfio_iommu_type1')
      ? ['options vfio_iommu_type1 allow_unsafe_interrupts=1']
      : []),
    ...(wishes.ignoreMsrs ? ['options kvm ignore_msrs=1'] : []),
    ...[...new Set(wishes.blacklist.flatMap((name) => BLACKLISTS[name] ?? [name]))].map((name) => `blacklist ${name}`),
  ]
}

/** vfio_virqfd went into vfio in 6.2; vhost_net spares guests' networks a way through user space. */
function modulesToLoad({ kernel }: PciHost): readonly string[] {
  const names = [
    'vfio',
    'vfio_iommu_type1',
    'vfio_pci',
    ...(isAtLeast(kernel.release, '6.2') ? [] : ['vfio_virqfd']),
    'vhost_net',
  ]
  return names.filter(
    (name) =>
      !kernel.builtinModules.has(name) && (kernel.availableModules === undefined || kernel.availableModules.has(name)),
  )
}

/** /dev/vfio/N for QEMU's group; and the override before any driver is asked, for cards that rules by id cannot name. */
function udevLines({ groups }: HostTree, { byAddress }: Binding): readonly string[] {
  const group = ['kvm', 'libvirt'].find((name) => groups.has(name))
  return [
    ...(group === undefined ? [] : [`SUBSYSTEM=="vfio", OWNER="root", GROUP="${group}", MODE="0660"`]),
    ...byAddress.map(
      (address) => `ACTION=="add", SUBSYSTEM=="pci", KERNEL=="${address}", ATTR{driver_override}="vfio-pci"`,
    ),
  ]
}

function limitLines({ groups }: HostTree, { memlockKib, users }: HostWishes, wantsVfio: boolean): readonly string[] {
  if (memlockKib === null && !wantsVfio) return []
  const limit = memlockKib === null ? 'unlimited' : String(memlockKib)
  const domains = [...(groups.has('kvm') ? ['@kvm'] : []), ...users]
  return domains.flatMap((domain) => [`${domain} soft memlock ${limit}`, `${domain} hard memlock ${limit}`])
}

function systemdLimit({ memlockKib }: HostWishes): string {
  return typeof memlockKib === 'number' ? `${memlockKib}K` : 'infinity'
}

/**
 * Binds by address once disks are unlocked and before libvirt starts: what the rule of udev cannot reach, such as drivers
 * that are built into the kernel or in the initramfs.
 */
function unitEdits(byAddress: readonly string[]): readonly HostEdit[] {
  if (byAddress.length === 0) return []
  const path = `etc/systemd/system/${UNIT}`
  return [
    {
      kind: 'block',
      path,
      lines: [
        '[Unit]',
        'Description=Give PCI devices to vfio-pci (vmpkg)',
        'After=cryptsetup.target systemd-modules-load.service',
        'Before=libvirtd.service virtqemud.service libvirt-guests.service',
        '',
        '[Service]',
        'Type=oneshot',
        'RemainAfterExit=yes',
        'ExecStart=/sbin/modprobe vfio-pci',
        ...byAddress.map((address) => `ExecStart=/bin/sh -c '${bindScript(address)}'`),
        '',
        '[Install]',
        'WantedBy=multi-user.target',
      ],
    },
    { kind: 'link', path: `etc/systemd/system/multi-user.target.wants/${UNIT}`, to: `/etc/systemd/system/${UNIT}` },
  ]
}

/** The writes of `planBind`, for a shell; nothing is written when vfio-pci has the device. */
function bindScript(address: string): string {
  const device = `/sys/bus/pci/devices/${address}`
  return [
    `[ -e ${device}/vendor ] || exit 0`,
    // systemd reads a dollar sign and a per cent sign as its own.
    `[ ${device}/driver -ef /sys/bus/pci/drivers/vfio-pci ] && exit 0`,
    `echo vfio-pci > ${device}/driver_override`,
    `[ ! -e ${device}/driver ] || echo ${address} > ${device}/driver/unbind`,
    `echo ${address} > /sys/bus/pci/drivers_probe`,
  ].join('; ')
}
