/** Which point in time `--at` means: the name of a snapshot or layer, a time, or how long ago. Pure. */
import type { PointInTime } from '../domain/points.ts'
import { VmpkgError } from '../errors.ts'

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }
const TIME = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d)?)?$/

/**
 * The point of that name (the latest one, where several have it), else the latest one that is not after the time; the
 * newest of all where nothing is said.
 * @param points in order of time
 * @throws {VmpkgError} `USAGE`
 */
export function choosePoint(points: readonly PointInTime[], at: string | undefined, now: Date): PointInTime {
  const newest = points.at(-1)
  if (at === undefined && newest !== undefined) return newest
  return chooseNamed(points, at ?? 'now', now)
}

function chooseNamed(points: readonly PointInTime[], at: string, now: Date): PointInTime {
  const named = points.findLast(({ name }) => name === at)
  if (named !== undefined) return named
  if (at === 'now') {
    throw new VmpkgError('USAGE', 'The machine is running, and what its disk has now may be half written', {
      hint: 'Add --live to read it all the same, or name a snapshot.',
    })
  }
  const time = parseMoment(at, now)
  const names = points.map(({ name }) => name).join(', ')
  if (time === undefined) {
    throw new VmpkgError('USAGE', `There is no point in time ${JSON.stringify(at.slice(0, 80))}`, {
      hint: `Name one of these: ${names || 'none'}; or a time (2026-05-01T12:00), or how long ago (90m, 2h, 3d, 1w).`,
    })
  }
  const found = points.findLast((point) => point.time.getTime() <= time.getTime())
  if (found !== undefined) return found
  throw new VmpkgError('USAGE', `Nothing is known of ${time.toISOString()}: the first point in time is later`, {
    hint: `The first one is ${points[0]?.name ?? 'none'} of ${points[0]?.time.toISOString() ?? 'never'}.`,
  })
}

/** A time without a zone is the local one; a day without a time is its end, so that the whole day counts. */
export function parseMoment(text: string, now: Date): Date | undefined {
  const [, count, unit = ''] = /^(\d{1,6})([smhdw])$/.exec(text) ?? []
  if (count !== undefined) return new Date(now.getTime() - Number(count) * (UNITS[unit] ?? 0) * 1000)
  if (!TIME.test(text)) return undefined
  const time = new Date(text.length === 10 ? `${text}T23:59:59.999` : text.replace(' ', 'T'))
  return Number.isNaN(time.getTime()) ? undefined : time
}
