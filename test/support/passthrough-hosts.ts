/** Hosts as people have them, for tests of passthrough: each a layout that somebody asked about. */
import type { FakeHost, FakePci } from './fake-pci.ts'

const hostBridge: FakePci = { address: '0000:00:00.0', id: '8086:29c0', classCode: '060000', group: 0 }
const sata: FakePci = {
  address: '0000:00:1f.2',
  id: '8086:2922',
  classCode: '010601',
  driver: 'ahci',
  group: 9,
  disk: { name: 'sda', partitions: ['sda1', 'sda2'] },
  resetMethod: 'pm',
}
/** The card the host itself lives by. */
const onBoard: FakePci = {
  address: '0000:00:19.0',
  id: '8086:1502',
  classCode: '020000',
  driver: 'e1000e',
  group: 4,
  nic: { name: 'eno1', mac: '52:54:00:00:00:19' },
  resetMethod: 'flr',
}
const root = { mounts: [{ mountPoint: '/', source: '/dev/sda1' }], defaultRoute: 'eno1' }
const base = [hostBridge, sata, onBoard]
const rootPort: FakePci = {
  address: '0000:00:1c.0',
  id: '8086:2940',
  classCode: '060400',
  driver: 'pcieport',
  group: 11,
}

/** One NIC, and it is the one the host is reached by. */
export const singleNic: FakeHost = { ...root, devices: base }

/** A NIC that shares its group with the root port above it, as without ACS. */
export const nicBehindPort: FakeHost = {
  ...root,
  devices: [
    ...base,
    rootPort,
    {
      address: '0000:03:00.0',
      id: '8086:10d3',
      classCode: '020000',
      driver: 'e1000e',
      group: 11,
      below: '0000:00:1c.0',
      nic: { name: 'enp3s0', mac: '52:54:00:00:03:00' },
      resetMethod: 'flr',
      numaNode: 1,
    },
  ],
}

/** A graphics card with audio, USB and USB-C functions behind a root port; the processor shows the console. */
export const gpu: FakeHost = {
  ...root,
  devices: [
    ...base,
    {
      address: '0000:00:02.0',
      id: '8086:0412',
      classCode: '030000',
      driver: 'i915',
      group: 1,
      isBootVga: true,
      resetMethod: 'flr',
    },
    { ...rootPort, address: '0000:00:01.0' },
    {
      address: '0000:01:00.0',
      id: '10de:1e04',
      classCode: '030000',
      driver: 'nouveau',
      group: 11,
      below: '0000:00:01.0',
      isBootVga: false,
      resetMethod: 'bus',
    },
    {
      address: '0000:01:00.1',
      id: '10de:10f7',
      classCode: '040300',
      driver: 'snd_hda_intel',
      group: 11,
      below: '0000:00:01.0',
      resetMethod: 'bus',
    },
    {
      address: '0000:01:00.2',
      id: '10de:1ad6',
      classCode: '0c0330',
      driver: 'xhci_hcd',
      group: 11,
      below: '0000:00:01.0',
      resetMethod: 'bus',
    },
    {
      address: '0000:01:00.3',
      id: '10de:1ad7',
      classCode: '0c8000',
      group: 11,
      below: '0000:00:01.0',
      resetMethod: 'bus',
    },
  ],
}

/** Two cards of one make in two slots, each in a group of its own. */
export const twoEqualCards: FakeHost = {
  ...root,
  devices: [
    ...base,
    ...[3, 4].flatMap((bus): FakePci[] => [
      { ...rootPort, address: `0000:00:1c.${bus}`, group: 10 + bus },
      {
        address: `0000:0${bus}:00.0`,
        id: '1969:e091',
        classCode: '020000',
        driver: 'alx',
        group: 20 + bus,
        below: `0000:00:1c.${bus}`,
        nic: { name: `enp${bus}s0`, mac: `52:54:00:00:0${bus}:00` },
        slot: `PCIEX${bus}`,
        resetMethod: 'flr',
      },
    ]),
  ],
}

/** A NIC in one group with the controller of the root disk, as on boards without ACS. */
export const groupWithRootDisk: FakeHost = {
  ...root,
  devices: [
    hostBridge,
    onBoard,
    { address: '0000:00:1f.0', id: '8086:2918', classCode: '060100', driver: 'lpc_ich', group: 9 },
    sata,
    {
      address: '0000:00:1f.6',
      id: '8086:15b8',
      classCode: '020000',
      driver: 'e1000e',
      group: 9,
      nic: { name: 'eno2', mac: '52:54:00:00:1f:06' },
      resetMethod: 'flr',
    },
  ],
}

const vfAddresses = ['0000:05:10.0', '0000:05:10.2']

/** A card split into virtual functions; each has a group of its own. */
export const sriov: FakeHost = {
  ...root,
  devices: [
    ...base,
    { ...rootPort, group: 12 },
    {
      address: '0000:05:00.0',
      id: '8086:10fb',
      classCode: '020000',
      driver: 'ixgbe',
      group: 30,
      below: '0000:00:1c.0',
      nic: { name: 'enp5s0f0', mac: '52:54:00:00:05:00' },
      vfs: vfAddresses,
      totalVfs: 63,
      resetMethod: 'flr',
    },
    ...vfAddresses.map(
      (address, i): FakePci => ({
        address,
        id: '8086:10ed',
        classCode: '020000',
        driver: 'ixgbevf',
        group: 31 + i,
        below: '0000:00:1c.0',
        physfn: '0000:05:00.0',
        resetMethod: 'flr',
      }),
    ),
  ],
}
