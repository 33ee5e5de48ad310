/**
 * Kinds of cores on hybrid processors, the fastest first. Three sources, the first that tells kinds apart wins:
 * the PMUs `cpu_core`, `cpu_atom` and `cpu_lowpower` (Intel), `cpu_capacity` (ARM), the highest frequency (AMD's
 * compact cores have neither of the others).
 *
 * Sources: Linux Documentation/arch/x86/cpu hybrid PMUs (arch/x86/events/intel/core.c names them);
 * Documentation/devicetree/bindings/cpu/cpu-capacity.txt; cpufreq's cpuinfo_max_freq.
 */
import type { CoreKind } from './topology.ts'

/**
 * Cores whose speeds differ by less are one kind: single cores of the same make have turbo limits up to some 10 % apart
 * ("favoured cores"), while efficiency and compact cores are at least a third slower.
 */
const SAME_KIND = 0.8

export interface CoreSpeed {
  readonly id: number
  readonly capacity?: number
  readonly maximumKhz?: number
}

/** @param pmus CPUs of `cpu_core`, `cpu_atom`, `cpu_lowpower`, in this order; empty where there is none */
export function findCoreKinds(cpus: readonly CoreSpeed[], pmus: readonly (readonly number[])[]): CoreKind[] {
  const online = new Set(cpus.map(({ id }) => id))
  const byPmu = pmus.map((list) => list.filter((id) => online.has(id))).filter((list) => list.length > 0)
  if (byPmu.length > 1 && byPmu.flat().length === online.size) return named(byPmu)
  const byCapacity = bySpeed(cpus, ({ capacity }) => capacity)
  if (byCapacity.length > 1) return named(byCapacity)
  return named(bySpeed(cpus, ({ maximumKhz }) => maximumKhz))
}

function bySpeed(cpus: readonly CoreSpeed[], speedOf: (cpu: CoreSpeed) => number | undefined): number[][] {
  if (cpus.some((cpu) => (speedOf(cpu) ?? 0) <= 0)) return [cpus.map(({ id }) => id)]
  const groups: { least: number; ids: number[] }[] = []
  for (const cpu of cpus.toSorted((a, b) => (speedOf(b) ?? 0) - (speedOf(a) ?? 0) || a.id - b.id)) {
    const speed = speedOf(cpu) ?? 0
    const group = groups.at(-1)
    if (group !== undefined && speed >= group.least * SAME_KIND) {
      group.ids.push(cpu.id)
      group.least = speed
    } else groups.push({ least: speed, ids: [cpu.id] })
  }
  return groups.map(({ ids }) => ids)
}

const NAMES = ['performance', 'efficiency', 'low-power'] as const

function named(groups: readonly (readonly number[])[]): CoreKind[] {
  return groups.map((cpus, rank) => ({
    name: groups.length === 1 ? 'uniform' : (NAMES[rank] ?? 'low-power'),
    cpus: cpus.toSorted((a, b) => a - b),
  }))
}
