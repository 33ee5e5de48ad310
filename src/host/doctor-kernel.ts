/**
 * What the kernel lets this user and guests do: namespaces, tun, control groups, ping, clock, IOMMU, vfio.
 *
 * Source: user_namespaces(7), Linux Documentation (cgroup-v2.rst, networking/ip-sysctl.rst, ABI sysfs-kernel-iommu_groups),
 * /proc/interrupts, where remapped interrupts begin with IR-.
 */
import {
  bad,
  type CheckResult,
  type DoctorHost,
  exists,
  isOpen,
  listFolder,
  notApplicable,
  ok,
  readText,
} from './doctor-check.ts'
import { explainClosedNamespaces, hasSubordinateIds } from './private-host-support.ts'

export async function checkKernel(host: DoctorHost): Promise<readonly CheckResult[]> {
  return Promise.all([
    checkNamespaces(host),
    checkSubordinateIds(host),
    checkTun(host),
    checkControlGroups(host),
    checkPing(host),
    checkClock(host),
  ])
}

async function checkNamespaces(host: DoctorHost): Promise<CheckResult> {
  if (host.uid === 0) return notApplicable('kernel', 'user-namespaces', 'root needs none')
  const [unprivilegedClone, maxUserNamespaces, appArmorRestricts] = await Promise.all(
    [
      'kernel/unprivileged_userns_clone',
      'user/max_user_namespaces',
      'kernel/apparmor_restrict_unprivileged_userns',
    ].map((name) => readText(host, `/proc/sys/${name}`)),
  )
  const isClosed = unprivilegedClone === '0' || maxUserNamespaces === '0' || appArmorRestricts === '1'
  if (!isClosed) return ok('kernel', 'user-namespaces', 'this user may make them')
  return bad('problem', 'kernel', 'user-namespaces', [
    'the kernel forbids them to this user',
    'A private host without root is made of them.',
    explainClosedNamespaces({ unprivilegedClone, appArmorRestricts, maxUserNamespaces }, true),
  ])
}

async function checkSubordinateIds(host: DoctorHost): Promise<CheckResult> {
  if (host.uid === 0) return notApplicable('kernel', 'subordinate-ids', 'root needs none')
  const texts = await Promise.all(['/etc/subuid', '/etc/subgid'].map((path) => readText(host, path)))
  if (texts.every((text) => hasSubordinateIds(text ?? '', host.userName, host.uid)))
    return ok('kernel', 'subordinate-ids', 'this user has a range of 65,536')
  return bad('warning', 'kernel', 'subordinate-ids', [
    '/etc/subuid or /etc/subgid grants this user no range',
    'dnsmasq and QEMU in a private host change to ids of their own.',
    `Run: sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${host.userName}`,
  ])
}

async function checkTun(host: DoctorHost): Promise<CheckResult> {
  const why = 'Network cards of guests are made through it.'
  if (!(await exists(host, '/dev/net/tun')))
    return bad('problem', 'kernel', 'tun-device', ['/dev/net/tun does not exist', why, 'Run: sudo modprobe tun'])
  if (await isOpen(host, '/dev/net/tun')) return ok('kernel', 'tun-device', '/dev/net/tun is open to this user')
  return bad('warning', 'kernel', 'tun-device', [
    '/dev/net/tun is closed to this user',
    why,
    'Run: sudo chmod 666 /dev/net/tun (udev’s usual mode).',
  ])
}

const CONTROLLERS = ['cpu', 'cpuset', 'io', 'memory']

async function checkControlGroups(host: DoctorHost): Promise<CheckResult> {
  const text = await readText(host, '/sys/fs/cgroup/cgroup.controllers')
  if (text === undefined) {
    const hybrid = await listFolder(host, '/sys/fs/cgroup')
    if (hybrid.includes('memory')) return ok('kernel', 'control-groups', 'version 1 is mounted')
    return bad('warning', 'kernel', 'control-groups', [
      'none is mounted',
      'libvirt cannot limit guests; the system’s daemon may refuse to start them.',
      'Mount them, or write cgroup_controllers = [] into /etc/libvirt/qemu.conf.',
    ])
  }
  const missing = CONTROLLERS.filter((name) => !text.split(' ').includes(name))
  if (missing.length === 0) return ok('kernel', 'control-groups', `version 2 with ${CONTROLLERS.join(', ')}`)
  return bad('warning', 'kernel', 'control-groups', [
    `version 2 without ${missing.join(', ')}`,
    'Pins and limits that need these are refused.',
    'In a container: delegate them (systemd: Delegate=yes); else look at the kernel’s cgroup_disable=.',
  ])
}

async function checkPing(host: DoctorHost): Promise<CheckResult> {
  const [first, last] = ((await readText(host, '/proc/sys/net/ipv4/ping_group_range')) ?? '').split(/\s+/).map(Number)
  if (first === undefined || last === undefined || Number.isNaN(last))
    return bad('unknown', 'kernel', 'ping-group-range', [
      'net.ipv4.ping_group_range cannot be read',
      'Guests with user networking may be unable to ping beyond 10.0.2.2.',
      'Run: sysctl net.ipv4.ping_group_range',
    ])
  if (first <= last) return ok('kernel', 'ping-group-range', `groups ${first} to ${last} may ping`)
  return bad('warning', 'kernel', 'ping-group-range', [
    'no group may open a ping socket',
    'Guests with user networking can ping 10.0.2.2 only, nothing beyond.',
    'Run: sudo sysctl net.ipv4.ping_group_range="0 2147483647"',
  ])
}

async function checkClock(host: DoctorHost): Promise<CheckResult> {
  const why = 'Signatures and expiry of sources are judged by the clock.'
  if (await exists(host, '/run/systemd/timesync/synchronized'))
    return ok('kernel', 'clock', 'it is kept by systemd-timesyncd')
  const names = await Promise.all(
    ['chronyd.pid', 'ntpd.pid', 'chrony/chronyd.pid', 'openntpd.pid'].map((name) => exists(host, `/run/${name}`)),
  )
  if (names.includes(true)) return ok('kernel', 'clock', 'a time server’s client keeps it')
  return bad('unknown', 'kernel', 'clock', [
    'nobody who keeps it was found',
    why,
    'Run: timedatectl, and install systemd-timesyncd where nothing keeps the clock.',
  ])
}

export async function checkPassthrough(host: DoctorHost): Promise<readonly CheckResult[]> {
  const groups = await listFolder(host, '/sys/kernel/iommu_groups')
  const hasIommu = groups.length > 0
  const interrupts = (await readText(host, '/proc/interrupts')) ?? ''
  const unsafe = await readText(host, '/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts')
  const hasVfio = (await exists(host, '/sys/module/vfio_pci')) || (await exists(host, '/sys/bus/pci/drivers/vfio-pci'))
  return [
    hasIommu
      ? ok('devices', 'iommu', `it is on, with ${groups.length} groups`)
      : bad('warning', 'devices', 'iommu', [
          'it is off, or there is none',
          'No device can be given to a guest.',
          'Switch on VT-d or AMD-Vi in the BIOS; on Intel add intel_iommu=on to the kernel’s command line.',
        ]),
    !hasIommu
      ? notApplicable('devices', 'interrupt-remapping', 'there is no IOMMU')
      : unsafe === 'Y'
        ? bad('warning', 'devices', 'interrupt-remapping', [
            'unsafe interrupts are allowed',
            'A guest with a device can send the host false interrupts.',
            'Take allow_unsafe_interrupts out of /etc/modprobe.d where the machine can remap.',
          ])
        : /\bIR-/.test(interrupts)
          ? ok('devices', 'interrupt-remapping', 'interrupts are remapped')
          : bad('unknown', 'devices', 'interrupt-remapping', [
              '/proc/interrupts shows no remapped interrupt',
              'Without it a guest with a device is refused by the kernel.',
              'Run: sudo dmesg | grep -i remapping',
            ]),
    hasVfio
      ? ok('devices', 'vfio-modules', 'vfio-pci is loaded')
      : hasIommu
        ? bad('warning', 'devices', 'vfio-modules', [
            'vfio-pci is not loaded',
            'Only guests with a device of the host need it.',
            'Run: sudo modprobe vfio-pci; vmpkg host plan makes it last.',
          ])
        : notApplicable('devices', 'vfio-modules', 'there is no IOMMU'),
    {
      id: 'bios',
      group: 'devices',
      status: 'unknown',
      seen: 'the BIOS cannot be asked',
      why: 'Some of what guests need can be seen only there.',
      fix: 'Check there: virtualisation on (VT-x, SVM), IOMMU on (VT-d, AMD-Vi), ARI and ACS enabled (AMD: NBIO, NBS), a BIOS password set, remote management off.',
    },
  ]
}
