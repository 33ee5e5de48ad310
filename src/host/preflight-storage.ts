/**
 * Disks, media, chains of overlays, kernels, shared folders and the space they need. Pure.
 *
 * Source: libvirt's storage_source.c (200 files at most in a chain; a backing file without a recorded format is refused
 * where it has another file below it), libvirt #756 (chains deeper than 25 fail from 10.8 to before 12.0).
 */
import type { DiskDemand } from './demand-disk.ts'
import type { DomainDemand } from './preflight-demand.ts'
import type { FileFact, HostFacts, HypervisorFacts, OtherDomain } from './preflight-facts.ts'
import { finding, type PreflightFinding } from './preflight-finding.ts'

/** libvirt 9.0 refuses to start over such a file, 11.3 makes it anew (both seen); for what lies between, libvirt is asked. */
const STALE_REFUSED_BEFORE = 9_001_000
const LEAST_FREE_BYTES = 64 * 1024 * 1024
const SEARCH_FIX =
  'Give QEMU’s user the search right on that folder (setfacl -m u:USER:x, or chmod o+x), or move the file below /var/lib.'

export function judgeStorage(
  demand: DomainDemand,
  host: HostFacts,
  hypervisor: HypervisorFacts,
): readonly PreflightFinding[] {
  return [
    ...demand.disks.flatMap((disk) => [
      ...judgeDisk(disk, demand, host, hypervisor),
      ...judgeTransient(disk, demand, host, hypervisor.libvirtVersion),
      ...judgeVolume(disk, hypervisor),
    ]),
    ...demand.disks.flatMap((disk) => judgeSharing(disk, hypervisor.domains)),
    ...demand.bootFiles.flatMap(({ path, file }) =>
      isMissing(host, file)
        ? [finding('kernel-missing', path, `${file} does not exist`, 'Put it back, or install its package again.')]
        : [],
    ),
    ...demand.shares.flatMap((share) =>
      isMissing(host, share.folder)
        ? [finding('share-missing', share.path, `${share.folder} does not exist`, `Make it: mkdir -p ${share.folder}`)]
        : [],
    ),
  ]
}

function isMissing(host: HostFacts, file: string): boolean {
  return host.files.get(file)?.kind === 'missing'
}

function judgeDisk(
  disk: DiskDemand,
  demand: DomainDemand,
  host: HostFacts,
  hypervisor: HypervisorFacts,
): readonly PreflightFinding[] {
  const { path, file, type } = disk
  const bus = judgeBus(disk, demand)
  const fact = file === undefined ? undefined : host.files.get(file)
  if (file === undefined || fact === undefined || (type !== 'file' && type !== 'block')) return bus
  if (fact.closedFolder !== undefined)
    return [
      ...bus,
      finding(
        'disk-unreadable',
        path,
        `QEMU’s user may not search ${fact.closedFolder}, so it cannot open ${file}`,
        SEARCH_FIX,
      ),
    ]
  if (fact.kind === 'missing') {
    if (disk.isOptional && disk.device !== 'disk') return bus
    return [
      ...bus,
      finding(
        'disk-missing',
        path,
        `${file} does not exist`,
        'Put the file back, or correct its path with virsh edit.',
      ),
    ]
  }
  if (type === 'block' ? fact.kind !== 'block' : fact.kind !== 'file' && fact.kind !== 'block') {
    const wanted = type === 'block' ? 'a block device' : 'a file'
    return [
      ...bus,
      finding(
        'disk-not-a-file',
        path,
        `${file} is not ${wanted}`,
        'Name the image itself, or write the disk’s type as dir or block.',
      ),
    ]
  }
  return [
    ...bus,
    ...judgeAccess(disk, fact, host),
    ...judgeFormat(disk, fact),
    ...judgeChain(disk, host, hypervisor.libvirtVersion),
    ...judgeSpace(disk, fact),
    ...(fact.isLocked && !disk.isReadonly && !disk.isShareable
      ? [
          finding(
            'disk-locked',
            path,
            `a running QEMU or qemu-nbd has ${file} open`,
            `End it (lsof ${file} names it), or clone the machine: a clone has a disk of its own.`,
          ),
        ]
      : []),
  ]
}

function judgeVolume(
  { path, volume, device, isOptional }: DiskDemand,
  { volumes }: HypervisorFacts,
): readonly PreflightFinding[] {
  const state = volumes.get(path) ?? 'there'
  if (volume === undefined || state === 'there' || (isOptional && device !== 'disk')) return []
  const { pool, name } = volume
  const [reason, fix] = {
    'pool-missing': [`there is no storage pool ${pool}`, 'Define it, or correct <source>: virsh pool-list --all'],
    'pool-inactive': [`the storage pool ${pool} is not active`, `Start it: virsh pool-start ${pool}`],
    'volume-missing': [
      `the storage pool ${pool} has no volume ${name}`,
      `Let libvirt look again (virsh pool-refresh ${pool}), or correct <source>: virsh vol-list ${pool}`,
    ],
  }[state]
  return [finding(state, path, reason ?? '', fix ?? '')]
}

function judgeBus({ path, bus }: DiskDemand, { machine }: DomainDemand): readonly PreflightFinding[] {
  if (bus !== 'ide' || machine === undefined || !/^(?:pc-)?q35/.test(machine)) return []
  return [
    finding('disk-bus', path, `the machine type ${machine} has no IDE controller`, 'Write bus="sata" in <target>.'),
  ]
}

function judgeAccess(
  { path, file, isReadonly }: DiskDemand,
  fact: FileFact,
  { changesOwners }: HostFacts,
): readonly PreflightFinding[] {
  if (changesOwners || (fact.isReadable && (isReadonly || fact.isWritable))) return []
  const right = fact.isReadable ? 'write' : 'read'
  return [
    finding(
      'disk-unreadable',
      path,
      `QEMU’s user may not ${right} ${file}`,
      `Change its owner, mode or access list (chown, chmod, setfacl), or add QEMU’s user to its group.`,
    ),
  ]
}

function judgeFormat({ path, file, format, device }: DiskDemand, fact: FileFact): readonly PreflightFinding[] {
  if (fact.format === undefined || format === undefined) return []
  if (format === 'qcow2' && fact.format !== 'qcow2')
    return [
      finding(
        'disk-format',
        path,
        `${file} is not in qcow2 format`,
        `Look with qemu-img info ${file}, and write its format into <driver>.`,
      ),
    ]
  if (format === 'raw' && fact.format === 'qcow2' && device === 'disk') {
    return [
      finding(
        'disk-format',
        path,
        `${file} is in qcow2 format, and would be given to the guest as raw bytes`,
        'Write type="qcow2" in <driver>.',
      ),
    ]
  }
  return []
}

function judgeChain(
  { path, file = '', hasBackingStore, format }: DiskDemand,
  host: HostFacts,
  libvirtVersion: number,
): readonly PreflightFinding[] {
  if (format !== 'qcow2') return []
  const found: PreflightFinding[] = []
  const seen = new Set([file])
  let above = file
  for (let fact = host.files.get(file); fact?.backing !== undefined; ) {
    const { file: below, format: belowFormat } = fact.backing
    if (seen.has(below))
      return [
        ...found,
        finding(
          'backing-too-deep',
          path,
          `${above} has ${below} below it, which is above it too`,
          'Make the overlay again from its base.',
        ),
      ]
    seen.add(below)
    const next = host.files.get(below)
    if (next === undefined) return found
    if (next.closedFolder !== undefined)
      return [
        ...found,
        finding(
          'backing-unreadable',
          path,
          `QEMU’s user may not search ${next.closedFolder}, so it cannot open ${below}, which is below ${above}`,
          SEARCH_FIX,
        ),
      ]
    if (next.kind === 'missing')
      return [
        ...found,
        finding(
          'backing-missing',
          path,
          `${below}, which is below ${above}, does not exist`,
          `Put it back, or correct the path: qemu-img rebase -u -F FORMAT -b PATH ${above}`,
        ),
      ]
    if (!next.isReadable && !host.changesOwners)
      found.push(
        finding(
          'backing-unreadable',
          path,
          `QEMU’s user may not read ${below}, which is below ${above}`,
          'Give it the read right (chmod o+r), or add QEMU’s user to the file’s group.',
        ),
      )
    if (belowFormat === undefined && !hasBackingStore && next.backing !== undefined)
      found.push(
        finding(
          'backing-format-unsaid',
          path,
          `${above} does not say which format ${below} has`,
          `Write it down: qemu-img rebase -u -F ${next.format ?? 'FORMAT'} -b ${below} ${above}`,
        ),
      )
    above = below
    fact = next
  }
  const limit = libvirtVersion >= 10_008_000 && libvirtVersion < 12_000_000 ? 25 : 200
  if (seen.size > limit)
    found.push(
      finding(
        'backing-too-deep',
        path,
        `${file} is the top of ${seen.size} files, and this libvirt starts ${limit} at most`,
        `Flatten it: qemu-img convert -O qcow2 ${file} NEW-FILE`,
      ),
    )
  return found
}

function judgeSpace(disk: DiskDemand, fact: FileFact): readonly PreflightFinding[] {
  if (disk.isReadonly || fact.kind !== 'file' || fact.freeBytes >= LEAST_FREE_BYTES) return []
  const free = Math.floor(fact.freeBytes / 1_048_576)
  return [
    finding(
      'space-short',
      disk.path,
      `only ${free} MiB are free where ${disk.file} lies, so the guest would pause at its next writes`,
      'Free some space there; vmpkg gc removes what nobody uses.',
    ),
  ]
}

/** libvirt hot-plugs a disk that shares its backing, so the bus must allow that (formatdomain.rst, since 7.4.0). */
function judgeTransient(
  disk: DiskDemand,
  demand: DomainDemand,
  host: HostFacts,
  libvirtVersion: number,
): readonly PreflightFinding[] {
  if (!disk.isTransient) return []
  const { path, file, bus = '', sharesBacking } = disk
  const unsupported = (reason: string, fix: string): PreflightFinding =>
    finding('transient-unsupported', path, reason, fix)
  const stale = `${file}.TRANSIENT-${demand.name}`
  return [
    ...(libvirtVersion < STALE_REFUSED_BEFORE && host.files.get(stale)?.kind === 'file'
      ? [
          finding(
            'transient-stale',
            path,
            `${stale} was left behind by a crash`,
            `Remove it when the guest does not run: rm ${stale}`,
          ),
        ]
      : []),
    ...(disk.isReadonly || disk.device !== 'disk'
      ? [unsupported('a disk that is only read has nothing to throw away', 'Leave out <transient/>.')]
      : []),
    ...(sharesBacking && !['virtio', 'scsi', 'usb'].includes(bus)
      ? [
          unsupported(
            `a disk on the bus ${bus} cannot share its backing, because it cannot be hot-plugged`,
            'Use bus="virtio" or "scsi", or leave out shareBacking.',
          ),
        ]
      : []),
    ...(libvirtVersion < (sharesBacking ? 7_004_000 : 6_009_000)
      ? [
          unsupported(
            'this libvirt knows no such transient disks',
            'Use an overlay of your own (vmpkg clone --ephemeral), or a newer libvirt.',
          ),
        ]
      : []),
  ]
}

function judgeSharing(disk: DiskDemand, domains: readonly OtherDomain[]): readonly PreflightFinding[] {
  if (disk.file === undefined || disk.isShareable) return []
  // Readers of one image may be many; a transient disk with shareBacking only reads its image as well.
  const isReader = disk.isReadonly || (disk.isTransient && disk.sharesBacking)
  const collides = (other: OtherDomain['disks'][number]): boolean =>
    other.file === disk.file && !other.isShareable && !(isReader && other.isReadonly)
  return domains
    .filter(({ isActive, disks }) => isActive && disks.some(collides))
    .map(({ name }) =>
      finding(
        'disk-shared',
        disk.path,
        `the running domain ${name} has the same disk, ${disk.file}`,
        'Clone the machine, so that each has a disk of its own, or stop the other one.',
      ),
    )
}
