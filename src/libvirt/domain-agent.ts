/** What a guest's agent does for a domain, and QEMU's own monitor. A guest is untrusted: so is every answer here. */
import { flags, i32, i64, list, maybe, preset, string, struct, u32, u64 } from './codecs.ts'
import { call, qemuCall } from './methods.ts'
import { anyParameters } from './parameters.ts'
import { counted, none } from './vocabulary.ts'

export const agentMethods = {
  /** `timeout` is in seconds; −2 for ever, −1 the default, 0 does not wait. */
  agentCommand: qemuCall(
    'DOMAIN_AGENT_COMMAND',
    3,
    '0.10.0',
    { command: string, timeout: preset(i32, -1), flags: none },
    { result: maybe(string) },
  ),
  agentSetResponseTimeout: call(
    'DOMAIN_AGENT_SET_RESPONSE_TIMEOUT',
    420,
    '5.10.0',
    { timeout: i32, flags: none },
    { result: i32 },
  ),
  getGuestInfo: call(
    'DOMAIN_GET_GUEST_INFO',
    418,
    '5.7.0',
    {
      types: flags({ users: 1, os: 2, timezone: 4, hostname: 8, filesystem: 16, disks: 32, interfaces: 64 }),
      flags: none,
    },
    { params: anyParameters },
  ),
  getHostname: call(
    'DOMAIN_GET_HOSTNAME',
    277,
    '0.10.0',
    { flags: flags({ lease: 1, agent: 2 }) },
    { hostname: string },
  ),
  getFSInfo: call(
    'DOMAIN_GET_FSINFO',
    349,
    '1.2.11',
    { flags: none },
    {
      info: list(struct({ mountpoint: string, name: string, fstype: string, devAliases: list(string) })),
      ret: counted,
    },
  ),
  fsFreeze: call(
    'DOMAIN_FSFREEZE',
    335,
    '1.2.5',
    { mountpoints: preset(list(string), []), flags: none },
    { filesystems: i32 },
  ),
  fsThaw: call(
    'DOMAIN_FSTHAW',
    336,
    '1.2.5',
    { mountpoints: preset(list(string), []), flags: none },
    { filesystems: i32 },
  ),
  fsTrim: call('DOMAIN_FSTRIM', 294, '1.0.1', { mountPoint: maybe(string), minimum: preset(u64, 0n), flags: none }),
  getTime: call('DOMAIN_GET_TIME', 337, '1.2.5', { flags: none }, { seconds: i64, nseconds: u32 }),
  setTime: call('DOMAIN_SET_TIME', 338, '1.2.5', { seconds: i64, nseconds: u32, flags: flags({ sync: 1 }) }),
  setUserPassword: call('DOMAIN_SET_USER_PASSWORD', 357, '1.2.16', {
    user: maybe(string),
    password: maybe(string),
    flags: flags({ encrypted: 1 }),
  }),
  authorizedSSHKeysGet: call(
    'DOMAIN_AUTHORIZED_SSH_KEYS_GET',
    424,
    '6.10.0',
    { user: string, flags: none },
    { keys: list(string) },
  ),
  authorizedSSHKeysSet: call('DOMAIN_AUTHORIZED_SSH_KEYS_SET', 425, '6.10.0', {
    user: string,
    keys: list(string),
    flags: flags({ append: 1, remove: 2 }),
  }),
  /** Taints the domain. A QMP command unless `hmp` is given. */
  monitorCommand: qemuCall(
    'DOMAIN_MONITOR_COMMAND',
    1,
    '0.8.3',
    { command: string, flags: flags({ hmp: 1 }) },
    { result: string },
  ),
}
