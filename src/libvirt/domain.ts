/** A domain: its life, definition and metadata. Numbers and arguments are libvirt's remote protocol. */
import { bool, choice, flags, i32, list, maybe, string, u32, u64, xml } from './codecs.ts'
import { agentMethods } from './domain-agent.ts'
import { blockMethods } from './domain-block.ts'
import { deviceMethods } from './domain-device.ts'
import { migrationMethods } from './domain-migration.ts'
import { snapshotMethods } from './domain-snapshot.ts'
import { call, type Invoker, liveObject, streamCall } from './methods.ts'
import { anyParameters } from './parameters.ts'
import { type DomainIdentity, domain } from './references.ts'
import { domainFlags, domainState, impact, none } from './vocabulary.ts'

const lifeMethods = {
  /** Starts a defined domain. */
  create: call('DOMAIN_CREATE_WITH_FLAGS', 196, '0.8.2', { flags: domainFlags.create }, { domain }),
  createPlain: call('DOMAIN_CREATE', 9, '0.1.1'),
  undefine: call('DOMAIN_UNDEFINE_FLAGS', 231, '0.9.4', { flags: domainFlags.undefine }),
  destroy: call('DOMAIN_DESTROY_FLAGS', 234, '0.9.4', { flags: flags({ graceful: 1, removeLogs: 2 }) }),
  destroyPlain: call('DOMAIN_DESTROY', 12, '0.0.3'),
  shutdown: call('DOMAIN_SHUTDOWN_FLAGS', 258, '0.9.10', { flags: domainFlags.shutdown }),
  reboot: call('DOMAIN_REBOOT', 27, '0.1.0', { flags: domainFlags.shutdown }),
  reset: call('DOMAIN_RESET', 245, '0.9.7', { flags: none }),
  suspend: call('DOMAIN_SUSPEND', 34, '0.0.3'),
  resume: call('DOMAIN_RESUME', 28, '0.0.3'),
  rename: call('DOMAIN_RENAME', 358, '1.2.19', { newName: maybe(string), flags: none }, { retcode: i32 }),
  /** What the reason's number means depends on the state. */
  getState: call('DOMAIN_GET_STATE', 212, '0.9.2', { flags: none }, { state: domainState, reason: i32 }),
  /** Memory is in KiB, `cpuTime` in nanoseconds. */
  getInfo: call(
    'DOMAIN_GET_INFO',
    16,
    '0.0.3',
    {},
    { state: domainState, maxMem: u64, memory: u64, nrVirtCpu: u32, cpuTime: u64 },
  ),
  getXMLDesc: call(
    'DOMAIN_GET_XML_DESC',
    14,
    '0.0.3',
    { flags: flags({ secure: 1, inactive: 2, updateCpu: 4, migratable: 8 }) },
    { xml: string },
  ),
  isActive: call('DOMAIN_IS_ACTIVE', 150, '0.7.3', {}, { active: bool }),
  isPersistent: call('DOMAIN_IS_PERSISTENT', 151, '0.7.3', {}, { persistent: bool }),
  isUpdated: call('DOMAIN_IS_UPDATED', 202, '0.8.6', {}, { updated: bool }),
  getAutostart: call('DOMAIN_GET_AUTOSTART', 15, '0.2.1', {}, { autostart: bool }),
  setAutostart: call('DOMAIN_SET_AUTOSTART', 29, '0.2.1', { autostart: bool }),
  getAutostartOnce: call('DOMAIN_GET_AUTOSTART_ONCE', 449, '11.2.0', {}, { autostart: bool }),
  setAutostartOnce: call('DOMAIN_SET_AUTOSTART_ONCE', 450, '11.2.0', { autostart: bool }),
  /** For `element` the key is the prefix and the URI the namespace; without `metadata` the entry is removed. */
  setMetadata: call('DOMAIN_SET_METADATA', 264, '0.9.10', {
    type: choice('description', 'title', 'element'),
    metadata: maybe(xml),
    key: maybe(string),
    uri: maybe(string),
    flags: impact,
  }),
  getMetadata: call(
    'DOMAIN_GET_METADATA',
    265,
    '0.9.10',
    { type: choice('description', 'title', 'element'), uri: maybe(string), flags: impact },
    { metadata: string },
  ),
  getMessages: call(
    'DOMAIN_GET_MESSAGES',
    426,
    '7.1.0',
    { flags: flags({ deprecation: 1, tainting: 2, ioErrors: 4 }) },
    { messages: list(string) },
  ),
  managedSave: call('DOMAIN_MANAGED_SAVE', 182, '0.8.0', { flags: domainFlags.save }),
  hasManagedSaveImage: call('DOMAIN_HAS_MANAGED_SAVE_IMAGE', 183, '0.8.0', { flags: none }, { result: bool }),
  managedSaveRemove: call('DOMAIN_MANAGED_SAVE_REMOVE', 184, '0.8.0', { flags: none }),
  /** `to` is a path on the daemon's host. */
  save: call(
    'DOMAIN_SAVE_FLAGS',
    232,
    '0.9.4',
    { to: string, xml: maybe(xml), flags: domainFlags.save },
    {},
    { isLong: true },
  ),
  saveParams: call('DOMAIN_SAVE_PARAMS', 440, '8.4.0', { params: anyParameters, flags: domainFlags.save }),
  coreDump: call('DOMAIN_CORE_DUMP_WITH_FORMAT', 334, '1.2.3', {
    to: string,
    format: choice('raw', 'kdumpZlib', 'kdumpLzo', 'kdumpSnappy', 'windows'),
    flags: flags({ crash: 1, live: 2, bypassCache: 4, reset: 8, memoryOnly: 16 }),
  }),
  screenshot: streamCall(
    'DOMAIN_SCREENSHOT',
    211,
    '0.9.2',
    'read',
    { screen: u32, flags: none },
    { mime: maybe(string) },
  ),
  sendKey: call('DOMAIN_SEND_KEY', 226, '0.9.3', {
    codeset: choice('linux', 'xt', 'atset1', 'atset2', 'atset3', 'osx', 'xtKbd', 'usb', 'win32', 'qnum'),
    /** Milliseconds. */
    holdtime: u32,
    keycodes: list(u32),
    flags: none,
  }),
  injectNMI: call('DOMAIN_INJECT_NMI', 210, '0.9.2', { flags: none }),
  /** Without a device the first console. */
  openConsole: streamCall('DOMAIN_OPEN_CONSOLE', 201, '0.8.6', 'both', {
    device: maybe(string),
    flags: flags({ force: 1, safe: 2 }),
  }),
  /** `name` is the target name of a virtio channel with a unix socket. */
  openChannel: streamCall('DOMAIN_OPEN_CHANNEL', 296, '1.0.2', 'both', {
    name: maybe(string),
    flags: flags({ force: 1 }),
  }),
  graphicsReload: call('DOMAIN_GRAPHICS_RELOAD', 448, '10.2.0', { type: choice('any', 'vnc'), flags: none }),
}

/** Named by its parts: spelled out, the declarations would lose the comments of the rows from other files. */
type DomainMethods = typeof lifeMethods &
  typeof deviceMethods &
  typeof blockMethods &
  typeof snapshotMethods &
  typeof agentMethods &
  typeof migrationMethods

export const domainMethods: DomainMethods = {
  ...lifeMethods,
  ...deviceMethods,
  ...blockMethods,
  ...snapshotMethods,
  ...agentMethods,
  ...migrationMethods,
}

/** A reference to a domain; `name` and `id` are what they were when it was read. */
export class Domain extends liveObject(domainMethods, domain) implements DomainIdentity {
  readonly name: string
  readonly uuid: string
  readonly id: number

  constructor(connect: Invoker, identity: DomainIdentity) {
    super(connect)
    this.name = identity.name
    this.uuid = identity.uuid
    this.id = identity.id
  }
}
