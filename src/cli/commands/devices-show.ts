import { type DeviceDetails, showDevices } from '../../operations/devices.ts'
import { type CommandSpec, type Io, optionText } from '../command.ts'
import { pciJson } from './devices.ts'

export const command: CommandSpec = {
  args: '<device>',
  summary: 'Everything known about a PCI device, and whether a guest can have it.',
  description:
    'DEVICE is an address, vendor:device, slot:LABEL, mac:ADDRESS, or an address without its function for a whole card.',
  options: [{ flags: '--target <folder>', summary: 'read another file tree than /' }],
  examples: ['vmpkg devices show 0000:03:00.0', 'vmpkg devices show 8086:10d3'],
  async run({ args, options, io }) {
    const found = await showDevices(await io.workspace(), args[0] ?? '', { target: optionText(options, 'target') })
    if (io.json) {
      io.printJson('device', {
        devices: found.map((details) => ({
          ...pciJson(details),
          mates: details.mates.map(pciJson),
          plan: details.plan,
        })),
      })
    } else for (const details of found) printDetails(io, details)
    return 0
  },
}

function printDetails(io: Io, { device, title, users, isViable, mates, plan }: DeviceDetails): void {
  const line = (name: string, value: string | undefined): void => {
    if (value !== undefined && value !== '') io.print(`${`${name}:`.padEnd(13)}${value}`)
  }
  const { subsystemVendor, subsystemDevice, totalVfs } = device
  line('Address', device.address)
  line('Name', title)
  line('Id', `${device.vendor}:${device.device}${device.revision === undefined ? '' : ` (rev ${device.revision})`}`)
  line('Subsystem', subsystemVendor === undefined ? undefined : `${subsystemVendor}:${subsystemDevice ?? ''}`)
  line('Class', device.classCode)
  line(
    'Driver',
    `${device.driver ?? 'none'}${device.driverOverride === undefined ? '' : ` (override ${device.driverOverride})`}`,
  )
  line('Slot', [device.slotLabel, device.label].filter((text) => text !== undefined).join(', '))
  line('Serial', device.serial)
  line('Network', device.nics.map(({ name, mac }) => `${name}${mac === undefined ? '' : ` ${mac}`}`).join(', '))
  line('NUMA node', device.numaNode?.toString())
  line('Reset', device.resetMethods.join(' ') || 'none')
  line('Power', device.powerState)
  line(
    'Features',
    [
      ...(device.hasRom ? ['ROM'] : []),
      ...(device.hasMsi ? ['MSI'] : []),
      ...(device.isBootVga ? ['boot VGA'] : []),
    ].join(', '),
  )
  line(
    'SR-IOV',
    totalVfs === undefined
      ? undefined
      : `${device.virtualFunctions.length} of ${totalVfs} ${device.virtualFunctions.join(' ')}`.trimEnd(),
  )
  line('Function of', device.physicalFunction)
  line('Behind', device.bridges.join(' '))
  line('Card', device.siblings.join(' '))
  line('Used as', users.join(', '))
  line('Group', device.iommuGroup?.toString() ?? 'none')
  for (const mate of mates)
    line('  with', `${mate.device.address} ${mate.title} (driver ${mate.device.driver ?? 'none'})`)
  line('Viable', isViable ? 'yes' : 'no')
  if (plan.refusals.length === 0) {
    line('Passthrough', plan.bind.length === 0 ? 'ready' : `possible: vmpkg host bind ${device.address}`)
  }
  for (const { reason, nextStep } of plan.refusals) line('Refused', `${reason}. ${nextStep}`)
  for (const text of plan.warnings) line('Note', text)
}
