/**
 * QEMU, its machine types, KVM, firmware, and features that came with a release of libvirt. Pure.
 *
 * Source: libvirt's domain capabilities and news; its qemu_validate.c for secure boot.
 */
import type { DomainDemand } from './preflight-demand.ts'
import type { HostFacts, HypervisorFacts } from './preflight-facts.ts'
import { finding, type PreflightFinding } from './preflight-finding.ts'

export function judgeEmulator(
  demand: DomainDemand,
  host: HostFacts,
  hypervisor: HypervisorFacts,
): readonly PreflightFinding[] {
  const { emulator, machine, virtType } = demand
  if (emulator !== undefined && host.files.get(emulator)?.kind === 'missing') {
    return [
      finding(
        'emulator-missing',
        'emulator',
        `${emulator} does not exist`,
        'Install it: sudo apt-get install qemu-system-x86',
      ),
    ]
  }
  return [
    ...(machine !== undefined && hypervisor.machines !== undefined && !hypervisor.machines.includes(machine)
      ? [
          finding(
            'machine-unknown',
            'os/type',
            `this QEMU does not know the machine type ${machine}`,
            `Write q35 without a version; the newest it knows is ${newest(hypervisor.machines)}.`,
          ),
        ]
      : []),
    ...(virtType === 'kvm' && hypervisor.isKvmUsable === false
      ? [
          finding(
            'kvm-unusable',
            'domain',
            'it asks for KVM, and guests cannot run under KVM here',
            'Run: vmpkg doctor; or write type="qemu", which is slower.',
          ),
        ]
      : []),
    ...judgeFirmware(demand, host, hypervisor),
    ...judgeAge(demand, hypervisor.libvirtVersion),
  ]
}

function newest(machines: readonly string[]): string {
  return (
    machines
      .filter((name) => name.startsWith('pc-q35-'))
      .toSorted(new Intl.Collator('en', { numeric: true }).compare)
      .at(-1) ?? 'unknown'
  )
}

function judgeFirmware(
  demand: DomainDemand,
  host: HostFacts,
  { domains }: HypervisorFacts,
): readonly PreflightFinding[] {
  const { loader, firmware, nvram, nvramTemplate, wantsSecureBoot, hasSmm, machine = '' } = demand
  const isMissing = (file: string | undefined): boolean =>
    file !== undefined && host.files.get(file)?.kind === 'missing'
  const fitting = host.firmwares?.filter(({ secureBoot }) => !wantsSecureBoot || secureBoot)
  const kind = wantsSecureBoot ? 'UEFI firmware with secure boot' : 'UEFI firmware'
  const other = nvram === undefined ? undefined : domains.find((one) => one.nvram === nvram && one.uuid !== demand.uuid)
  const isSecureLoader = wantsSecureBoot && loader !== undefined
  return [
    ...(isMissing(loader)
      ? [finding('firmware-missing', 'os/loader', `${loader} does not exist`, 'Install it: sudo apt-get install ovmf')]
      : []),
    ...(firmware === 'efi' && loader === undefined && fitting?.length === 0
      ? [finding('firmware-missing', 'os', `this host has no ${kind}`, 'Install it: sudo apt-get install ovmf')]
      : []),
    ...(isSecureLoader && (!hasSmm || !/q35/.test(machine))
      ? [
          finding(
            'secure-boot-smm',
            'os/loader',
            hasSmm ? `secure boot needs a q35 machine type, not ${machine}` : 'secure boot needs SMM, which is off',
            'Add <smm state="on"/> to <features>, and use machine="q35".',
          ),
        ]
      : []),
    ...(isMissing(nvramTemplate) && isMissing(nvram)
      ? [
          finding(
            'nvram-template-missing',
            'os/nvram',
            `${nvramTemplate} does not exist, from which ${nvram} would be made`,
            'Install it: sudo apt-get install ovmf',
          ),
        ]
      : []),
    ...(other === undefined
      ? []
      : [
          finding(
            'nvram-shared',
            'os/nvram',
            `the domain ${other.name} has the same UEFI variables, ${nvram}`,
            'Give each domain a file of its own; libvirt makes it from the template.',
          ),
        ]),
  ]
}

/** What a definition may use without its schema noticing, with the release that brought it. */
function judgeAge(demand: DomainDemand, libvirtVersion: number): readonly PreflightFinding[] {
  const used: readonly (readonly [isUsed: boolean, since: number, what: string])[] = [
    [demand.nics.some(({ backend }) => backend === 'passt'), 9_000_000, 'user networking by passt'],
    [demand.nics.some(({ forwards }) => forwards.length > 0), 9_000_000, 'forwarded ports'],
    [demand.nics.some(({ type }) => type === 'vdpa'), 6_009_000, 'vDPA network cards'],
    [demand.shares.some(({ isVirtiofs }) => isVirtiofs), 6_002_000, 'virtiofs'],
    [demand.vsock !== undefined, 4_004_000, 'vsock'],
    [demand.firmware === 'efi', 5_002_000, 'the choice of firmware by kind'],
  ]
  return used
    .filter(([isUsed, since]) => isUsed && libvirtVersion < since)
    .map(([, since, what]) =>
      finding(
        'libvirt-too-old',
        'domain',
        `${what} needs libvirt ${formatVersion(since)}, and this is ${formatVersion(libvirtVersion)}`,
        'Use a newer libvirt (Debian 12 has 9.0), or a package version without it.',
      ),
    )
}

function formatVersion(version: number): string {
  return `${Math.floor(version / 1_000_000)}.${Math.floor(version / 1_000) % 1_000}.${version % 1_000}`
}
