/** Publishers that publish to one registry at once, on every kind of place. */
import { PLACE_KINDS, type PlaceKind, withoutPlace } from '../support/publish-places.ts'
import { RaceCourse } from '../support/race.ts'
import { Random } from '../support/random.ts'

interface RacesRequest {
  readonly seed: number
  /** Number of the first race. */
  readonly from: number
  readonly cases: number
  readonly until?: number
}

/** Races in one registry: its index grows, and with it the time of a race. */
const ROUND = 5
/** Of twenty rounds so many are on each kind of place; what takes longer comes less often. */
const SHARES: Readonly<Record<PlaceKind, number>> = {
  folder: 12,
  oci: 1,
  's3-conditional': 3,
  sftp: 1,
  'rsync+ssh': 1,
  rsync: 1,
  's3-swift': 1,
}
const TURNS = PLACE_KINDS.flatMap((kind) => Array.from({ length: SHARES[kind] }, () => kind))

/** Throws at the first package that is lost. @returns the figures in Markdown */
export async function soakRaces({
  seed,
  from,
  cases,
  until = Number.POSITIVE_INFINITY,
}: RacesRequest): Promise<string> {
  const began = performance.now()
  const races = new Map<PlaceKind, number>()
  let [next, publications] = [from, 0]
  await using course = await RaceCourse.open()
  while (next < from + cases && Date.now() < until) {
    const number = Math.floor(next / ROUND)
    const order = new Random(seed * 1_000_003 + Math.floor(number / TURNS.length)).shuffle(TURNS)
    const kind = order[number % TURNS.length] ?? 'folder'
    const count = Math.min(ROUND, from + cases - next)
    next += count
    if (withoutPlace(kind) !== false) continue
    const publishers = 2 + new Random(seed + number).below(3)
    const lost = await course.run(kind, count, publishers)
    if (lost.length > 0) throw new Error(`race ${next - count} of seed ${seed} on ${kind} lost ${lost.join(', ')}`)
    races.set(kind, (races.get(kind) ?? 0) + count)
    publications += count * publishers
    console.error(`${next - from} of ${cases} races, the last on ${kind}`)
  }
  const text = (value: number): string => Math.round(value).toLocaleString('en')
  const list = [...races].toSorted(([a], [b]) => a.localeCompare(b)).map(([kind, value]) => `${kind} ${text(value)}`)
  return [
    `Races ${text(from)} to ${text(next - 1)} of seed ${seed}; the next run goes on with \`--seed ${seed} --from ${next}\`.`,
    '',
    `${text(publications)} publications by two to four publishers at once in ${text((performance.now() - began) / 1000)} s. ` +
      `Races by kind of place: ${list.join(', ')}. Lost: 0.`,
  ].join('\n')
}
