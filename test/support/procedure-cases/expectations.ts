/**
 * The verdicts: what each daemon does with every procedure and event, and why where it is not success. A procedure that
 * is not named here is decoded with success by the daemon's QEMU, network, storage … driver, unless the daemon is older
 * than the procedure. docs/libvirt-procedures.md is made of this; the exercise fails where a daemon does otherwise.
 */
import { execFileSync } from 'node:child_process'
import { type EventName, events } from '../../../src/libvirt/events.ts'
import { withoutTrees } from '../libvirt-tree.ts'
import { privateHostMissing } from '../private-host.ts'
import { withoutLibvirt } from '../private-libvirt.ts'
import { startFromTree, startSession, startSystem } from './daemons.ts'
import type { ExerciseDaemon } from './exercise.ts'
import type { AnyRow } from './procedures.ts'
import { byTestDriver, byTestDriverHere, decoded, type Expected, refused } from './verdicts.ts'

type Exceptions = Readonly<Record<string, Expected>>

export interface DaemonSpec {
  readonly name: string
  /** As in `Row.since`. */
  readonly release: string
  /** Why it does not run here, or false. */
  readonly skip: string | false
  readonly start: () => Promise<ExerciseDaemon>
  readonly exceptions: Exceptions
  /** Why an event is not seen. */
  readonly unseen: Readonly<Partial<Record<EventName, string>>>
  /** So many procedures at least are decoded. */
  readonly atLeast: number
}

/** The verdicts are those of Debian 12's release. */
const withoutLibvirt9: string | false = withoutLibvirt || otherRelease()

function otherRelease(): string | false {
  const [release = 'unknown'] = /\d+\.\d+/.exec(execFileSync('libvirtd', ['--version'], { encoding: 'utf8' })) ?? []
  return release === '9.0' ? false : `the libvirtd of this machine is ${release}, and the verdicts are of 9.0`
}

const each = (names: string, expected: Expected): Exceptions =>
  Object.fromEntries(
    names
      .trim()
      .split(/\s+/)
      .map((name) => [name, expected]),
  )

const NO_AGENT = 'needs a guest with an agent, which comes out of a tree that only root makes'
const NO_CGROUPS = "needs control groups, which a session's daemon has none of and a private host switches off"
const NO_BRIDGES = 'needs a bridge, which a session may not make'
const NO_MDEV = 'needs a mediated device, and the host has none'
const NO_PCI = 'needs a PCI device that the host can spare'
const NO_SEV = 'needs a processor of AMD that encrypts memory'
const NO_INTERFACES = 'Debian builds this release without an interface driver'
const NO_FILTERS = "needs packet filters, which a session's daemon refuses"

/** Of every daemon. */
const COMMON: Exceptions = {
  ...each('CONNECT_GET_SYSINFO', byTestDriverHere('configUnsupported', 'needs a firmware with SMBIOS tables')),
  ...each(
    'AUTH_POLKIT AUTH_SASL_INIT AUTH_SASL_START AUTH_SASL_STEP',
    refused('*', 'is asked after the opening, which is too late; auth.test.ts has authentication'),
  ),
  ...each('NODE_DEVICE_DETACH_FLAGS', refused('argumentUnsupported invalidArg', NO_PCI)),
  ...each('NODE_DEVICE_RE_ATTACH NODE_DEVICE_RESET', refused('invalidArg', NO_PCI)),
  ...each('NODE_DEVICE_CREATE', refused('operationInvalid', NO_MDEV)),
  ...each('NODE_DEVICE_UNDEFINE', refused('configUnsupported', NO_MDEV)),
  ...each('NODE_DEVICE_DEFINE_XML', refused('internalError xmlError', NO_MDEV)),
  ...each('NODE_DEVICE_SET_AUTOSTART', refused('operationUnsupported', NO_MDEV)),
  ...each('NODE_DEVICE_LOOKUP_SCSI_HOST_BY_WWN', refused('internalError noNodeDevice', 'needs a Fibre Channel card')),
  ...each(
    'NODE_DEVICE_CREATE_XML NODE_DEVICE_DESTROY',
    byTestDriver('internalError configUnsupported', 'needs a Fibre Channel card or a mediated device'),
  ),
  ...each('NODE_GET_SEV_INFO DOMAIN_SET_LAUNCH_SECURITY_STATE', refused('operationUnsupported', NO_SEV)),
  ...each(
    'NODE_SUSPEND_FOR_DURATION',
    refused(
      'argumentUnsupported invalidArg',
      'would send this machine to sleep: it is asked for a second, which is too short',
    ),
  ),
  ...each('DOMAIN_MIGRATE_START_POST_COPY', refused('operationInvalid', 'needs a migration that lasts')),
  ...each('DOMAIN_SEND_PROCESS_SIGNAL', byTestDriver('noSupport', 'only drivers of containers have it')),
  ...each('CONNECT_DOMAIN_XML_FROM_NATIVE', refused('noSupport', 'the QEMU driver has not had it since libvirt 5.5')),
  ...each(
    'CONNECT_FIND_STORAGE_POOL_SOURCES',
    byTestDriver(
      'noSupport',
      'is asked of a kind of pool that has no sources: the host may have no LVM and no file server',
    ),
  ),
}

/** Of libvirt 9.0: later releases ask the system instead. */
const ONLY_9: Exceptions = each('DOMAIN_GET_CPU_STATS', byTestDriver('operationInvalid', NO_CGROUPS))

/** Without a guest that has an agent. */
const WITHOUT_AGENT: Exceptions = {
  ...each(
    `qemu:DOMAIN_AGENT_COMMAND DOMAIN_GET_GUEST_INFO DOMAIN_GET_GUEST_VCPUS DOMAIN_SET_GUEST_VCPUS
     DOMAIN_AUTHORIZED_SSH_KEYS_GET DOMAIN_AUTHORIZED_SSH_KEYS_SET DOMAIN_PM_SUSPEND_FOR_DURATION DOMAIN_PM_WAKEUP`,
    refused('argumentUnsupported operationInvalid operationUnsupported configUnsupported internalError', NO_AGENT),
  ),
  ...each(
    `DOMAIN_GET_HOSTNAME DOMAIN_GET_FSINFO DOMAIN_FSFREEZE DOMAIN_FSTHAW DOMAIN_FSTRIM DOMAIN_GET_TIME DOMAIN_SET_TIME
     DOMAIN_SET_USER_PASSWORD`,
    byTestDriver('*', NO_AGENT),
  ),
}

/** Of a daemon without root's rights. */
const SESSION: Exceptions = {
  ...each(
    'DOMAIN_GET_MEMORY_PARAMETERS DOMAIN_SET_MEMORY_PARAMETERS DOMAIN_GET_SCHEDULER_TYPE',
    byTestDriver('operationUnsupported', NO_CGROUPS),
  ),
  ...each(
    'DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS DOMAIN_GET_BLKIO_PARAMETERS DOMAIN_SET_BLKIO_PARAMETERS',
    byTestDriver('configUnsupported', NO_CGROUPS),
  ),
  ...each('DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS', refused('configUnsupported', NO_CGROUPS)),
  ...each('DOMAIN_SET_INTERFACE_PARAMETERS', byTestDriver('configUnsupported', NO_BRIDGES)),
  ...each('DOMAIN_INTERFACE_STATS', byTestDriver('invalidArg', NO_BRIDGES)),
  ...each('NETWORK_CREATE NETWORK_CREATE_XML NETWORK_CREATE_XML_FLAGS', byTestDriver('systemError', NO_BRIDGES)),
  ...each('NETWORK_DESTROY', byTestDriver('operationInvalid', NO_BRIDGES)),
  ...each('NETWORK_LIST_ALL_PORTS NETWORK_PORT_CREATE_XML', refused('operationInvalid', NO_BRIDGES)),
  ...each(
    `NETWORK_PORT_LOOKUP_BY_UUID NETWORK_PORT_GET_XML_DESC NETWORK_PORT_GET_PARAMETERS NETWORK_PORT_SET_PARAMETERS
     NETWORK_PORT_DELETE`,
    refused('noNetworkPort', NO_BRIDGES),
  ),
  ...each(
    'CONNECT_GET_SYSINFO',
    byTestDriver('configUnsupported', 'reads the tables of the firmware, which only root may'),
  ),
  ...each('NODE_SET_MEMORY_PARAMETERS', refused('systemError', 'writes settings of the kernel, which only root may')),
}

/** Of a session of libvirtd: its own drivers refuse packet filters. */
const NO_SESSION_FILTERS: Exceptions = {
  ...each('NWFILTER_DEFINE_XML_FLAGS NWFILTER_BINDING_CREATE_XML', refused('operationInvalid', NO_FILTERS)),
  ...each(
    'NWFILTER_LOOKUP_BY_NAME NWFILTER_LOOKUP_BY_UUID NWFILTER_GET_XML_DESC NWFILTER_UNDEFINE',
    refused('noNwfilter', NO_FILTERS),
  ),
  ...each(
    'NWFILTER_BINDING_LOOKUP_BY_PORT_DEV NWFILTER_BINDING_GET_XML_DESC NWFILTER_BINDING_DELETE',
    refused('noNwfilterBinding', NO_FILTERS),
  ),
}
const INTERFACES_READ_ONLY = each(
  `INTERFACE_CREATE INTERFACE_DESTROY INTERFACE_UNDEFINE INTERFACE_DEFINE_XML INTERFACE_CHANGE_BEGIN
   INTERFACE_CHANGE_COMMIT INTERFACE_CHANGE_ROLLBACK`,
  byTestDriver('noSupport', 'the interface driver of this build only reads'),
)

const UNSEEN: DaemonSpec['unseen'] = {
  'domain.controlError': 'comes when a monitor breaks, which QEMU does not do at will',
  'domain.pmSuspendDisk': 'needs a guest that hibernates',
  'domain.deviceRemovalFailed': 'needs a guest that refuses to give a device back',
  'domain.memoryFailure': 'needs memory that fails',
  'domain.memoryDeviceSize': 'needs a guest that drives virtio-mem',
  'nodeDevice.update': 'needs a device that changes while udevd tells of it',
  'domain.nicMacChange': 'needs a guest that changes the address of its card on a bridge',
  'driver.closed': 'needs a driver that loses its hypervisor, as those of remote ones can',
}
const UNSEEN_WITHOUT_AGENT: DaemonSpec['unseen'] = Object.fromEntries(
  (
    ['rtcChange', 'watchdog', 'balloonChange', 'agentLifecycle', 'blockThreshold', 'pmSuspend', 'pmWakeup'] as const
  ).map((name) => [`domain.${name}`, 'needs a guest with an operating system; there is none for this daemon']),
)

/** The guest with an agent comes out of a tree, which only root makes. */
const hasAgent = withoutTrees === false

const treeSuites = (process.env['VMPKG_TEST_LIBVIRT_SUITES'] ?? 'trixie').split(',')
const inTree = (suite: string): string | false =>
  withoutTrees || (treeSuites.includes(suite) ? false : `VMPKG_TEST_LIBVIRT_SUITES does not name ${suite}`)
const virtqemud = process.env['VMPKG_TEST_VIRTQEMUD']

/** What libvirt 9.0 has not. */
const SINCE_9: Exceptions = {
  DOMAIN_GRAPHICS_RELOAD: refused('internalError', 'loads the certificates of VNC anew, which has none here'),
  NODE_DEVICE_UPDATE: refused('xmlInvalidSchema operationUnsupported configUnsupported', NO_MDEV),
}

/** virtqemud has no test driver, and reaches no daemon for packet filters in a session. */
const VIRTQEMUD: Exceptions = {
  ...withoutTestDriver({ ...COMMON, ...SINCE_9, ...SESSION, ...INTERFACES_READ_ONLY }),
  ...each(
    `CONNECT_LIST_ALL_NWFILTERS NWFILTER_LOOKUP_BY_NAME NWFILTER_LOOKUP_BY_UUID NWFILTER_DEFINE_XML_FLAGS
     NWFILTER_GET_XML_DESC NWFILTER_UNDEFINE CONNECT_LIST_ALL_NWFILTER_BINDINGS NWFILTER_BINDING_LOOKUP_BY_PORT_DEV
     NWFILTER_BINDING_CREATE_XML NWFILTER_BINDING_GET_XML_DESC NWFILTER_BINDING_DELETE`,
    refused('internalError', NO_FILTERS),
  ),
}

function withoutTestDriver(exceptions: Exceptions): Exceptions {
  return Object.fromEntries(
    Object.entries(exceptions).map(([name, expected]) => [
      name,
      expected.kind === 'by test driver' ? refused(expected.errors.join(' '), expected.why) : expected,
    ]),
  )
}

/** Debian's build of libvirt 11.3 and later. */
const FROM_TREE: Exceptions = {
  ...COMMON,
  ...SINCE_9,
  INTERFACE_IS_ACTIVE: byTestDriver(
    'none',
    `${NO_INTERFACES}; asked all the same, the daemon dies of it, so it is not`,
  ),
  ...each(
    `INTERFACE_GET_XML_DESC INTERFACE_CREATE INTERFACE_DESTROY INTERFACE_UNDEFINE
     CONNECT_LIST_ALL_INTERFACES INTERFACE_LOOKUP_BY_NAME INTERFACE_LOOKUP_BY_MAC_STRING INTERFACE_DEFINE_XML
     INTERFACE_CHANGE_BEGIN INTERFACE_CHANGE_COMMIT INTERFACE_CHANGE_ROLLBACK`,
    byTestDriver('noSupport', NO_INTERFACES),
  ),
}

/** The exercise's daemons; the last two are run by hand. */
export const daemons: readonly DaemonSpec[] = [
  {
    name: 'libvirtd 9.0 session',
    release: '9.0.0',
    skip: withoutLibvirt9,
    start: () => startSession(),
    exceptions: { ...COMMON, ...ONLY_9, ...SESSION, ...NO_SESSION_FILTERS, ...INTERFACES_READ_ONLY },
    unseen: UNSEEN,
    atLeast: 280,
  },
  {
    name: 'libvirtd 9.0 system',
    release: '9.0.0',
    skip: withoutLibvirt9 || (await privateHostMissing()),
    start: startSystem,
    exceptions: { ...COMMON, ...ONLY_9, ...INTERFACES_READ_ONLY },
    unseen: UNSEEN,
    atLeast: 300,
  },
  {
    name: 'libvirtd 11.3 system',
    release: '11.3.0',
    skip: inTree('trixie'),
    start: () => startFromTree('trixie'),
    exceptions: FROM_TREE,
    unseen: UNSEEN,
    atLeast: 310,
  },
  {
    name: 'virtqemud 11.3 session',
    release: '11.3.0',
    skip: virtqemud === undefined ? 'VMPKG_TEST_VIRTQEMUD does not name a virtqemud; Debian has none' : false,
    start: () => startSession(virtqemud),
    exceptions: VIRTQEMUD,
    unseen: { ...UNSEEN, 'nodeDevice.lifecycle': 'needs a device that comes or goes; virtqemud has no test driver' },
    atLeast: 265,
  },
  {
    name: 'libvirtd 12.8 system',
    release: '12.8.0',
    skip: inTree('forky'),
    start: () => startFromTree('forky'),
    exceptions: FROM_TREE,
    unseen: UNSEEN,
    atLeast: 310,
  },
]

/** The expected verdict on a procedure. */
export function expectedOf(daemon: DaemonSpec, name: string, row: AnyRow): Expected {
  const isNewer = isLater(row.since, daemon.release)
  return daemon.exceptions[name] ?? (isNewer ? refused('noSupport', `came with libvirt ${row.since}`) : decoded)
}

/** The same on this machine, which may have no guest with an agent. */
export function expectedHere(daemon: DaemonSpec, name: string, row: AnyRow): Expected {
  return (hasAgent ? undefined : WITHOUT_AGENT[name]) ?? expectedOf(daemon, name, row)
}

/** Why an event is not seen, `undefined` when it must be. */
export function unseenReason(daemon: DaemonSpec, name: EventName): string | undefined {
  const { since } = events[name]
  return isLater(since, daemon.release) ? `came with libvirt ${since}` : daemon.unseen[name]
}

/** The same on this machine. */
export function unseenHere(daemon: DaemonSpec, name: EventName): string | undefined {
  return (hasAgent ? undefined : UNSEEN_WITHOUT_AGENT[name]) ?? unseenReason(daemon, name)
}

function isLater(release: string, than: string): boolean {
  const [a = 0, b = 0] = release.split('.').map(Number)
  const [c = 0, d = 0] = than.split('.').map(Number)
  return a > c || (a === c && b > d)
}
