/** Processors, memory, their placement on the host and their limits. */
import type { Gate } from '../gate.ts'
import { asking, chosen, given, never, neverValue, oneOf, type Rule, rule, unless } from '../policy.ts'
import { device } from './device.ts'
import {
  attributes,
  cpuSet,
  each,
  hexadecimal,
  large,
  line,
  number,
  onOff,
  quantity,
  signed,
  textOf,
  unit,
  uuid,
  word,
  yesNo,
} from './values.ts'

const PIN = 'cpu-pinning'
const planned = given('the planned memory', 'memoryKib')
const pinnedSet = asking(PIN, cpuSet)
const scheduler: Rule = {
  needs: 'realtime',
  many: true,
  attributes: { vcpus: cpuSet, iothreads: cpuSet, scheduler: oneOf('fifo', 'rr', 'idle', 'batch'), priority: number },
}
const memoryPlace: Rule = {
  attributes: {
    mode: oneOf('strict', 'preferred', 'interleave', 'restrictive'),
    nodeset: cpuSet,
    placement: oneOf('static', 'auto'),
    cellid: number,
  },
  many: true,
}

const cpu: Rule = {
  attributes: {
    mode: oneOf('custom', 'host-model', 'host-passthrough', 'maximum'),
    match: oneOf('exact', 'minimum', 'strict'),
    check: oneOf('none', 'partial', 'full'),
    migratable: onOff,
    deprecated_features: onOff,
  },
  children: {
    model: { attributes: { fallback: oneOf('allow', 'forbid'), vendor_id: line }, text: word },
    vendor: textOf(word),
    topology: attributes(number, 'sockets', 'dies', 'clusters', 'cores', 'threads'),
    feature: { attributes: { policy: word, name: word }, many: true },
    cache: { attributes: { mode: oneOf('passthrough', 'emulate', 'disable'), level: number } },
    maxphysaddr: {
      attributes: { mode: oneOf('emulate', 'passthrough'), bits: number, limit: number },
    },
    numa: {
      children: {
        cell: {
          many: true,
          attributes: {
            id: number,
            cpus: cpuSet,
            memory: large,
            unit: oneOf('KiB'),
            discard: yesNo,
            memAccess: unless(oneOf('private'), 'shared-memory', oneOf('shared')),
          },
          children: {
            distances: { children: { sibling: { attributes: { id: number, value: number }, many: true } } },
            cache: {
              many: true,
              attributes: { level: number, associativity: word, policy: word },
              children: each({ attributes: { value: number, unit } }, 'size', 'line'),
            },
          },
        },
        interconnects: {
          children: each(
            {
              many: true,
              attributes: {
                ...attributes(number, 'initiator', 'target', 'cache').attributes,
                type: word,
                value: large,
                unit,
              },
            },
            'latency',
            'bandwidth',
          ),
        },
      },
    },
  },
}

/** Directly below `domain`. */
export const processorsAndMemory: Readonly<Record<string, Rule>> = {
  memory: { attributes: { unit: oneOf('KiB'), dumpCore: onOff }, required: ['unit'], text: planned },
  // Less where a balloon or memory devices may bring the rest.
  currentMemory: { attributes: { unit: oneOf('KiB') }, required: ['unit'], text: atMostPlanned },
  // Room for memory devices, whose sizes count as planned memory: `judgeMemory` in domain-policy.ts.
  maxMemory: { attributes: { unit: oneOf('KiB'), slots: number }, text: large },
  vcpu: {
    attributes: {
      placement: unless(oneOf('static'), PIN, oneOf('auto')),
      cpuset: pinnedSet,
      current: number,
    },
    text: given('the planned number of processors', 'vcpus'),
  },
  vcpus: {
    children: {
      vcpu: { attributes: { id: number, enabled: yesNo, hotpluggable: yesNo, order: number }, many: true },
    },
  },
  iothreads: textOf(number),
  iothreadids: {
    children: {
      iothread: {
        many: true,
        attributes: attributes(number, 'id', 'thread_pool_min', 'thread_pool_max').attributes ?? {},
        children: { poll: attributes(large, 'max', 'grow', 'shrink') },
      },
    },
  },
  defaultiothread: attributes(number, 'thread_pool_min', 'thread_pool_max'),
  cpu,
  cputune: {
    children: {
      // Above the kernel's default of 1024 (cgroup v1) and 100 (v2) a machine goes before others.
      shares: textOf(unless(atMostShares, 'realtime', large)),
      ...each(textOf(large), 'period', 'global_period', 'emulator_period', 'iothread_period'),
      ...each(textOf(signed), 'quota', 'global_quota', 'emulator_quota', 'iothread_quota'),
      vcpupin: { needs: PIN, attributes: { vcpu: number, cpuset: cpuSet }, many: true },
      emulatorpin: { needs: PIN, attributes: { cpuset: cpuSet } },
      iothreadpin: { needs: PIN, attributes: { iothread: number, cpuset: cpuSet }, many: true },
      ...each(scheduler, 'vcpusched', 'iothreadsched', 'emulatorsched'),
      cachetune: {
        needs: PIN,
        many: true,
        attributes: { vcpus: cpuSet, id: neverValue('libvirt chooses it') },
        children: {
          cache: {
            many: true,
            attributes: { id: number, level: number, type: oneOf('both', 'code', 'data'), size: number, unit },
          },
          monitor: { attributes: { level: number, vcpus: cpuSet }, many: true },
        },
      },
      memorytune: {
        needs: PIN,
        many: true,
        attributes: { vcpus: cpuSet },
        children: {
          node: { attributes: { id: number, bandwidth: number }, many: true },
          monitor: { attributes: { vcpus: cpuSet }, many: true },
        },
      },
    },
  },
  numatune: { needs: PIN, children: { memory: memoryPlace, memnode: memoryPlace } },
  memtune: {
    children: {
      ...each({ attributes: { unit }, text: large }, 'hard_limit', 'soft_limit', 'swap_hard_limit'),
      min_guarantee: never('only ESX has it'),
    },
  },
  memoryBacking: {
    children: {
      hugepages: {
        needs: 'hugepages',
        children: { page: { attributes: { size: large, unit, nodeset: cpuSet }, many: true } },
      },
      nosharepages: {},
      locked: { needs: 'locked-memory' },
      source: {
        attributes: { type: unless(oneOf('anonymous', 'memfd'), 'shared-memory', oneOf('file')) },
        required: ['type'],
      },
      access: { attributes: { mode: unless(oneOf('private'), 'shared-memory', oneOf('shared')) }, required: ['mode'] },
      allocation: { attributes: { mode: oneOf('immediate', 'ondemand'), threads: number } },
      discard: {},
    },
  },
  blkiotune: {
    children: {
      weight: textOf(number),
      device: {
        many: true,
        needs: 'block-device',
        children: {
          path: textOf(chosen),
          ...each(textOf(large), 'weight', 'read_bytes_sec', 'read_iops_sec', 'write_bytes_sec', 'write_iops_sec'),
        },
      },
    },
  },
}

const pageOf: Rule = { needs: 'hugepages', ...quantity }
const memoryFile = { needs: 'host-file:write', text: chosen } as const

/** `<memory>` among the devices; sizes are added up in domain-policy.ts. */
export const memoryDevice: Rule = rule(device, {
  attributes: {
    access: unless(oneOf('private'), 'shared-memory', oneOf('shared')),
    discard: yesNo,
  },
  variants: {
    by: 'model',
    cases: {
      dimm: {},
      'virtio-mem': {},
      nvdimm: {},
      'virtio-pmem': {},
      'sgx-epc': { never: 'vmpkg cannot share out the memory of SGX' },
    },
  },
  children: {
    uuid: textOf(uuid),
    source: {
      children: {
        pagesize: pageOf,
        nodemask: { needs: PIN, text: cpuSet },
        path: memoryFile,
        alignsize: quantity,
        pmem: { needs: 'host-file:write' },
      },
    },
    target: {
      attributes: { dynamicMemslots: yesNo },
      children: {
        ...each({ attributes: { unit: oneOf('KiB') }, text: large }, 'size', 'requested', 'block'),
        current: never('only libvirt says this'),
        node: textOf(number),
        label: { children: { size: { attributes: { unit: oneOf('KiB') }, text: large } } },
        readonly: {},
        address: attributes(hexadecimal, 'base'),
      },
    },
  },
})

function atMostShares(value: string): string | undefined {
  return /^[0-9]{1,4}$/.test(value) && Number(value) <= 1024 ? undefined : 'must be at most 1024'
}

function atMostPlanned(value: string, gate: Gate): string | undefined {
  const most = Number(gate.given['memoryKib']?.[0])
  return /^[0-9]{1,15}$/.test(value) && Number(value) <= most ? undefined : 'is more than the planned memory'
}
