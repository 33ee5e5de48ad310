/**
 * Chooses cores of one NUMA node that lie close together: a level of the hierarchy at a time (package, last cache,
 * cluster), the smallest part that holds all of them, else the largest part whole and the rest from the others.
 * Isolated cores come before others, faster kinds before slower ones.
 */
import type { FreeCore } from './placement-cost.ts'

/** @param cores of one node; at least `count`. @returns `count` of them, those close together side by side */
export function chooseCores(cores: readonly FreeCore[], count: number): FreeCore[] {
  const ranks = [...Map.groupBy(cores, ({ isIsolated, kind }) => (isIsolated ? 0 : 100) + kind)]
  const chosen: FreeCore[] = []
  for (const [, own] of ranks.toSorted(([a], [b]) => a - b)) {
    const wanted = Math.min(count - chosen.length, own.length)
    if (wanted > 0) chosen.push(...chooseFrom(own, wanted, 0))
  }
  return chosen
}

const LEVELS: readonly ((core: FreeCore) => number)[] = [
  ({ packageId }) => packageId,
  ({ llc }) => llc,
  ({ cluster }) => cluster,
]

function chooseFrom(cores: readonly FreeCore[], count: number, level: number): FreeCore[] {
  const keyOf = LEVELS[level]
  if (keyOf === undefined || count === cores.length) return orderByPlace(cores).slice(0, count)
  const parts = [...Map.groupBy(cores, keyOf).values()]
  const chosen: FreeCore[] = []
  while (chosen.length < count && parts.length > 0) {
    const rest = count - chosen.length
    const fitting = parts.filter((part) => part.length >= rest)
    const part =
      fitting.length > 0
        ? // Of parts of one size the one whose own parts are fewest: it holds them closer together.
          fitting.toSorted((a, b) => spread(a, rest, level + 1) - spread(b, rest, level + 1) || a.length - b.length)[0]
        : parts.toSorted((a, b) => b.length - a.length)[0]
    if (part === undefined) break
    parts.splice(parts.indexOf(part), 1)
    chosen.push(...chooseFrom(part, Math.min(rest, part.length), level + 1))
  }
  return chosen
}

/** How many parts of the next levels `count` cores need. */
function spread(cores: readonly FreeCore[], count: number, level: number): number {
  const keyOf = LEVELS[level]
  if (keyOf === undefined) return 0
  const sizes = [...Map.groupBy(cores, keyOf).values()].map(({ length }) => length).toSorted((a, b) => b - a)
  let held = 0
  let parts = 0
  while (held < count && parts < sizes.length) held += sizes[parts++] ?? 0
  return parts * 1_000 + spread(cores, count, level + 1)
}

function orderByPlace(cores: readonly FreeCore[]): FreeCore[] {
  return cores.toSorted(
    (a, b) =>
      a.packageId - b.packageId || a.llc - b.llc || a.cluster - b.cluster || (a.cpus[0] ?? 0) - (b.cpus[0] ?? 0),
  )
}
