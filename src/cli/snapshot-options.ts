/** What several snapshot commands take. */
import type { Retention } from '../domain/snapshot-schedule.ts'
import { VmpkgError } from '../errors.ts'
import { type OptionSpec, type OptionValues, optionNumber } from './command.ts'

export const RETENTION_OPTIONS: readonly OptionSpec[] = [
  { flags: '--keep <count>', summary: 'how many of the newest stay' },
  { flags: '--keep-daily <days>', summary: 'and the last one of each of so many days' },
  { flags: '--keep-weekly <weeks>', summary: 'and the last one of each of so many weeks' },
  { flags: '--keep-monthly <months>', summary: 'and the last one of each of so many months' },
]

/** `undefined` where nothing is said. @throws {VmpkgError} `USAGE` */
export function retentionOf(options: OptionValues): Retention | undefined {
  const keep = optionNumber(options, 'keep', 1)
  const further = {
    keepDaily: optionNumber(options, 'keepDaily', 0),
    keepWeekly: optionNumber(options, 'keepWeekly', 0),
    keepMonthly: optionNumber(options, 'keepMonthly', 0),
  }
  if (keep === undefined) {
    if (Object.values(further).every((one) => one === undefined)) return undefined
    throw new VmpkgError('USAGE', 'How many of the newest stay has to be said as well', { hint: 'Add --keep 24.' })
  }
  const { keepDaily = 0, keepWeekly = 0, keepMonthly = 0 } = further
  return { keep, keepDaily, keepWeekly, keepMonthly }
}

/** `1h`, `90m` */
export function formatEvery(seconds: number): string {
  for (const [unit, size] of [
    ['w', 604_800],
    ['d', 86_400],
    ['h', 3600],
  ] as const) {
    if (seconds % size === 0) return `${seconds / size}${unit}`
  }
  return `${Math.round(seconds / 60)}m`
}

export function formatRetention({ keep, keepDaily, keepWeekly, keepMonthly }: Retention): string {
  const further = [
    [keepDaily, 'daily'],
    [keepWeekly, 'weekly'],
    [keepMonthly, 'monthly'],
  ] as const
  return [String(keep), ...further.filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}`)].join(', ')
}
