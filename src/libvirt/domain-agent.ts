/**
 * What a guest's agent does for a domain, and QEMU's own monitor. A guest is untrusted: so is every answer here. Calls
 * to the agent wait as long as the guest makes them, unless `agentSetResponseTimeout` ends that; they throw
 * `agentUnresponsive` when it is not connected or silent, `argumentUnsupported` when the domain has no channel for it,
 * `operationInvalid` when the domain does not run (or is paused), `agentCommandTimeout` and `agentCommandFailed`.
 */
import { flags, i32, i64, list, maybe, preset, string, struct, u32, u64 } from './codecs.ts'
import { call, qemuCall } from './methods.ts'
import { parameters } from './parameters.ts'
import { counted, none } from './vocabulary.ts'

/** What waits for a guest may last minutes. */
const slow = { isLong: true }
/** None means all that are mounted. */
const mountpoints = preset(list(string), [])

/** `#` is a number from 0; the guest says all of it. */
const guestInformation = parameters({
  'user.count': 'u32',
  'user.#.name': 'string',
  /** Of Windows. */
  'user.#.domain': 'string',
  /** Milliseconds since 1970. */
  'user.#.login-time': 'u64',
  'os.id': 'string',
  'os.name': 'string',
  'os.pretty-name': 'string',
  'os.version': 'string',
  'os.version-id': 'string',
  'os.kernel-release': 'string',
  'os.kernel-version': 'string',
  'os.machine': 'string',
  'os.variant': 'string',
  'os.variant-id': 'string',
  'timezone.name': 'string',
  /** Seconds east of UTC. */
  'timezone.offset': 'i32',
  hostname: 'string',
  'fs.count': 'u32',
  'fs.#.name': 'string',
  'fs.#.mountpoint': 'string',
  'fs.#.fstype': 'string',
  'fs.#.total-bytes': 'u64',
  'fs.#.used-bytes': 'u64',
  'fs.#.disk.count': 'u32',
  /** The disk's target, as `vda`. */
  'fs.#.disk.#.alias': 'string',
  'fs.#.disk.#.serial': 'string',
  'fs.#.disk.#.device': 'string',
  'disk.count': 'u32',
  'disk.#.name': 'string',
  'disk.#.partition': 'bool',
  'disk.#.dependency.count': 'u32',
  /** The disks that one consists of. */
  'disk.#.dependency.#.name': 'string',
  'disk.#.serial': 'string',
  'disk.#.alias': 'string',
  'disk.#.guest_alias': 'string',
  'disk.#.guest_bus': 'string',
  'if.count': 'u32',
  'if.#.name': 'string',
  'if.#.hwaddr': 'string',
  'if.#.addr.count': 'u32',
  'if.#.addr.#.type': 'string',
  'if.#.addr.#.addr': 'string',
  'if.#.addr.#.prefix': 'u32',
  /** Average of the last minute, 5 and 15 minutes (libvirt 11.2). */
  'load.1m': 'f64',
  'load.5m': 'f64',
  'load.15m': 'f64',
})

export const agentMethods = {
  /**
   * Sends a command, a JSON text, to the agent as it is, and gives its answer as JSON text. Taints the domain.
   * `timeout` is in seconds; −2 waits for ever, −1 as long as `agentSetResponseTimeout` says, 0 not at all.
   * @throws {LibvirtError} `agentUnresponsive`, `agentCommandFailed` with the agent's own words, `internalError`
   */
  agentCommand: qemuCall(
    'DOMAIN_AGENT_COMMAND',
    3,
    '0.10.0',
    { command: string, timeout: preset(i32, -1), flags: none },
    { result: maybe(string) },
    slow,
  ),
  /**
   * How many seconds calls to the agent wait for it, as long as the domain runs; −2 for ever (so without this call), −1
   * libvirt's own choice (5), 0 not at all. Returns 0.
   * @throws {LibvirtError} `invalidArg` below −2
   */
  agentSetResponseTimeout: call(
    'DOMAIN_AGENT_SET_RESPONSE_TIMEOUT',
    420,
    '5.10.0',
    { timeout: i32, flags: none },
    { result: i32 },
  ),
  /**
   * What the guest tells of itself. Without `types` all it can; with types an error for one it cannot.
   * @throws {LibvirtError} `agentUnresponsive`, `operationUnsupported` or `agentCommandFailed` for an agent too old
   */
  getGuestInfo: call(
    'DOMAIN_GET_GUEST_INFO',
    418,
    '5.7.0',
    {
      types: flags({
        users: 1,
        os: 2,
        timezone: 4,
        hostname: 8,
        filesystem: 16,
        disks: 32,
        interfaces: 64,
        /** Averages of its load (libvirt 11.2). */
        load: 128,
      }),
      flags: none,
    },
    { params: guestInformation },
    slow,
  ),
  /**
   * The guest's host name, from the agent unless `lease` is given.
   * @throws {LibvirtError} `noHostname`, `agentUnresponsive`, `operationInvalid`
   */
  getHostname: call(
    'DOMAIN_GET_HOSTNAME',
    277,
    '0.10.0',
    {
      flags: flags({
        /** As it told the DHCP of libvirt's own networks. */
        lease: 1,
        agent: 2,
      }),
    },
    { hostname: string },
    slow,
  ),
  /**
   * The file systems that are mounted, each with the targets (`vda`) of its disks, as far as libvirt can tell.
   * @throws {LibvirtError} `agentUnresponsive`, `agentCommandFailed`
   */
  getFSInfo: call(
    'DOMAIN_GET_FSINFO',
    349,
    '1.2.11',
    { flags: none },
    {
      info: list(struct({ mountpoint: string, name: string, fstype: string, devAliases: list(string) })),
      ret: counted,
    },
    slow,
  ),
  /**
   * Freezes file systems, so that a copy of the disks is sound; none given means all. Returns how many. Thaw them soon:
   * the guest stands still in every write.
   * @throws {LibvirtError} `agentUnresponsive`, `agentCommandFailed`, `operationInvalid` when they are frozen already
   */
  fsFreeze: call('DOMAIN_FSFREEZE', 335, '1.2.5', { mountpoints, flags: none }, { filesystems: i32 }, slow),
  /**
   * Thaws them; none given means all, and QEMU knows nothing else. Returns how many.
   * @throws {LibvirtError} `agentUnresponsive`, `agentCommandFailed`, `argumentUnsupported` for mount points
   */
  fsThaw: call('DOMAIN_FSTHAW', 336, '1.2.5', { mountpoints, flags: none }, { filesystems: i32 }, slow),
  /**
   * Gives back to the disks what the file systems do not use, in runs of at least `minimum` bytes. QEMU knows no single
   * `mountPoint`.
   * @throws {LibvirtError} `agentUnresponsive`, `agentCommandFailed`, `argumentUnsupported` for a mount point
   */
  fsTrim: call(
    'DOMAIN_FSTRIM',
    294,
    '1.0.1',
    { mountPoint: maybe(string), minimum: preset(u64, 0n), flags: none },
    undefined,
    slow,
  ),
  /**
   * The guest's clock: seconds since 1970 and nanoseconds of the second.
   * @throws {LibvirtError} `agentUnresponsive`
   */
  getTime: call('DOMAIN_GET_TIME', 337, '1.2.5', { flags: none }, { seconds: i64, nseconds: u32 }, slow),
  /**
   * Sets the guest's clock, to seconds since 1970 and nanoseconds of the second.
   * @throws {LibvirtError} `agentUnresponsive`, `agentCommandFailed`
   */
  setTime: call(
    'DOMAIN_SET_TIME',
    338,
    '1.2.5',
    {
      seconds: i64,
      nseconds: u32,
      flags: flags({
        /** From its hardware clock; the time given does not count. */
        sync: 1,
      }),
    },
    undefined,
    slow,
  ),
  /**
   * Sets the password of one of the guest's users.
   * @throws {LibvirtError} `agentUnresponsive`, `agentCommandFailed` for a user there is not
   */
  setUserPassword: call(
    'DOMAIN_SET_USER_PASSWORD',
    357,
    '1.2.16',
    {
      user: maybe(string),
      password: maybe(string),
      flags: flags({
        /** It is a hash already, as `/etc/shadow` has it. */
        encrypted: 1,
      }),
    },
    undefined,
    slow,
  ),
  /**
   * The lines of a user's `authorized_keys`.
   * @throws {LibvirtError} `agentUnresponsive`, `agentCommandFailed` for a user or file there is not
   */
  authorizedSSHKeysGet: call(
    'DOMAIN_AUTHORIZED_SSH_KEYS_GET',
    424,
    '6.10.0',
    { user: string, flags: none },
    { keys: list(string) },
    slow,
  ),
  /**
   * Replaces a user's `authorized_keys`, or adds to it or removes from it.
   * @throws {LibvirtError} `agentUnresponsive`, `agentCommandFailed` for a user there is not
   */
  authorizedSSHKeysSet: call(
    'DOMAIN_AUTHORIZED_SSH_KEYS_SET',
    425,
    '6.10.0',
    {
      user: string,
      keys: list(string),
      flags: flags({
        /** Keeps those that are there. */
        append: 1,
        /** Takes the given ones away; not with `append`. */
        remove: 2,
      }),
    },
    undefined,
    slow,
  ),
  /**
   * Sends a command to QEMU's monitor, past libvirt, and gives its answer as text. A QMP command (JSON) unless `hmp` is
   * given. Taints the domain.
   * @throws {LibvirtError} `operationInvalid` when it does not run, `internalError`; an error of QEMU's own is in the
   * answer
   */
  monitorCommand: qemuCall(
    'DOMAIN_MONITOR_COMMAND',
    1,
    '0.8.3',
    {
      command: string,
      flags: flags({
        /** In the words of the human monitor. */
        hmp: 1,
      }),
    },
    { result: string },
  ),
}
