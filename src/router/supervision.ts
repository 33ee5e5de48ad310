/**
 * What the supervisor makes of what it sees of a router: whether its LAN stays as it is, is closed, or may be opened, and
 * when to look again. Pure, so that every case can be tried. A link comes up for an attestation of this very run only.
 */

export type Verdict =
  /** The rules are those that were rendered, and the guest says that it is ready. */
  | 'attested'
  /** The rules are right; something else is not ready yet. */
  | 'unready'
  | 'mismatch'
  /** Its channel is open and it says nothing, or somebody else has the channel. */
  | 'unanswered'
  /** It has not opened its channel. */
  | 'deaf'

export interface RouterSight {
  /** Libvirt's number of the running machine: another start has another one. */
  readonly run: number
  readonly link: 'up' | 'down'
  readonly verdict: Verdict
  /** Why, for a verdict that says little. */
  readonly reason: string
  /** Whether the router above has its LAN open; true where there is none. */
  readonly isUpperOpen: boolean
  /** Why its LAN has to stay closed whatever it attests. */
  readonly bar?: string | undefined
  /** A vmpkg command is changing things just now, perhaps this router. */
  readonly isCommandAtWork: boolean
}

/** What is remembered of a router from one look to the next. */
export interface RouterMemory {
  readonly run: number
  /** Milliseconds, as `now`. */
  readonly seenAt: number
  /** It was started under the supervisor's eyes, and with its link up: it cannot have been attested before. */
  readonly isFresh: boolean
  readonly attestedAt?: number
  readonly misses: number
  readonly mismatches: number
}

export interface Step {
  /** What the link has to become; absent where it stays. */
  readonly link?: 'up' | 'down'
  readonly reason: string
  readonly memory: RouterMemory
  /** Milliseconds until the next look. */
  readonly nextMs: number
}

/** Unanswered questions in a row until an open LAN is closed: a busy guest under TCG may miss one or two. */
export const MISSES = 3
/** However busy the commands of this host are, an open LAN is not older than this without an attestation. */
const LONGEST_MS = 600_000
/** To look again soon: something is about to change. */
export const SOON_MS = 2_000
/** How long a guest may take until it opens its channel, before it is looked at less often. */
const BOOT_MS = 180_000

/** @param memory of the look before; absent at the first one */
export function judgeRouter(
  sight: RouterSight,
  memory: RouterMemory | undefined,
  {
    now,
    intervalMs,
    isFirstRound,
  }: { readonly now: number; readonly intervalMs: number; readonly isFirstRound: boolean },
): Step {
  const fresh = { run: sight.run, seenAt: now, isFresh: !isFirstRound && sight.link === 'up', misses: 0, mismatches: 0 }
  const before = memory?.run === sight.run ? memory : fresh
  const times = { now, intervalMs }
  const step = judge(sight, before, times)
  if (sight.bar === undefined) return step
  const { link: _, ...rest } = step
  return { ...rest, ...(sight.link === 'up' ? { link: 'down' as const } : {}), reason: sight.bar, nextMs: intervalMs }
}

interface Times {
  readonly now: number
  readonly intervalMs: number
}

function judge(sight: RouterSight, before: RouterMemory, { now, intervalMs }: Times): Step {
  const { link, verdict, isCommandAtWork } = sight
  if (verdict === 'attested' || verdict === 'unready') {
    const memory = { ...before, attestedAt: now, misses: 0, mismatches: 0 }
    if (link === 'up') return { reason: 'it attests its rules', memory, nextMs: intervalMs }
    if (verdict === 'unready') return { reason: 'it is not ready yet', memory, nextMs: Math.min(SOON_MS, intervalMs) }
    if (!sight.isUpperOpen) return { reason: 'the router above is not open yet', memory, nextMs: SOON_MS }
    return { link: 'up', reason: 'it attests its rules', memory, nextMs: intervalMs }
  }
  if (verdict === 'mismatch') {
    const memory = { ...before, mismatches: before.mismatches + 1, misses: 0 }
    // While it boots it has none of its rules yet.
    if (link === 'down') {
      return {
        reason: sight.reason,
        memory,
        nextMs: now - before.seenAt < BOOT_MS ? Math.min(SOON_MS, intervalMs) : intervalMs,
      }
    }
    // A command that gives it new rules writes down which a moment after the guest has them.
    if (isCommandAtWork && before.mismatches === 0) return { reason: sight.reason, memory, nextMs: SOON_MS }
    return { link: 'down', reason: sight.reason, memory, nextMs: intervalMs }
  }
  const memory = { ...before, misses: before.misses + 1 }
  if (link === 'down') return { reason: sight.reason, memory, nextMs: pauseMs(sight, memory, { now, intervalMs }) }
  const isOld = now - (before.attestedAt ?? before.seenAt) > LONGEST_MS
  const allowed = before.isFresh && before.attestedAt === undefined ? 1 : MISSES
  const isOver = isOld || (memory.misses >= allowed && !isCommandAtWork)
  const nextMs = isCommandAtWork ? Math.min(SOON_MS, intervalMs) : intervalMs
  return { ...(isOver ? { link: 'down' as const } : {}), reason: sight.reason, memory, nextMs }
}

/** While it boots a look is cheap, for it is not asked anything; later ones are further and further apart. */
function pauseMs({ verdict }: RouterSight, { seenAt, misses }: RouterMemory, { now, intervalMs }: Times): number {
  if (verdict === 'deaf' && now - seenAt < BOOT_MS) return Math.min(SOON_MS, intervalMs)
  return Math.min(intervalMs, SOON_MS * 2 ** Math.min(misses, 10))
}

/** A machine that is to run, as far as its order among the others goes. */
export interface StartCandidate {
  readonly name: string
  readonly isRunning: boolean
  /** A router with its LAN open. */
  readonly isOpen: boolean
  /** Names of the machines it has to wait for: the router above. */
  readonly after: readonly string[]
}

/**
 * Which of those that are still to be started may start now: whose router above is open, or will not come.
 * @param waiting names
 */
export function startable(candidates: readonly StartCandidate[], waiting: ReadonlySet<string>): readonly string[] {
  const find = (name: string): StartCandidate | undefined => candidates.find((one) => one.name === name)
  return candidates
    .filter(({ name, isRunning }) => waiting.has(name) && !isRunning)
    .filter(({ after }) =>
      after.every((name) => {
        const upper = find(name)
        return upper === undefined || upper.isOpen || (!upper.isRunning && !waiting.has(name))
      }),
    )
    .map(({ name }) => name)
}
