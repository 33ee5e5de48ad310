import { formatPageSize } from '../../host/hugepage-plan.ts'
import { formatCpuSet } from '../../model/cpu-set.ts'
import type { Placement } from '../../model/placement.ts'
import { parseSize } from '../../model/size.ts'
import { placeMachine } from '../../operations/place-machine.ts'
import { type CommandSpec, type Io, optionList, optionNumber, optionText } from '../command.ts'
import { countOf } from '../table.ts'

export const command: CommandSpec = {
  args: '',
  summary: 'Plan the pins and the memory of a machine on this host, with reasons.',
  description: 'Changes nothing. docs/placement.md has the rules and what decides among equals.',
  options: [
    { flags: '--vcpus <number>', summary: 'processors of the machine (default 2)' },
    { flags: '--memory <size>', summary: 'its memory, as 4GiB (default 2GiB)' },
    { flags: '--iothreads <number>', summary: 'I/O threads to pin as well (default 0)' },
    { flags: '--hugepages [size]', summary: 'back its memory with huge pages, of this size as 2MiB' },
    { flags: '--no-pin', summary: 'plan the memory only' },
    { flags: '--near <address>...', summary: 'PCI devices that it gets, as 0000:03:00.0' },
    { flags: '--machine <name>', summary: 'whose present pins do not stand in the way' },
  ],
  examples: [
    'vmpkg host place --vcpus 8 --memory 16GiB',
    'vmpkg host place --vcpus 8 --memory 16GiB --hugepages --near 0000:01:00.0',
  ],
  async run({ options, io }) {
    const hugepages = options['hugepages']
    const machine = optionText(options, 'machine')
    const iothreads = optionNumber(options, 'iothreads', 0)
    const plan = await placeMachine(await io.workspace(), {
      vcpus: optionNumber(options, 'vcpus', 1) ?? 2,
      memoryKib: Math.ceil(parseSize(optionText(options, 'memory') ?? '2GiB') / 1024),
      pin: options['pin'] === false ? 'no' : 'yes',
      hugepages: hugepages === undefined || hugepages === false ? 'no' : 'yes',
      ...(typeof hugepages === 'string' ? { pageKib: parseSize(hugepages) / 1024 } : {}),
      ...(iothreads === undefined ? {} : { iothreads }),
      near: optionList(options, 'near'),
      ...(machine === undefined ? {} : { machine }),
    })
    if (io.json) io.printJson('host-placement', { placement: plan.placement, pages: plan.pages })
    else print(io, plan.placement)
    return plan.pages.some(({ missing }) => missing > 0) ? 1 : 0
  },
}

function print(io: Io, placement: Placement): void {
  const { vcpuPins, emulatorCpus, iothreadPins, topology, cells } = placement
  const { sockets, dies, cores, threads } = topology
  const pinOf = (vcpus: readonly number[]): string =>
    formatPins(vcpuPins.filter(({ vcpu }) => vcpus.includes(vcpu)).flatMap(({ cpus }) => cpus))
  const rows = [
    [
      'topology',
      `${countOf(sockets, 'socket')}, ${countOf(dies, 'die')}, ${countOf(cores, 'core')}, ${countOf(threads, 'thread')}`,
    ],
    ...cells.map(({ id, vcpus, memoryKib, hostNode, pageKib }) => [
      `cell ${id}`,
      [
        `vCPU ${formatCpuSet(vcpus)}`,
        ...(vcpuPins.length > 0 ? [`on CPU ${pinOf(vcpus)}`] : []),
        `${Math.round(memoryKib / 1024)} MiB`,
        ...(hostNode === undefined ? [] : [`from node ${hostNode}`]),
        ...(pageKib === undefined ? [] : [`in pages of ${formatPageSize(pageKib)}`]),
      ].join(', '),
    ]),
    ...(emulatorCpus.length > 0 ? [['emulator', `on CPU ${formatCpuSet(emulatorCpus)}`]] : []),
    ...iothreadPins.map(({ iothread, cpus }) => [`iothread ${iothread}`, `on CPU ${formatCpuSet(cpus)}`]),
  ]
  io.printTable(['WHAT', 'WHERE'], rows, 'whole')
  for (const reason of placement.reasons) io.note(reason)
}

/** In the order of the vCPUs: `1,11,2,12`. */
function formatPins(cpus: readonly number[]): string {
  const isAscending = cpus.every((cpu, i) => i === 0 || cpu === (cpus[i - 1] ?? 0) + 1)
  return isAscending ? formatCpuSet(cpus) : cpus.join(',')
}
