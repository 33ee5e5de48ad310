/**
 * What preflight may find: the classes of failure that are seen before libvirt is asked, each with the code it is
 * refused with and what libvirt would have done. Pure. docs/preflight.md is made from this table.
 */
import { type ErrorCode, VmpkgError } from '../errors.ts'

interface ClassFacts {
  readonly code: ErrorCode
  /** What is wrong, for the documentation. */
  readonly meaning: string
}

const facts = (code: ErrorCode, meaning: string): ClassFacts => ({ code, meaning })

/** In the order of docs/preflight.md. */
export const PREFLIGHT_CLASSES = {
  'domain-name-taken': facts('DOMAIN_EXISTS', 'another domain has this name'),
  'domain-uuid-taken': facts('DOMAIN_EXISTS', 'another domain has this UUID'),
  'mac-duplicate': facts('PREFLIGHT_FAILED', 'two network cards have the same MAC, in this domain or another one'),
  'target-duplicate': facts('PREFLIGHT_FAILED', 'two disks have the same target'),
  'address-duplicate': facts('PREFLIGHT_FAILED', 'two devices have the same address on a bus'),
  'disk-missing': facts('PREFLIGHT_FAILED', 'the file of a disk or medium is not there'),
  'disk-not-a-file': facts(
    'PREFLIGHT_FAILED',
    'a disk of type file is a folder, or one of type block is no block device',
  ),
  'disk-unreadable': facts('PREFLIGHT_FAILED', 'QEMU’s user has no right on the file, or on a folder above it'),
  'disk-format': facts('PREFLIGHT_FAILED', 'the file has another format than the definition says'),
  'disk-shared': facts('PREFLIGHT_FAILED', 'another domain writes to the same file, and it is not marked shareable'),
  'disk-locked': facts('PREFLIGHT_FAILED', 'a running QEMU or qemu-nbd has the file open for writing'),
  'disk-bus': facts('PREFLIGHT_FAILED', 'the machine type has no controller for the disk’s bus'),
  'pool-missing': facts('PREFLIGHT_FAILED', 'there is no storage pool of the name that a disk gives'),
  'pool-inactive': facts('PREFLIGHT_FAILED', 'the storage pool of a disk is not active'),
  'volume-missing': facts('PREFLIGHT_FAILED', 'the storage pool has no volume of the name that a disk gives'),
  'backing-missing': facts('PREFLIGHT_FAILED', 'a file below an overlay is not there'),
  'backing-unreadable': facts('PREFLIGHT_FAILED', 'QEMU’s user has no right on a file below an overlay'),
  'backing-format-unsaid': facts(
    'PREFLIGHT_FAILED',
    'an overlay does not say which format the file below it has, and that has one below it, too',
  ),
  'backing-too-deep': facts(
    'PREFLIGHT_FAILED',
    'a chain of overlays is deeper than this libvirt can start, or a circle',
  ),
  'transient-stale': facts(
    'PREFLIGHT_FAILED',
    'the overlay of a transient disk was left behind by a crash, which libvirt 9.0 refuses',
  ),
  'transient-unsupported': facts(
    'PREFLIGHT_FAILED',
    'a transient disk that is read-only, or shares its backing on a bus that cannot',
  ),
  'space-short': facts('NO_SPACE', 'the file system of a writable disk is all but full'),
  'kernel-missing': facts('PREFLIGHT_FAILED', 'the kernel, initrd or device tree to boot is not there'),
  'memory-short': facts('HOST_UNSUPPORTED', 'the host has less free memory than the guest needs'),
  'hugepages-size': facts('HOST_UNSUPPORTED', 'the host has no hugepages of the size asked for'),
  'hugepages-short': facts('HOST_UNSUPPORTED', 'fewer hugepages are free, on the host or a node, than the guest needs'),
  'numa-node-missing': facts('HOST_UNSUPPORTED', 'memory is bound to a NUMA node that the host does not have'),
  'memlock-short': facts(
    'HOST_UNSUPPORTED',
    'a guest with passed-through devices locks more memory than the limit allows',
  ),
  'vcpus-maximum': facts('HOST_UNSUPPORTED', 'more virtual processors than the machine type can have'),
  'pin-outside': facts('HOST_UNSUPPORTED', 'a pin names processors that the host does not have'),
  'pin-offline': facts('HOST_UNSUPPORTED', 'a pin names only processors that are offline'),
  'cpu-mode': facts('HOST_UNSUPPORTED', 'this hypervisor does not offer the processor mode'),
  'cpu-model': facts('HOST_UNSUPPORTED', 'the host cannot give the processor model'),
  'pci-missing': facts('HOST_UNSUPPORTED', 'the PCI device is not there'),
  'pci-in-use': facts('PREFLIGHT_FAILED', 'another running domain has the PCI device'),
  'pci-no-iommu': facts('HOST_UNSUPPORTED', 'the PCI device is in no IOMMU group: the IOMMU is off'),
  'pci-group': facts('HOST_UNSUPPORTED', 'mates in the device’s IOMMU group belong to drivers of the host'),
  'usb-missing': facts('HOST_UNSUPPORTED', 'the USB device is not plugged in'),
  'mdev-missing': facts('HOST_UNSUPPORTED', 'the mediated device is not there'),
  'input-missing': facts('HOST_UNSUPPORTED', 'the input device is not there'),
  'render-node-missing': facts('HOST_UNSUPPORTED', 'OpenGL is asked for, and the render node is not there'),
  'tpm-missing': facts('HOST_UNSUPPORTED', 'the TPM device, or swtpm for an emulated one, is not there'),
  'share-missing': facts('PREFLIGHT_FAILED', 'the shared folder is not there'),
  'virtiofsd-missing': facts('HOST_UNSUPPORTED', 'a folder is shared by virtiofs, and virtiofsd is not installed'),
  'virtiofs-memory': facts('PREFLIGHT_FAILED', 'a folder is shared by virtiofs, and the guest’s memory is not shared'),
  'vsock-missing': facts('HOST_UNSUPPORTED', 'the guest has a vsock, and the module vhost_vsock is not loaded'),
  'vsock-cid-taken': facts('PREFLIGHT_FAILED', 'another running domain has the same vsock context id'),
  'network-missing': facts('NETWORK_UNAVAILABLE', 'there is no libvirt network of that name'),
  'network-inactive': facts('NETWORK_UNAVAILABLE', 'the libvirt network is not active, and nobody will start it'),
  'network-name-taken': facts('NETWORK_EXISTS', 'another network has this name or UUID'),
  'network-bridge-taken': facts('NETWORK_EXISTS', 'another network or interface has the bridge’s name'),
  'network-subnet-taken': facts('ADDRESS_UNAVAILABLE', 'the host or another network uses the same subnet'),
  'bridge-missing': facts('NETWORK_UNAVAILABLE', 'the host has no such bridge or interface'),
  'tun-missing': facts('HOST_UNSUPPORTED', 'the guest has a network card, and /dev/net/tun is not there'),
  'port-taken': facts('PREFLIGHT_FAILED', 'something listens on a port that the guest’s screen or a forward needs'),
  'emulator-missing': facts('TOOL_MISSING', 'the QEMU that the definition names is not there'),
  'machine-unknown': facts('HOST_UNSUPPORTED', 'this QEMU does not know the machine type'),
  'kvm-unusable': facts('HOST_UNSUPPORTED', 'the domain asks for KVM, and libvirt’s QEMU cannot use it'),
  'firmware-missing': facts('HOST_UNSUPPORTED', 'the firmware file is not there, or none fits what is asked for'),
  'secure-boot-smm': facts('PREFLIGHT_FAILED', 'secure boot without SMM, or on another machine type than q35'),
  'nvram-template-missing': facts('HOST_UNSUPPORTED', 'the template of the UEFI variables is not there'),
  'nvram-shared': facts('PREFLIGHT_FAILED', 'another domain has the same file of UEFI variables'),
  'libvirt-too-old': facts('HOST_UNSUPPORTED', 'the definition uses what this libvirt does not know yet'),
} as const satisfies Readonly<Record<string, ClassFacts>>

export type PreflightClass = keyof typeof PREFLIGHT_CLASSES

export interface PreflightFinding {
  readonly class: PreflightClass
  /** The part of the definition, as in `disk vda`. */
  readonly path: string
  /** Names the objects. One sentence without its full stop. */
  readonly reason: string
  /** One sentence. */
  readonly fix: string
}

export function finding(name: PreflightClass, path: string, reason: string, fix: string): PreflightFinding {
  return { class: name, path, reason, fix }
}

/** All of them in one failure; it has the class's own code where they agree on one. */
export function refuseFindings(subject: string, findings: readonly PreflightFinding[]): void {
  const [first, ...others] = findings
  if (first === undefined) return
  const codes = new Set(findings.map((one) => PREFLIGHT_CLASSES[one.class].code))
  const [code = 'PREFLIGHT_FAILED'] = codes.size === 1 ? codes : []
  const message = others.length === 0 ? `${first.path}: ${first.reason}` : `${findings.length} things stand in its way`
  throw new VmpkgError(code, `${subject} would not start here: ${message}`, {
    hint: first.fix,
    details: { findings: findings.map((one) => ({ ...one, code: PREFLIGHT_CLASSES[one.class].code })) },
  })
}
