/** A domain's I/O threads: threads of the hypervisor that serve disks and network cards, each with a number from 1. */
import { list, struct, u32 } from './codecs.ts'
import { cpuMap } from './cpu-map.ts'
import { call } from './methods.ts'
import { parameters } from './parameters.ts'
import { counted, impact } from './vocabulary.ts'

/** What `setIOThreadParams` takes. */
const iothreadParameters = parameters({
  /** How long it polls before it sleeps, in nanoseconds; 0 does not poll. */
  poll_max_ns: 'u64',
  /** By what factor the time grows; 0 leaves it to the hypervisor. From libvirt 9.3 on a u64 is taken too. */
  poll_grow: 'u32',
  /** By what divisor the time shrinks; 0 leaves it to the hypervisor. From libvirt 9.3 on a u64 is taken too. */
  poll_shrink: 'u32',
  /** The fewest threads of its pool; −1 leaves it to the hypervisor, not while it runs (libvirt 8.5). */
  thread_pool_min: 'i32',
  /** The most threads of its pool, not 0; −1 as above (libvirt 8.5). */
  thread_pool_max: 'i32',
})

export const iothreadMethods = {
  /**
   * The I/O threads with the host's processors each may run on.
   * @throws {LibvirtError} `operationInvalid` for `live` on a stopped domain
   */
  getIOThreadInfo: call(
    'DOMAIN_GET_IOTHREAD_INFO',
    351,
    '1.2.14',
    { flags: impact },
    { info: list(struct({ iothreadId: u32, cpumap: cpuMap })), ret: counted },
  ),
  /**
   * Lets an I/O thread run only on these of the host's processors.
   * @throws {LibvirtError} `invalidArg` for a thread there is not, `systemError` for a processor there is not or that
   * its control group forbids
   */
  pinIOThread: call('DOMAIN_PIN_IOTHREAD', 352, '1.2.14', { iothreadId: u32, cpumap: cpuMap, flags: impact }),
  /**
   * Adds an I/O thread of a number of your choice.
   * @throws {LibvirtError} `invalidArg` when the number is taken or 0
   */
  addIOThread: call('DOMAIN_ADD_IOTHREAD', 355, '1.2.15', { iothreadId: u32, flags: impact }),
  /**
   * Removes an I/O thread that serves no device.
   * @throws {LibvirtError} `invalidArg` when there is none of the number or it is in use
   */
  delIOThread: call('DOMAIN_DEL_IOTHREAD', 356, '1.2.15', { iothreadId: u32, flags: impact }),
  /**
   * Tunes an I/O thread; what is not given stays.
   * @throws {LibvirtError} `invalidArg` when there is none of the number or a value is out of range,
   * `operationUnsupported` for `config` before libvirt 9.3
   */
  setIOThreadParams: call('DOMAIN_SET_IOTHREAD_PARAMS', 402, '4.10.0', {
    iothreadId: u32,
    params: iothreadParameters,
    flags: impact,
  }),
}
