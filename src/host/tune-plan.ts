/**
 * Settings of the running kernel that make guests steadier: read, and what they should become. Below a root, so that trees
 * serve as tests. Nothing is written here.
 *
 * Source: Linux Documentation/admin-guide/pm/{cpufreq,cpuidle}.rst, core-api/irq/irq-affinity.rst, virt/kvm/halt-polling.rst,
 * admin-guide/mm/{ksm,transhuge}.rst.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { VmpkgError } from '../errors.ts'
import { formatCpuSet } from '../model/cpu-set.ts'
import { toIds } from './demand-values.ts'

export interface TuneChange {
  /** As on the host, `/sys/…` or `/proc/…`. */
  readonly file: string
  readonly before: string
  readonly after: string
  readonly why: string
}

export interface TunePlan {
  /** In the order to write them; undone in the opposite one. */
  readonly changes: readonly TuneChange[]
  readonly notes: readonly string[]
}

const HALT_POLL_NS = 400_000
/** Leaving C1 takes about 2 µs, C1E 10, C6 100 and more. */
const LONGEST_EXIT_US = 2

/**
 * @param pins processors that guests' virtual ones are pinned to; none for what concerns the whole host only
 * @throws {VmpkgError} `USAGE` for processors that are not online, or when none is left for the host
 */
export async function planTuning(root: string, pins: readonly number[]): Promise<TunePlan> {
  const online = toIds((await readSetting(root, '/sys/devices/system/cpu/online')) ?? '')
  checkPins(pins, online)
  const cores = pins.length === 0 ? online : pins
  const notes: string[] = []
  const changes = [
    ...(await Promise.all(cores.map((cpu) => planFrequency(root, cpu)))).flat(),
    ...(await Promise.all(pins.map((cpu) => planSleep(root, cpu)))).flat(),
    ...(pins.length === 0 ? [] : await planInterrupts(root, pins, online)),
    ...(await planValue(
      root,
      '/sys/kernel/mm/ksm/run',
      '0',
      'identical pages of guests are not merged while they run',
    )),
    ...(await planHaltPolling(root)),
    ...(await planHugepages(root)),
  ]
  if (pins.length > 0 && (await isRunning(root, 'irqbalance')))
    notes.push('irqbalance runs and will move interrupts again: stop it (sudo systemctl stop irqbalance)')
  if (pins.length === 0) notes.push('Without --pins or --machine only what concerns the whole host is set')
  if (pins.includes(0)) notes.push('Processor 0 serves interrupts that cannot be moved: keep busy guests off it')
  return { changes, notes }
}

function checkPins(pins: readonly number[], online: readonly number[]): void {
  const wrong = pins.filter((cpu) => !online.includes(cpu))
  if (wrong.length > 0) {
    throw new VmpkgError('USAGE', `Processor ${wrong.slice(0, 8).join(', ')} is not online`, {
      hint: 'lscpu --online --extended lists them.',
    })
  }
  if (pins.length === 0 || online.some((cpu) => !pins.includes(cpu))) return
  throw new VmpkgError('USAGE', 'These are all processors there are: none is left for the host', {
    hint: 'Leave out one or more, for the host and QEMU’s own threads.',
  })
}

async function readSetting(root: string, file: string): Promise<string | undefined> {
  return readFile(join(root, file), 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  )
}

async function planValue(root: string, file: string, after: string, why: string): Promise<readonly TuneChange[]> {
  const before = await readSetting(root, file)
  return before === undefined || before === '' || before === after ? [] : [{ file, before, after, why }]
}

async function planFrequency(root: string, cpu: number): Promise<readonly TuneChange[]> {
  const folder = `/sys/devices/system/cpu/cpu${cpu}/cpufreq`
  const governors = ((await readSetting(root, `${folder}/scaling_available_governors`)) ?? '').split(' ')
  const maximum = await readSetting(root, `${folder}/scaling_max_freq`)
  return [
    ...(governors.includes('performance')
      ? await planValue(root, `${folder}/scaling_governor`, 'performance', 'a core that runs slowly answers late')
      : []),
    ...(maximum === undefined
      ? []
      : await planValue(root, `${folder}/scaling_min_freq`, maximum, 'the core keeps its highest frequency')),
  ]
}

async function planSleep(root: string, cpu: number): Promise<readonly TuneChange[]> {
  const folder = `/sys/devices/system/cpu/cpu${cpu}/cpuidle`
  const states = (await readdir(join(root, folder)).catch((): string[] => [])).filter((name) => /^state\d+$/.test(name))
  const planned = states.toSorted().map(async (state) => {
    const latency = Number((await readSetting(root, `${folder}/${state}/latency`)) ?? 0)
    if (latency <= LONGEST_EXIT_US) return []
    const name = (await readSetting(root, `${folder}/${state}/name`)) ?? state
    return planValue(root, `${folder}/${state}/disable`, '1', `${name} takes ${latency} µs to leave`)
  })
  return (await Promise.all(planned)).flat()
}

async function planInterrupts(
  root: string,
  pins: readonly number[],
  online: readonly number[],
): Promise<readonly TuneChange[]> {
  const pinned = new Set(pins)
  const numbers = (await readdir(join(root, '/proc/irq')).catch((): string[] => [])).filter((name) =>
    /^\d+$/.test(name),
  )
  const planned = numbers
    .toSorted((a, b) => Number(a) - Number(b))
    .map(async (number) => {
      const file = `/proc/irq/${number}/smp_affinity_list`
      const own = toIds((await readSetting(root, file)) ?? '')
      if (!own.some((cpu) => pinned.has(cpu))) return []
      const rest = own.filter((cpu) => !pinned.has(cpu) && online.includes(cpu))
      const others = rest.length > 0 ? rest : online.filter((cpu) => !pinned.has(cpu))
      return planValue(root, file, formatCpuSet(others), `interrupt ${number} does not stop a guest`)
    })
  return (await Promise.all(planned)).flat()
}

async function planHaltPolling(root: string): Promise<readonly TuneChange[]> {
  const file = '/sys/module/kvm/parameters/halt_poll_ns'
  const before = Number(await readSetting(root, file))
  if (!(before < HALT_POLL_NS)) return []
  return planValue(root, file, String(HALT_POLL_NS), 'a guest that waits shortly stays on its core')
}

/** The kernel prints all values with the chosen one in brackets, and takes one word. */
async function planHugepages(root: string): Promise<readonly TuneChange[]> {
  const file = '/sys/kernel/mm/transparent_hugepage/enabled'
  const before = /\[(\w+)\]/.exec((await readSetting(root, file)) ?? '')?.[1]
  return before === 'never'
    ? [{ file, before, after: 'madvise', why: 'QEMU asks for huge pages for a guest’s memory' }]
    : []
}

async function isRunning(root: string, program: string): Promise<boolean> {
  const ids = (await readdir(join(root, '/proc')).catch((): string[] => [])).filter((name) => /^\d+$/.test(name))
  for (const id of ids) if ((await readSetting(root, `/proc/${id}/comm`)) === program) return true
  return false
}
