/** Did you mean …? Pure. */
import { VmpkgError } from '../errors.ts'

/** Up to three names that are a slip of the finger away from `name`, the nearest first. */
export function suggestNames(name: string, names: readonly string[]): readonly string[] {
  const limit = name.length < 5 ? 1 : 2
  return names
    .map((other) => ({ other, distance: other.startsWith(name) ? 1 : measureDistance(name, other, limit) }))
    .filter(({ distance }) => distance <= limit)
    .toSorted((a, b) => a.distance - b.distance || (a.other < b.other ? -1 : 1))
    .slice(0, 3)
    .map(({ other }) => other)
}

export function unknownPackage(name: string, names: readonly string[]): VmpkgError {
  const suggestions = suggestNames(name, names)
  return new VmpkgError('PACKAGE_UNKNOWN', `There is no package ${JSON.stringify(name.slice(0, 100))}`, {
    hint:
      suggestions.length > 0
        ? `Did you mean ${suggestions.join(' or ')}?`
        : 'Run vmpkg update, then vmpkg search to find names.',
    details: { name: name.slice(0, 100), suggestions },
  })
}

/** Insertions, deletions, changes and swaps of neighbours (optimal string alignment); above `limit` any larger number. */
function measureDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, i) => i)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const at = (up: number, left: number) => rows[i - up]?.[j - left] ?? Infinity
      const change = at(1, 1) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      row.push(Math.min(change, at(1, 0) + 1, (row[j - 1] ?? Infinity) + 1, isSwap ? at(2, 2) + 1 : Infinity))
    }
    rows.push(row)
  }
  return rows[a.length]?.[b.length] ?? limit + 1
}
