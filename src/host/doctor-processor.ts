/**
 * Processor, KVM and memory. Source: Linux's /proc/cpuinfo flags, Documentation/virt/kvm, admin-guide/mm/transhuge.rst and
 * ksm.rst, hugetlbpage.rst; private-host findings on a closed /dev/kvm.
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { findAccess } from './access-rights.ts'
import {
  bad,
  type CheckResult,
  type DoctorHost,
  exists,
  isOpen,
  listFolder,
  notApplicable,
  ok,
  readQemuUser,
  readText,
} from './doctor-check.ts'
import type { KvmVerdict } from './kvm-probe.ts'
import { readMemoryToDisk } from './memory-to-disk.ts'
import { parseAvailableMemoryKib } from './preflight.ts'
import { parseMemlockKib } from './preflight-read.ts'

/** @param probe runs a guest; `undefined` to leave that out */
export async function checkProcessor(
  host: DoctorHost,
  probe: (() => Promise<KvmVerdict>) | undefined,
): Promise<readonly CheckResult[]> {
  const flags = /^flags\s*:(.*)$/m.exec((await readText(host, '/proc/cpuinfo')) ?? '')?.[1]?.split(' ') ?? []
  const kind = flags.includes('vmx') ? 'VT-x' : flags.includes('svm') ? 'AMD-V' : undefined
  const isGuest = flags.includes('hypervisor')
  return [
    kind === undefined
      ? bad('warning', 'processor', 'cpu-virtualisation', [
          isGuest ? 'this machine is itself a guest without virtualisation' : 'the processor shows no virtualisation',
          'Guests run without KVM, many times slower.',
          isGuest
            ? 'Switch on nested virtualisation on the host around it.'
            : 'Switch on VT-x or AMD-V (SVM) in the BIOS.',
        ])
      : ok('processor', 'cpu-virtualisation', `the processor has ${kind}${isGuest ? ', as a guest' : ''}`),
    await checkKvmNode(host, kind),
    await checkKvmOfQemu(host),
    await checkProbe(host, probe),
    await checkNested(host),
  ]
}

async function checkKvmNode(host: DoctorHost, kind: string | undefined): Promise<CheckResult> {
  if (!(await exists(host, '/dev/kvm'))) {
    const module = kind === 'AMD-V' ? 'kvm_amd' : 'kvm_intel'
    return bad(kind === undefined ? 'warning' : 'problem', 'processor', 'kvm-device', [
      '/dev/kvm does not exist',
      'Guests run without KVM, many times slower.',
      `Run: sudo modprobe ${module}`,
    ])
  }
  if (await isOpen(host, '/dev/kvm')) return ok('processor', 'kvm-device', '/dev/kvm is open to this user')
  return bad('warning', 'processor', 'kvm-device', [
    '/dev/kvm is closed to this user',
    'A private host of yours runs guests without KVM.',
    `Run: sudo usermod -aG kvm ${host.userName}, then log in again.`,
  ])
}

/** libvirt finds its cached capabilities outdated at every look-up while the device is there and closed to QEMU's user. */
async function checkKvmOfQemu(host: DoctorHost): Promise<CheckResult> {
  const { user, ids } = await readQemuUser(host)
  const device = await stat(join(host.root, '/dev/kvm')).catch(() => undefined)
  if (device === undefined || ids === undefined)
    return notApplicable(
      'processor',
      'kvm-device-of-qemu',
      device === undefined ? 'there is no /dev/kvm' : `there is no user ${user}`,
    )
  const path = join(host.root, '/dev/kvm')
  const rights = await Promise.all(([4, 2] as const).map((right) => findAccess(path, ids, right, host.processes)))
  // The access lists of device nodes are logind's, which are for people at the screen: what cannot be read gives nothing.
  if (rights.every((right) => right === true))
    return ok('processor', 'kvm-device-of-qemu', `/dev/kvm is open to ${user}`)
  return bad('problem', 'processor', 'kvm-device-of-qemu', [
    `/dev/kvm is there and closed to ${user}`,
    'libvirt probes QEMU anew at every create: 14 seconds instead of one.',
    `Run: sudo usermod -aG kvm ${user} && sudo chgrp kvm /dev/kvm && sudo chmod 660 /dev/kvm, and restart libvirtd.`,
  ])
}

async function checkProbe(host: DoctorHost, probe: (() => Promise<KvmVerdict>) | undefined): Promise<CheckResult> {
  if (probe === undefined || !(await isOpen(host, '/dev/kvm')))
    return notApplicable('processor', 'kvm-probe', 'no guest was tried')
  const { usable, reason } = await probe()
  if (usable) return ok('processor', 'kvm-probe', reason)
  return bad('warning', 'processor', 'kvm-probe', [
    reason,
    'That /dev/kvm exists proves nothing: guests would hang or be reset. vmpkg runs them without KVM.',
    'docs/known-errors.md#known-err-21 and #known-err-22 name the causes.',
  ])
}

async function checkNested(host: DoctorHost): Promise<CheckResult> {
  for (const module of ['kvm_intel', 'kvm_amd']) {
    const value = await readText(host, `/sys/module/${module}/parameters/nested`)
    if (value === undefined) continue
    if (['Y', '1'].includes(value)) return ok('processor', 'kvm-nested', 'guests may run guests')
    return bad('warning', 'processor', 'kvm-nested', [
      'guests may not run guests',
      'Only virtual machines inside virtual machines need it.',
      `Write options ${module} nested=1 into /etc/modprobe.d/kvm.conf and load the module again.`,
    ])
  }
  return notApplicable('processor', 'kvm-nested', 'no KVM module is loaded')
}

const LEAST_MEMORY_KIB = 512 * 1_024

export async function checkMemoryState(host: DoctorHost): Promise<readonly CheckResult[]> {
  const meminfo = (await readText(host, '/proc/meminfo')) ?? ''
  const available = parseAvailableMemoryKib(meminfo)
  const thp = /\[(\w+)\]/.exec((await readText(host, '/sys/kernel/mm/transparent_hugepage/enabled')) ?? '')?.[1]
  const ksm = await readText(host, '/sys/kernel/mm/ksm/run')
  const limit = parseMemlockKib((await readText(host, '/proc/self/limits')) ?? '')
  const mib = Math.floor((available ?? 0) / 1_024)
  const { swaps, hibernates } = await readMemoryToDisk(host.root)
  return [
    available === undefined
      ? bad('unknown', 'memory', 'memory-free', [
          '/proc/meminfo cannot be read',
          'A start may fail for lack of memory.',
          'Mount /proc.',
        ])
      : available < LEAST_MEMORY_KIB
        ? bad('warning', 'memory', 'memory-free', [
            `${mib} MiB are available`,
            'A router takes 128 MiB or more, an app more than that.',
            'Stop guests or programs that are not needed.',
          ])
        : ok('memory', 'memory-free', `${mib} MiB are available`),
    await checkHugepages(host, meminfo),
    thp === undefined
      ? notApplicable('memory', 'transparent-hugepages', 'this kernel has none')
      : thp === 'never'
        ? bad('warning', 'memory', 'transparent-hugepages', [
            'they are switched off',
            'The first touch of a guest’s memory is about half as fast.',
            'Run: vmpkg tune apply',
          ])
        : ok('memory', 'transparent-hugepages', `they are on (${thp})`),
    ksm === undefined || ksm === '0'
      ? ok('memory', 'ksm', 'identical pages are not merged')
      : bad('warning', 'memory', 'ksm', [
          'the kernel merges identical pages of guests',
          'It costs processor time, and one guest can tell what another has in memory.',
          'Run: vmpkg tune apply',
        ]),
    swaps.length === 0
      ? ok('memory', 'swap', 'memory is not swapped to a disk')
      : bad('warning', 'memory', 'swap', [
          `memory is swapped to ${swaps.join(', ')}`,
          'What an ephemeral machine had in memory may stay there. vmpkg locks it where it may; of the rest it warns.',
          'Use zram or a swap with a key of its own at each boot (cryptsetup: /dev/urandom), and mount a tmpfs with noswap for the machines (docs/clones.md).',
        ]),
    hibernates
      ? bad('warning', 'memory', 'hibernation', [
          'this host can hibernate',
          'That writes all memory to its disk, that of ephemeral machines and the keys of encrypted disks too.',
          'Run: sudo systemctl mask hibernate.target hybrid-sleep.target suspend-then-hibernate.target',
        ])
      : ok('memory', 'hibernation', 'memory is never written to a disk as a whole'),
    limit === undefined || limit >= 8_650_752
      ? ok('memory', 'locked-memory', limit === undefined ? 'no limit is known' : 'enough may be locked')
      : bad('warning', 'memory', 'locked-memory', [
          `this user may lock ${Math.floor(limit / 1_024)} MiB`,
          'A guest with a passed-through device locks all of its memory. The system’s libvirt raises the limit by itself, your own does not.',
          'Write @kvm - memlock unlimited into /etc/security/limits.d/vmpkg.conf, then log in again.',
        ]),
  ]
}

async function checkHugepages(host: DoctorHost, meminfo: string): Promise<CheckResult> {
  const names = await listFolder(host, '/sys/kernel/mm/hugepages')
  const pools = await Promise.all(
    names.map(async (name) => {
      const [total, free] = await Promise.all(
        ['nr_hugepages', 'free_hugepages'].map((file) => readText(host, `/sys/kernel/mm/hugepages/${name}/${file}`)),
      )
      return { size: name.replace('hugepages-', ''), total: Number(total ?? 0), free: Number(free ?? 0) }
    }),
  )
  if (pools.length === 0) return notApplicable('memory', 'hugepages', 'this kernel has none')
  const reserved = pools.filter(({ total }) => total > 0)
  const idle = reserved.filter(({ total, free }) => free === total)
  const shown = reserved.map(({ size, total, free }) => `${free} of ${total} of ${size} are free`).join(', ')
  const share =
    idle.reduce((sum, { size, total }) => sum + Number.parseInt(size, 10) * total, 0) /
    Number(/^MemTotal:\s+(\d+)/m.exec(meminfo)?.[1] ?? Number.POSITIVE_INFINITY)
  if (share > 0.25)
    return bad('warning', 'memory', 'hugepages', [
      shown,
      'A large part of the memory is set aside, and no guest uses it.',
      'Run: sudo sysctl vm.nr_hugepages=0, or start the guests they are for.',
    ])
  return ok(
    'memory',
    'hugepages',
    shown === '' ? `none is reserved (${pools.map(({ size }) => size).join(', ')} are possible)` : shown,
  )
}
