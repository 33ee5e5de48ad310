/** The daemon's host itself: processors, memory, huge pages, security, sleep. */
import { choice, fixedText, flags, i32, list, preset, u32, u64 } from './codecs.ts'
import { cpuMap } from './cpu-map.ts'
import { call, countedCall, learntCount } from './methods.ts'
import { hostStatistics, parameters } from './parameters.ts'
import { counted, need, none, upTo, withText } from './vocabulary.ts'

/** Kernel samepage merging (KSM): the first two and the last can be set, the others tell how it goes. */
const memoryParameters = parameters({
  /** Pages to look at before the merging daemon sleeps. */
  shm_pages_to_scan: 'u32',
  /** Milliseconds it sleeps. */
  shm_sleep_millisecs: 'u32',
  /** Pages that stand for others. */
  shm_pages_shared: 'u64',
  /** Places that such a page is used at: what is saved. */
  shm_pages_sharing: 'u64',
  /** Pages that are alone but looked at again and again. */
  shm_pages_unshared: 'u64',
  /** Pages that change too fast. */
  shm_pages_volatile: 'u64',
  /** How often all has been looked at. */
  shm_full_scans: 'u64',
  /** 1 when pages of different NUMA cells may be merged, 0 when not. */
  shm_merge_across_nodes: 'u32',
})

/** What AMD's encrypted guests (SEV) can have here. */
const sevInfo = parameters({
  /** Diffie-Hellman key of the platform, in base64. */
  pdh: 'string',
  /** Certificates of the platform, in base64. */
  'cert-chain': 'string',
  /** The first socket's number, with which AMD gives out its certificate. libvirt 8.4 and later. */
  'cpu0-id': 'string',
  /** The address bit that marks an encrypted page. */
  cbitpos: 'u32',
  /** Bits of physical addresses an encrypted guest loses. */
  'reduced-phys-bits': 'u32',
  /** SEV guests that can run at once. libvirt 8.0 and later. */
  'max-guests': 'u32',
  /** SEV-ES guests that can run at once. libvirt 8.0 and later. */
  'max-es-guests': 'u32',
})

export const nodeMethods = {
  /**
   * The machine: architecture as `model`, memory in KiB, processors and their speed of the moment in MHz, NUMA `nodes`,
   * and in each sockets, cores and threads. Where the true layout does not fit this, one socket with all processors as
   * cores is told; `getCapabilities` is exact.
   */
  nodeGetInfo: call(
    'NODE_GET_INFO',
    6,
    '0.1.0',
    {},
    { model: fixedText(32), memory: u64, cpus: i32, mhz: i32, nodes: i32, sockets: i32, cores: i32, threads: i32 },
  ),
  /** Free memory of the host in bytes. */
  nodeGetFreeMemory: call('NODE_GET_FREE_MEMORY', 102, '0.3.3', {}, { freeMemory: u64 }),
  /**
   * Free memory of each NUMA cell in bytes, from `startCell` (the first) on and as many as there are; never more than
   * `maxCells` (1024).
   * @throws {LibvirtError} `internalError` when there is no such cell
   */
  nodeGetCellsFreeMemory: call(
    'NODE_GET_CELLS_FREE_MEMORY',
    101,
    '0.3.3',
    { startCell: preset(i32, 0), maxCells: preset(i32, 1024) },
    { cells: list(u64) },
  ),
  /**
   * Memory of a NUMA cell, or of all (−1, also when left out), in KiB: `total` and `free`, and of all cells together
   * `buffers` and `cached` too. Two calls, since the daemon takes only the right number of what it will send.
   * @throws {LibvirtError} `invalidArg` when there is no such cell, `internalError` when libvirt was built without NUMA
   */
  nodeGetMemoryStats: countedCall(
    'NODE_GET_MEMORY_STATS',
    228,
    '0.9.3',
    { nparams: learntCount, cellNum: preset(i32, -1), flags: none },
    hostStatistics,
  ),
  /**
   * Time a processor, or all (−1, also when left out), spent since the host's start, in nanoseconds: `kernel`, `user`,
   * `idle`, `iowait`; some hosts tell `intr`, or `utilization` in percent. Two calls, as above.
   * @throws {LibvirtError} `invalidArg` when there is no such processor
   */
  nodeGetCPUStats: countedCall(
    'NODE_GET_CPU_STATS',
    227,
    '0.9.3',
    { cpuNum: preset(i32, -1), nparams: learntCount, flags: none },
    hostStatistics,
  ),
  /** The processors that are online, by their numbers; how many these are, and how many there are in all. */
  nodeGetCPUMap: call(
    'NODE_GET_CPU_MAP',
    293,
    '1.0.0',
    { need, needOnline: need, flags: none },
    { cpumap: cpuMap, online: u32, total: i32 },
  ),
  /**
   * The security model that separates domains, as `selinux`, `apparmor`, and its domain of interpretation; `none` or
   * empty when there is none.
   */
  nodeGetSecurityModel: call('NODE_GET_SECURITY_MODEL', 122, '0.6.1', {}, { model: fixedText(), doi: fixedText() }),
  /** How the kernel merges equal pages (KSM), as far as it tells: nothing where the kernel has none. */
  nodeGetMemoryParameters: call(
    'NODE_GET_MEMORY_PARAMETERS',
    289,
    '0.10.2',
    { nparams: upTo(64), flags: withText },
    { params: memoryParameters, nparams: counted },
  ),
  /**
   * Changes how the kernel merges equal pages, until the host restarts. `shm_pages_to_scan`, `shm_sleep_millisecs` and
   * `shm_merge_across_nodes` can be set.
   * @throws {LibvirtError} `operationInvalid` when the kernel does not have one of them, `systemError` when the daemon
   * may not, `invalidArg` for another name or type
   */
  nodeSetMemoryParameters: call('NODE_SET_MEMORY_PARAMETERS', 288, '0.10.2', { params: memoryParameters, flags: none }),
  /**
   * Free pages of given sizes (KiB: 4, 2048, 1048576) on `cellCount` NUMA cells (1) from `startCell` on: one number for
   * each size on the first cell, then on the next. Cell −1 is the whole host. At most 1024 numbers.
   * @throws {LibvirtError} `internalError`, `operationFailed` or `systemError` when there is no such cell or size
   */
  nodeGetFreePages: call(
    'NODE_GET_FREE_PAGES',
    340,
    '1.2.6',
    { pages: list(u32), startCell: i32, cellCount: preset(u32, 1), flags: none },
    { counts: list(u64) },
  ),
  /**
   * Reserves huge pages: of each size in `pageSizes` (KiB) as many as `pageCounts` says at the same place, on each of
   * `cellCount` NUMA cells (1) from `startCell` on; −1 lets the kernel spread them over all. Returns on how many cells
   * it was done. The kernel may give fewer than asked: look with `nodeGetFreePages`.
   * @throws {LibvirtError} `operationFailed` when it gave too few, `systemError` when the daemon may not,
   * `internalError` when libvirt was built without NUMA
   */
  nodeAllocPages: call(
    'NODE_ALLOC_PAGES',
    347,
    '1.2.9',
    {
      pageSizes: list(u32),
      pageCounts: list(u64),
      startCell: i32,
      cellCount: preset(u32, 1),
      flags: flags({
        /** The counts are what shall be there after it, not what is added: so pages can be given back. */
        set: 1,
      }),
    },
    { cells: i32 },
    { isLong: true },
  ),
  /**
   * What AMD's memory encryption of guests (SEV) offers on this host.
   * @throws {LibvirtError} `operationUnsupported` when host or QEMU have none
   */
  nodeGetSEVInfo: call(
    'NODE_GET_SEV_INFO',
    395,
    '4.5.0',
    { nparams: upTo(64), flags: withText },
    { params: sevInfo, nparams: counted },
  ),
  /**
   * Sends the daemon's host to sleep after about ten seconds, to memory, to disk, or both, and lets its clock wake it
   * after `duration` seconds (60 at least).
   * @throws {LibvirtError} `invalidArg` for less than 60 seconds, `operationInvalid` when it is about to sleep already,
   * `argumentUnsupported` when the host cannot
   */
  nodeSuspendForDuration: call('NODE_SUSPEND_FOR_DURATION', 250, '0.9.8', {
    target: choice('memory', 'disk', 'hybrid'),
    duration: u64,
    flags: none,
  }),
}
