/** Devices of the host that a guest is to have: PCI, USB, mediated, input, TPM, vsock, render nodes, shares. Pure. */
import type { HostdevDemand } from './demand-device.ts'
import { isVfioDriver } from './iommu-group.ts'
import type { DomainDemand } from './preflight-demand.ts'
import type { HostFacts, HypervisorFacts, OtherDomain } from './preflight-facts.ts'
import { finding, type PreflightFinding } from './preflight-finding.ts'

export function judgeDevices(
  demand: DomainDemand,
  host: HostFacts,
  { domains }: HypervisorFacts,
): readonly PreflightFinding[] {
  return [
    ...demand.hostdevs.flatMap((hostdev) => [
      ...judgePci(hostdev, demand, host, domains),
      ...judgeUsb(hostdev, host),
      ...judgeMdev(hostdev, host),
    ]),
    ...demand.inputs.flatMap(({ path, file }) =>
      host.files.get(file)?.kind === 'missing'
        ? [
            finding(
              'input-missing',
              path,
              `${file} does not exist`,
              'Name the device by its link in /dev/input/by-id, and plug it in.',
            ),
          ]
        : [],
    ),
    ...judgeRenderNodes(demand, host),
    ...judgeTpm(demand, host),
    ...judgeShares(demand, host),
    ...judgeVsock(demand, host, domains),
  ]
}

/** In nobody's way, also on the oldest kernels. */
const isVfio = (driver: string | undefined): boolean =>
  driver === undefined || driver === 'pci-stub' || isVfioDriver(driver)

function judgePci(
  { path, pci, isManaged }: HostdevDemand,
  demand: DomainDemand,
  host: HostFacts,
  domains: readonly OtherDomain[],
): readonly PreflightFinding[] {
  if (pci === undefined || host.pci === undefined) return []
  const fact = host.pci.get(pci)
  if (fact === undefined)
    return [
      finding(
        'pci-missing',
        path,
        `this host has no PCI device ${pci}`,
        'lspci -D lists the addresses; vmpkg devices tells equal cards apart.',
      ),
    ]
  const owner = domains.find((other) => other.isActive && other.pci.includes(pci))
  if (owner !== undefined)
    return [
      finding(
        'pci-in-use',
        path,
        `the running domain ${owner.name} has ${pci}`,
        `Stop it first: virsh shutdown ${owner.name}`,
      ),
    ]
  if (fact.group === undefined) {
    return [
      finding(
        'pci-no-iommu',
        path,
        `${pci} is in no IOMMU group`,
        'Switch on VT-d or AMD-Vi in the BIOS and intel_iommu=on on the kernel’s command line.',
      ),
    ]
  }
  const ours = new Set(demand.hostdevs.map((one) => one.pci))
  const busy = fact.mates.filter(({ address, driver }) => !isVfio(driver) && !ours.has(address))
  if (busy.length > 0) {
    const mates = busy.map(({ address, driver }) => `${address} (${driver})`).join(', ')
    return [
      finding(
        'pci-group',
        path,
        `IOMMU group ${fact.group} of ${pci} also holds ${mates}`,
        'Pass these through as well, or bind them to vfio-pci; vmpkg host plan does it.',
      ),
    ]
  }
  if (isManaged || isVfio(fact.driver)) return []
  return [
    finding(
      'pci-in-use',
      path,
      `the host’s driver ${fact.driver} has ${pci}, and the definition says managed="no"`,
      'Write managed="yes", or bind it to vfio-pci first.',
    ),
  ]
}

function judgeUsb({ path, usb, isOptional }: HostdevDemand, host: HostFacts): readonly PreflightFinding[] {
  if (usb === undefined || host.usb === undefined || isOptional) return []
  const fits = host.usb.some(
    (one) =>
      (usb.vendor === undefined || (one.vendor === usb.vendor && one.product === usb.product)) &&
      (usb.bus === undefined || (one.bus === usb.bus && one.device === usb.device)),
  )
  if (fits) return []
  const what = usb.vendor === undefined ? `bus ${usb.bus} device ${usb.device}` : `${usb.vendor}:${usb.product}`
  return [finding('usb-missing', path, `no USB device ${what} is plugged in`, 'Plug it in; lsusb lists them.')]
}

function judgeMdev({ path, mdev }: HostdevDemand, { mdevs }: HostFacts): readonly PreflightFinding[] {
  if (mdev === undefined || mdevs === undefined || mdevs.includes(mdev)) return []
  return [
    finding('mdev-missing', path, `there is no mediated device ${mdev}`, `Start it: mdevctl start --uuid ${mdev}`),
  ]
}

function judgeRenderNodes({ renderNodes }: DomainDemand, host: HostFacts): readonly PreflightFinding[] {
  const nodes = host.renderNodes
  if (nodes === undefined) return []
  return renderNodes
    .filter(({ node }) => (node === undefined ? nodes.length === 0 : !nodes.includes(node)))
    .map(({ path, node = '/dev/dri/renderD128' }) =>
      finding(
        'render-node-missing',
        path,
        `OpenGL is asked for, and there is no ${node}`,
        'Leave gl out of <graphics>, or name a node that /dev/dri has.',
      ),
    )
}

function judgeTpm({ tpm }: DomainDemand, host: HostFacts): readonly PreflightFinding[] {
  if (tpm?.type === 'emulator' && host.hasSwtpm === false)
    return [
      finding(
        'tpm-missing',
        'tpm',
        'an emulated TPM is asked for, and swtpm is not installed',
        'Run: sudo apt-get install swtpm swtpm-tools',
      ),
    ]
  if (tpm?.type !== 'passthrough') return []
  const device = tpm.device ?? '/dev/tpm0'
  return host.files.get(device)?.kind === 'missing'
    ? [
        finding(
          'tpm-missing',
          'tpm',
          `${device} does not exist`,
          'Switch on the TPM in the BIOS, or use an emulated one.',
        ),
      ]
    : []
}

function judgeShares(
  { shares, hasSharedMemory }: DomainDemand,
  { hasVirtiofsd }: HostFacts,
): readonly PreflightFinding[] {
  return shares
    .filter(({ isVirtiofs }) => isVirtiofs)
    .flatMap(({ path, binary }) => [
      ...(hasSharedMemory
        ? []
        : [
            finding(
              'virtiofs-memory',
              path,
              'virtiofs needs the guest’s memory to be shared',
              'Add <memoryBacking><source type="memfd"/><access mode="shared"/></memoryBacking>.',
            ),
          ]),
      ...(hasVirtiofsd === false && binary === undefined
        ? [
            finding(
              'virtiofsd-missing',
              path,
              'virtiofsd is not installed',
              'Run: sudo apt-get install virtiofsd (in Debian 12 qemu-system-common has it).',
            ),
          ]
        : []),
    ])
}

function judgeVsock(
  { vsock }: DomainDemand,
  host: HostFacts,
  domains: readonly OtherDomain[],
): readonly PreflightFinding[] {
  if (vsock === undefined) return []
  if (host.files.get('/dev/vhost-vsock')?.kind === 'missing')
    return [finding('vsock-missing', 'vsock', '/dev/vhost-vsock does not exist', 'Run: sudo modprobe vhost_vsock')]
  const other = vsock.cid === undefined ? undefined : domains.find(({ isActive, cid }) => isActive && cid === vsock.cid)
  return other === undefined
    ? []
    : [
        finding(
          'vsock-cid-taken',
          'vsock',
          `the running domain ${other.name} has the context id ${vsock.cid}`,
          'Write <cid auto="yes"/>.',
        ),
      ]
}
