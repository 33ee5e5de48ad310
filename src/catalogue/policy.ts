/**
 * Which versions of a package this host takes, and in which order: source priorities, pins, channels, phasing, yanks, and
 * one source a name (threats M20). Pure; the rules are in docs/resolver.md, "Which version is the candidate".
 *
 * Source: apt_preferences(5), of which this keeps priorities, the limit of 1000 for going back and negative ones.
 */
import { matchesNamePattern } from '../model/name.ts'
import { compareVersions, parseVersion } from '../model/version.ts'
import { isPhasedIn } from './phasing.ts'

/** A rule of the user's. It applies where everything it names matches; without anything but a name, to all its versions. */
export interface Pin {
  /** `router-uni`, `router-*` or `*`. */
  readonly name: string
  readonly version?: string
  readonly source?: string
  readonly channel?: string
  /** -1000 to 10000: below 0 never, above 1000 even if that means going back. */
  readonly priority: number
  /** For people. */
  readonly reason?: string
}

export interface Preferences {
  /** Followed for all packages, besides `stable`. */
  readonly channels: readonly string[]
  /** Followed for one package. */
  readonly packageChannels: Readonly<Record<string, readonly string[]>>
  readonly pins: readonly Pin[]
  /** What images and archives may take on disk before former versions are given up, as in `20GiB`. */
  readonly quota?: string
}

export const NO_PREFERENCES: Preferences = { channels: [], packageChannels: {}, pins: [] }

/** From here on a version may take the place of a newer installed one. */
export const MAY_GO_BACK = 1000

/** A version that a source offers, and what was said about it. */
export interface Offer {
  readonly name: string
  readonly version: string
  readonly source: string
  /** Of the source. */
  readonly sourcePriority: number
  /** Place of the source among all: by priority, then by the time it was added. */
  readonly sourceOrder: number
  readonly channel: string
  /** The reason, where the version is withdrawn. */
  readonly yanked?: string
  readonly phasedPercent: number
}

export interface Verdict<T extends Offer> {
  readonly offer: T
  readonly priority: number
  readonly pin?: Pin
  /** Why it may not be installed; absent for those that may. */
  readonly refusal?: Refusal
}

interface Refusal {
  readonly kind: 'yanked' | 'pinned' | 'channel' | 'phased' | 'source'
  /** Follows the version's name in a sentence. */
  readonly because: string
  readonly hint?: string
}

export interface JudgeOptions {
  readonly preferences: Preferences
  /** Of the host, for phasing. */
  readonly seed: string
  /** The source that an installed package of that name came from. */
  readonly installedFrom?: string | undefined
  /** Names of all sources that there are. */
  readonly sources: ReadonlySet<string>
}

/** All versions of one name: those that may be installed, best first, then the others, newest first. */
export function judge<T extends Offer>(offers: readonly T[], options: JudgeOptions): readonly Verdict<T>[] {
  const judged = offers.map((offer) => judgeAlone(offer, options))
  const home = findHome(judged, options)
  const atHome = judged.filter(({ offer, refusal }) => refusal === undefined && offer.source === home)
  const toBeat = Math.max(...atHome.map(({ priority }) => priority), ...(atHome.length === 0 ? [0] : []))
  const verdicts = judged.map((one): Verdict<T> => {
    if (one.refusal !== undefined || home === undefined || one.offer.source === home) return one
    const isInvited = one.pin !== undefined && namesOffer(one.pin) && one.priority > toBeat
    return isInvited ? one : { ...one, refusal: fromElsewhere(one.offer, home) }
  })
  return verdicts.toSorted(compareVerdicts)
}

/** The most particular pin that applies: one with a version before one with a source before one with a channel. */
function findPin(offer: Offer, pins: readonly Pin[]): Pin | undefined {
  let best: Pin | undefined
  for (const pin of pins) {
    if (!matchesNamePattern(pin.name, offer.name)) continue
    if (pin.version !== undefined && compareVersions(parseVersion(pin.version), parseVersion(offer.version)) !== 0)
      continue
    if (pin.source !== undefined && pin.source !== offer.source) continue
    if (pin.channel !== undefined && pin.channel !== offer.channel) continue
    if (best === undefined || weigh(pin) >= weigh(best)) best = pin // of two that are alike the later one
  }
  return best
}

function weigh({ name, version, source, channel }: Pin): number {
  const particulars = (version === undefined ? 0 : 8) + (source === undefined ? 0 : 4) + (channel === undefined ? 0 : 2)
  return particulars * 100 + (name.endsWith('*') ? name.length : 99)
}

/** True where the pin says from where, not only how much: such a pin may bring in another source. */
function namesOffer({ version, source }: Pin): boolean {
  return version !== undefined || source !== undefined
}

function judgeAlone<T extends Offer>(offer: T, { preferences, seed }: JudgeOptions): Verdict<T> {
  const pin = findPin(offer, preferences.pins)
  const priority = pin?.priority ?? offer.sourcePriority
  const refusal = refuse(offer, pin, priority, preferences, seed)
  return { offer, priority, ...(pin === undefined ? {} : { pin }), ...(refusal === undefined ? {} : { refusal }) }
}

function refuse(
  { name, version, channel, yanked, phasedPercent }: Offer,
  pin: Pin | undefined,
  priority: number,
  { channels, packageChannels }: Preferences,
  seed: string,
): Refusal | undefined {
  if (yanked !== undefined) return { kind: 'yanked', because: `is withdrawn by its publisher (${yanked})` }
  if (priority < 0) {
    return { kind: 'pinned', because: `is pinned to ${priority}, which means never`, hint: 'See vmpkg pin list.' }
  }
  const isFollowed =
    channel === 'stable' || channels.includes(channel) || packageChannels[name]?.includes(channel) === true
  const isNamed = pin?.version !== undefined || pin?.channel !== undefined
  if (!isFollowed && !isNamed) {
    const because = `is in channel ${channel}, which you do not follow`
    return { kind: 'channel', because, hint: `Follow that channel: vmpkg channel follow ${channel} ${name}.` }
  }
  if (pin?.version !== undefined || isPhasedIn(seed, name, version, phasedPercent)) return undefined
  return {
    kind: 'phased',
    because: `is offered to ${phasedPercent} % of hosts so far, and this is not one of them`,
    hint: `Wait, or take it now: vmpkg pin set ${name}=${version} 500.`,
  }
}

/** An installed package's own source, for as long as there is that source; else the one with the best offer. */
function findHome<T extends Offer>(
  judged: readonly Verdict<T>[],
  { installedFrom, sources }: JudgeOptions,
): string | undefined {
  if (installedFrom !== undefined && sources.has(installedFrom)) return installedFrom
  const [best] = judged
    .filter(({ refusal }) => refusal === undefined)
    .toSorted((a, b) => b.priority - a.priority || a.offer.sourceOrder - b.offer.sourceOrder)
  return best?.offer.source
}

function fromElsewhere({ name, source }: Offer, home: string): Refusal {
  return {
    kind: 'source',
    because: `comes from source ${source}, while ${name} is taken from ${home}`,
    hint: `Take it from there: vmpkg pin set ${name} --source ${source} 990.`,
  }
}

function compareVerdicts(a: Verdict<Offer>, b: Verdict<Offer>): number {
  const refused = Number(a.refusal !== undefined) - Number(b.refusal !== undefined)
  const byPriority = a.refusal === undefined && b.refusal === undefined ? b.priority - a.priority : 0
  return refused || byPriority || compareOffers(a.offer, b.offer)
}

/** Newest first. Versions of one source come in that order already, so most are never parsed. */
function compareOffers(a: Offer, b: Offer): number {
  if (a.source === b.source) return 0
  return compareVersions(parseVersion(b.version), parseVersion(a.version)) || a.sourceOrder - b.sourceOrder
}
