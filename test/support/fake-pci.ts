/**
 * A folder laid out as /sys, /proc and /dev of a host with the given PCI functions, as the kernel lays them out: devices
 * in the tree of buses, links from `bus/pci/devices`, drivers and IOMMU groups with their links back.
 */
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'

export interface FakePci {
  readonly address: string
  /** `8086:10d3` */
  readonly id: string
  /** Six digits. */
  readonly classCode: string
  readonly driver?: string
  readonly group?: number
  /** Address of the bridge above. */
  readonly below?: string
  readonly headerType?: number
  readonly nic?: { readonly name: string; readonly mac: string }
  /** Block device, partitions. */
  readonly disk?: { readonly name: string; readonly partitions?: readonly string[] }
  readonly numaNode?: number
  /** No way without it. */
  readonly resetMethod?: string
  readonly isBootVga?: boolean
  readonly slot?: string
  readonly physfn?: string
  readonly vfs?: readonly string[]
  readonly totalVfs?: number
  readonly override?: string
}

export interface FakeHost {
  readonly devices: readonly FakePci[]
  /** Lines of /proc/self/mountinfo after the numbers: mount point and source. */
  readonly mounts?: readonly { readonly mountPoint: string; readonly source: string; readonly number?: string }[]
  readonly swaps?: readonly string[]
  /** Interface of the default route. */
  readonly defaultRoute?: string
  /** Device-mapper devices: name, and what they are made of. */
  readonly mapped?: readonly { readonly dm: string; readonly name: string; readonly slaves: readonly string[] }[]
  readonly release?: string
  readonly cpu?: 'GenuineIntel' | 'AuthenticAMD'
  readonly hasRemapping?: boolean
  readonly drivers?: readonly string[]
}

/** Writes the tree. @param target becomes the root of a file tree */
export async function writeFakeHost(target: string, host: FakeHost): Promise<string> {
  const sys = join(target, 'sys')
  const write = async (path: string, text: string | Uint8Array): Promise<void> => {
    await mkdir(dirname(join(target, path)), { recursive: true })
    await writeFile(join(target, path), typeof text === 'string' ? `${text}\n` : text)
  }
  const link = async (path: string, to: string): Promise<void> => {
    await mkdir(dirname(join(sys, path)), { recursive: true })
    await symlink(relative(dirname(join(sys, path)), join(sys, to)), join(sys, path))
  }
  await mkdir(join(sys, 'bus/pci/devices'), { recursive: true })
  await mkdir(join(sys, 'kernel/iommu_groups'), { recursive: true })
  await write('sys/bus/pci/drivers_probe', '')
  for (const driver of new Set([...(host.drivers ?? ['vfio-pci']), ...host.devices.flatMap((d) => d.driver ?? [])])) {
    for (const file of ['bind', 'unbind', 'new_id']) await write(`sys/bus/pci/drivers/${driver}/${file}`, '')
  }
  const places = new Map<string, string>()
  for (const device of host.devices) await writeDevice(device)
  for (const { dm, name, slaves } of host.mapped ?? []) {
    await write(`sys/devices/virtual/block/${dm}/dm/name`, name)
    await link(`block/${dm}`, `devices/virtual/block/${dm}`)
    await link(`class/block/${dm}`, `devices/virtual/block/${dm}`)
    for (const slave of slaves) await write(`sys/devices/virtual/block/${dm}/slaves/${slave}`, '')
  }
  const mounts = (host.mounts ?? []).map(
    ({ mountPoint, source, number = '0:40' }, i) => `${20 + i} 1 ${number} / ${mountPoint} rw - ext4 ${source} rw`,
  )
  await write('proc/self/mountinfo', mounts.join('\n'))
  const swaps = (host.swaps ?? []).map((path) => `${path} partition 100 0 -2`)
  await write('proc/swaps', ['Filename Type Size Used Priority', ...swaps].join('\n'))
  const routes =
    host.defaultRoute === undefined
      ? []
      : [`${host.defaultRoute}\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0`]
  await write(
    'proc/net/route',
    ['Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT', ...routes].join('\n'),
  )
  await write('proc/cpuinfo', `processor : 0\nvendor_id : ${host.cpu ?? 'GenuineIntel'}`)
  await write('proc/interrupts', `  24:  0  ${host.hasRemapping === false ? '' : 'IR-'}PCI-MSI 1-edge  nvme0q0`)
  await write('proc/sys/kernel/osrelease', host.release ?? '6.1.0-18-amd64')
  await write('proc/cmdline', 'BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro quiet')
  return target

  async function writeDevice(device: FakePci): Promise<void> {
    const above = device.below === undefined ? `devices/pci${device.address.slice(0, -5)}` : places.get(device.below)
    const place = `${above}/${device.address}`
    places.set(device.address, place)
    const at = (file: string): string => `sys/${place}/${file}`
    const [vendor, id] = device.id.split(':')
    await write(at('vendor'), `0x${vendor}`)
    await write(at('device'), `0x${id}`)
    await write(at('class'), `0x${device.classCode}`)
    await write(at('driver_override'), device.override ?? '(null)')
    const config = new Uint8Array(64)
    config[0x0e] = device.headerType ?? (device.classCode.startsWith('0604') ? 1 : 0)
    await write(at('config'), config)
    if (device.numaNode !== undefined) await write(at('numa_node'), String(device.numaNode))
    await write(at('reset_method'), device.resetMethod ?? '')
    if (device.isBootVga !== undefined) await write(at('boot_vga'), device.isBootVga ? '1' : '0')
    if (device.totalVfs !== undefined) await write(at('sriov_totalvfs'), String(device.totalVfs))
    await link(`bus/pci/devices/${device.address}`, place)
    if (device.driver !== undefined) {
      await link(`${place}/driver`, `bus/pci/drivers/${device.driver}`)
      await link(`bus/pci/drivers/${device.driver}/${device.address}`, place)
    }
    if (device.group !== undefined) {
      await mkdir(join(sys, `kernel/iommu_groups/${device.group}/devices`), { recursive: true })
      await link(`${place}/iommu_group`, `kernel/iommu_groups/${device.group}`)
      await link(`kernel/iommu_groups/${device.group}/devices/${device.address}`, place)
    }
    if (device.nic !== undefined) {
      await write(at(`net/${device.nic.name}/address`), device.nic.mac)
      await link(`class/net/${device.nic.name}`, `${place}/net/${device.nic.name}`)
    }
    if (device.disk !== undefined) {
      const disk = `${place}/block/${device.disk.name}`
      await write(`sys/${disk}/size`, '1000')
      await link(`block/${device.disk.name}`, disk)
      await link(`class/block/${device.disk.name}`, disk)
      for (const part of device.disk.partitions ?? []) {
        await write(`sys/${disk}/${part}/partition`, '1')
        await link(`class/block/${part}`, `${disk}/${part}`)
      }
    }
    if (device.slot !== undefined) await write(`sys/bus/pci/slots/${device.slot}/address`, device.address.slice(0, -2))
    if (device.physfn !== undefined) await link(`${place}/physfn`, places.get(device.physfn) ?? '')
    for (const [i, vf] of (device.vfs ?? []).entries()) {
      await link(`${place}/virtfn${i}`, `bus/pci/devices/${vf}`)
    }
  }
}
