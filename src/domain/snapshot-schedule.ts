/**
 * When snapshots of a machine are taken by themselves, and which of them stay: a mark in libvirt's metadata, of a namespace
 * of its own (decision 0004), so that virsh shows it and another vmpkg follows it. Whom the schedule made is told by name.
 */
import type { Domain } from '../libvirt/domain.ts'
import { findInNamespace, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'

const NAMESPACE = 'urn:vmpkg:snapshots:1'
/** Prefix of the element; not ours of the other metadata, which is rendered anew. */
const KEY = 'vmpkgsnapshots'

export interface Retention {
  /** The newest of the schedule's. */
  readonly keep: number
  /** The last one of each of so many days, weeks and months that have one. */
  readonly keepDaily: number
  readonly keepWeekly: number
  readonly keepMonthly: number
}

export interface SnapshotSchedule extends Retention {
  readonly everySeconds: number
  /** Also of a machine that is off, when its disk has changed since. */
  readonly quiesce: boolean
}

/** Shorter would be more work than use: each makes the chain of a disk longer. */
export const LEAST_SECONDS = 60
/** Together: libvirt reads no chain of more than 200 files. */
export const MOST_KEPT = 150

export function readSchedule(xml: string): SnapshotSchedule | undefined {
  const [mark] = findInNamespace(parseXml(xml).root, NAMESPACE, 'schedule')
  if (mark === undefined) return undefined
  const number = (name: string): number => {
    const text = getAttribute(mark, name) ?? '0'
    return /^\d{1,9}$/.test(text) ? Number(text) : 0
  }
  const everySeconds = number('every')
  const keep = number('keep')
  // Whoever edits it by hand may not make the supervisor busy, or let it delete all.
  if (everySeconds < LEAST_SECONDS || keep < 1) return undefined
  return {
    everySeconds,
    keep,
    keepDaily: number('daily'),
    keepWeekly: number('weekly'),
    keepMonthly: number('monthly'),
    quiesce: getAttribute(mark, 'quiesce') === 'yes',
  }
}

/** @param schedule none takes the mark away */
export async function markSchedule(domain: Domain, schedule: SnapshotSchedule | undefined): Promise<void> {
  await domain.setMetadata({
    type: 'element',
    ...(schedule === undefined ? {} : { metadata: formatSchedule(schedule) }),
    key: KEY,
    uri: NAMESPACE,
    flags: (await domain.isActive()) ? ['live', 'config'] : ['config'],
  })
}

function formatSchedule({ everySeconds, keep, keepDaily, keepWeekly, keepMonthly, quiesce }: SnapshotSchedule): string {
  const further = Object.entries({ daily: keepDaily, weekly: keepWeekly, monthly: keepMonthly })
    .filter(([, count]) => count > 0)
    .map(([name, count]) => ` ${name}="${count}"`)
  return `<schedule every="${everySeconds}" keep="${keep}"${further.join('')}${quiesce ? ' quiesce="yes"' : ''}/>`
}

const AUTO = /^auto-\d{8}T\d{6}Z$/

/** `auto-20260501T120000Z` */
export function scheduledName(now: Date): string {
  return `auto-${compactTime(now)}`
}

/** `20260501T120000Z` */
export function compactTime(time: Date): string {
  return time
    .toISOString()
    .replaceAll(/[-:]/g, '')
    .replace(/\.\d{3}/, '')
}

/** Only these are ever pruned. */
export function isScheduled({ name }: { readonly name: string }): boolean {
  return AUTO.test(name)
}

/** Whom the retention no longer keeps, the oldest first; days, weeks and months are those of UTC. */
export function choosePruned<T extends { readonly name: string; readonly time: Date }>(
  snapshots: readonly T[],
  { keep, keepDaily, keepWeekly, keepMonthly }: Retention,
): readonly T[] {
  const newest = snapshots
    .filter(isScheduled)
    .toSorted((a, b) => b.time.getTime() - a.time.getTime() || b.name.localeCompare(a.name))
  const kept = new Set(newest.slice(0, keep))
  const keepOnePer = (count: number, periodOf: (time: Date) => string): void => {
    const seen = new Set<string>()
    for (const one of newest) {
      const period = periodOf(one.time)
      if (seen.size >= count || seen.has(period)) continue
      seen.add(period)
      kept.add(one)
    }
  }
  keepOnePer(keepDaily, (time) => time.toISOString().slice(0, 10))
  keepOnePer(keepWeekly, (time) => String(Math.floor((time.getTime() / 86_400_000 + 3) / 7))) // Monday begins a week
  keepOnePer(keepMonthly, (time) => time.toISOString().slice(0, 7))
  return newest.filter((one) => !kept.has(one)).toReversed()
}
