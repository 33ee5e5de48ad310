/** How a domain starts, stops, pauses and is found to do so. */
import { bool, choice, flags, i64, maybe, preset, string, u32, u64 } from './codecs.ts'
import { stateAndReason } from './domain-state.ts'
import { call } from './methods.ts'
import { domain } from './references.ts'
import { counted, domainFlags, domainState, impact, none } from './vocabulary.ts'

/** Numbers are Linux's, whatever the guest has; the guest's side translates. */
const processSignal = choice(
  /** Sends nothing: only tells whether the process is there. */
  'nop',
  ...(['hup', 'int', 'quit', 'ill', 'trap', 'abrt', 'bus', 'fpe', 'kill', 'usr1', 'segv', 'usr2'] as const),
  ...(['pipe', 'alrm', 'term', 'stkflt', 'chld', 'cont', 'stop', 'tstp', 'ttin', 'ttou', 'urg'] as const),
  ...(['xcpu', 'xfsz', 'vtalrm', 'prof', 'winch', 'poll', 'pwr', 'sys'] as const),
  ...(['rt0', 'rt1', 'rt2', 'rt3', 'rt4', 'rt5', 'rt6', 'rt7', 'rt8', 'rt9', 'rt10', 'rt11', 'rt12'] as const),
  ...(['rt13', 'rt14', 'rt15', 'rt16', 'rt17', 'rt18', 'rt19', 'rt20', 'rt21', 'rt22', 'rt23'] as const),
  ...(['rt24', 'rt25', 'rt26', 'rt27', 'rt28', 'rt29', 'rt30', 'rt31', 'rt32'] as const),
)

export const lifeMethods = {
  /**
   * Starts a defined domain, from its managed save if it has one. Returns a reference that carries the new `id`; the
   * one it was called on keeps the old.
   * @throws {LibvirtError} `operationInvalid` when it runs already, `configUnsupported` or `internalError` when the
   * hypervisor cannot have it so
   */
  create: call('DOMAIN_CREATE_WITH_FLAGS', 196, '0.8.2', { flags: domainFlags.create }, { domain }),
  /**
   * Starts a defined domain. `create` does the same with flags.
   * @throws {LibvirtError} as `create`
   */
  createPlain: call('DOMAIN_CREATE', 9, '0.1.1'),
  /**
   * Removes the definition. A running domain goes on and is gone when it ends. A managed save, snapshots, checkpoints
   * and NVRAM of a stopped domain each need the flag that says what becomes of them.
   * @throws {LibvirtError} `operationInvalid` when such a flag is missing or there is no definition
   */
  undefine: call('DOMAIN_UNDEFINE_FLAGS', 231, '0.9.4', { flags: domainFlags.undefine }),
  /**
   * Ends it at once, as if its power failed: what the guest had not written is lost. A transient domain is gone then.
   * @throws {LibvirtError} `operationInvalid` when it does not run, `systemError` when `graceful`
   * did not suffice
   */
  destroy: call('DOMAIN_DESTROY_FLAGS', 234, '0.9.4', {
    flags: flags({
      /** Asks the process to end and fails when it does not: no kill after the time is up. */
      graceful: 1,
      /** Removes its logs, where virtlogd keeps them (libvirt 8.3). */
      removeLogs: 2,
    }),
  }),
  /**
   * Ends it at once. `destroy` does the same with flags.
   * @throws {LibvirtError} `operationInvalid` when it does not run
   */
  destroyPlain: call('DOMAIN_DESTROY', 12, '0.0.3'),
  /**
   * Asks the guest to shut down and returns before it has, if it ever does: follow `domain.lifecycle`.
   * @throws {LibvirtError} `operationInvalid` when it does not run, `agentUnresponsive` for the flag `agent`
   */
  shutdown: call('DOMAIN_SHUTDOWN_FLAGS', 258, '0.9.10', { flags: domainFlags.shutdown }),
  /**
   * Asks the guest to restart and returns before it has. The hypervisor's process stays: changes of the definition
   * wait.
   * @throws {LibvirtError} `operationInvalid` when it does not run, `agentUnresponsive` for the flag `agent`
   */
  reboot: call('DOMAIN_REBOOT', 27, '0.1.0', { flags: domainFlags.shutdown }),
  /**
   * Presses the reset button: the guest has no chance to write what it holds.
   * @throws {LibvirtError} `operationInvalid` when it does not run
   */
  reset: call('DOMAIN_RESET', 245, '0.9.7', { flags: none }),
  /**
   * Stops the guest's processors; memory and devices stay. Suspending twice is no error.
   * @throws {LibvirtError} `operationInvalid` when it does not run or sleeps (`pmsuspended`)
   */
  suspend: call('DOMAIN_SUSPEND', 34, '0.0.3'),
  /**
   * Lets a paused guest run on.
   * @throws {LibvirtError} `operationInvalid` when it does not run or sleeps (`pmsuspended`)
   */
  resume: call('DOMAIN_RESUME', 28, '0.0.3'),
  /**
   * Puts the guest to sleep by its agent. `duration` is in seconds, after which it is to wake by itself; QEMU takes
   * only 0, until `pmWakeup`. After `disk` the process of the hypervisor ends, and changes that went `live` only are
   * lost.
   * @throws {LibvirtError} `agentUnresponsive` without an agent, `argumentUnsupported` for a duration,
   * `operationUnsupported` when the guest cannot wake again
   */
  pmSuspendForDuration: call(
    'DOMAIN_PM_SUSPEND_FOR_DURATION',
    261,
    '0.9.10',
    {
      /** `mem` is S3, `disk` S4, `hybrid` both. */
      target: choice('mem', 'disk', 'hybrid'),
      duration: preset(u64, 0n),
      flags: none,
    },
    undefined,
    { isLong: true },
  ),
  /**
   * Wakes a guest that sleeps (`pmsuspended`).
   * @throws {LibvirtError} `operationInvalid` when it does not run, `internalError` when it does not sleep
   */
  pmWakeup: call('DOMAIN_PM_WAKEUP', 267, '0.9.11', { flags: none }),
  /**
   * Sends a signal to a process of the guest, by its number inside, or to a process group by the negative number. Of
   * libvirt's drivers only LXC has it, and only for process 1.
   * @throws {LibvirtError} `noSupport`, `argumentUnsupported`, `operationInvalid` when it does not run
   */
  sendProcessSignal: call('DOMAIN_SEND_PROCESS_SIGNAL', 295, '1.0.1', {
    pidValue: i64,
    signum: processSignal,
    flags: none,
  }),
  /**
   * The state and why. The reasons of a state are in the result's type; a plain start of a domain gives `running` with
   * `booted` (and `unpaused` after a `resume`).
   * @throws {LibvirtError} `noDomain` when it is gone
   */
  getState: call('DOMAIN_GET_STATE', 212, '0.9.2', { flags: none }, { state: stateAndReason }),
  /**
   * The state with sizes: memory in KiB (`maxMem` the most it may have, `memory` what it has now), `cpuTime` in
   * nanoseconds since its start, 0 when it does not run.
   */
  getInfo: call(
    'DOMAIN_GET_INFO',
    16,
    '0.0.3',
    {},
    { state: domainState, maxMem: u64, memory: u64, nrVirtCpu: u32, cpuTime: u64 },
  ),
  /**
   * Whether the way to the hypervisor is free: `job` while a background job runs, `occupied` while another call holds
   * it (`stateTime` says for how many milliseconds), `error` when it is broken, `details` then says how.
   * @throws {LibvirtError} `operationInvalid` when it does not run
   */
  getControlInfo: call(
    'DOMAIN_GET_CONTROL_INFO',
    229,
    '0.9.3',
    { flags: none },
    {
      state: choice('ok', 'job', 'occupied', 'error'),
      details: choice('none', 'unknown', 'monitor', 'internal'),
      stateTime: u64,
    },
  ),
  /** Whether it runs; a paused domain does. */
  isActive: call('DOMAIN_IS_ACTIVE', 150, '0.7.3', {}, { active: bool }),
  /** Whether it has a definition, and so is still there after it ends. */
  isPersistent: call('DOMAIN_IS_PERSISTENT', 151, '0.7.3', {}, { persistent: bool }),
  /** Whether its definition was changed since the running instance began. */
  isUpdated: call('DOMAIN_IS_UPDATED', 202, '0.8.6', {}, { updated: bool }),
  /** What kind of guest: `hvm` for a whole machine, `exe` for a container, `linux` or `xen` for paravirtual ones. */
  getOSType: call('DOMAIN_GET_OS_TYPE', 19, '0.0.3', {}, { type: string }),
  /**
   * Gives it another name, with its definition but not what its XML derived from the old one. QEMU does so only while
   * it does not run and has no managed save. Returns 0.
   * @throws {LibvirtError} `operationInvalid`, `operationFailed` when the name is taken
   */
  rename: call('DOMAIN_RENAME', 358, '1.2.19', { newName: maybe(string), flags: none }, { retcode: counted }),
  /**
   * What happens when the guest powers off, reboots or crashes: the `on_poweroff`, `on_reboot`, `on_crash` of its XML.
   * A QEMU domain that was started with all three on `destroy` cannot be changed while it runs, and QEMU has no
   * `restartRename`.
   * @throws {LibvirtError} `operationUnsupported`, `configUnsupported` for what the driver lacks
   */
  setLifecycleAction: call('DOMAIN_SET_LIFECYCLE_ACTION', 390, '3.9.0', {
    type: choice('poweroff', 'reboot', 'crash'),
    action: choice('destroy', 'restart', 'restartRename', 'preserve', 'coredumpDestroy', 'coredumpRestart'),
    flags: impact,
  }),
}
