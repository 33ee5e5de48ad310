/**
 * `repo promote` and `repo yank`: what may change about a published version, signed by the promoter (decisions 4): its
 * channel, whether it is withdrawn, and what share of hosts gets it. The publisher's line stays as it is. A promoter
 * without the timestamp key leaves the signed channels file under `incoming/` for `repo merge` (decisions 5).
 */
import { VmpkgError } from '../errors.ts'
import { sha256 } from '../model/digest.ts'
import { parsePackageLine } from '../model/line-schema.ts'
import { comparePackageVersions } from '../model/package-order.ts'
import type { ChannelEntry, Channels, Envelope } from '../model/registry.ts'
import { formatChannels, formatSignedFile, parseChannels } from '../model/registry-schema.ts'
import type { Clock } from '../ports.ts'
import { readWaitingChannels } from './incoming.ts'
import { writeImmutable } from './registry-folder.ts'
import { withRegistryLock } from './registry-lock.ts'
import { type RegistryState, readRegistry } from './registry-state.ts'
import { publishVersion, type Timestamping, writeNamed } from './registry-version.ts'
import { type Signer, signFile } from './signer.ts'

export interface PromoteOptions {
  readonly folder: string
  /** Replaces what was said about the same package version. */
  readonly entry: ChannelEntry
  readonly promoters: readonly Signer[]
  readonly timestamping: Timestamping
}

/** What shall be different about a package version. What is absent stays; `null` takes it back. */
export interface ChannelChange {
  readonly name: string
  readonly version: string
  /** All that the version was published for, where absent. */
  readonly arch?: ChannelEntry['arch']
  readonly channel?: string
  readonly yanked?: string | null
  readonly phasedPercent?: number | null
}

export interface ChannelOptions {
  readonly folder: string
  readonly change: ChannelChange
  readonly promoters: readonly Signer[]
  readonly clock: Clock
  /** Absent: a submission is left for whoever holds the timestamp key. */
  readonly timestamping?: Timestamping
}

export type ChannelResult = { readonly entries: readonly ChannelEntry[] } & (
  | { readonly kind: 'published'; readonly envelope: Envelope }
  | { readonly kind: 'submitted'; readonly path: string }
  /** It was said already. */
  | { readonly kind: 'unchanged' }
)

const DEFAULT_CHANNEL = 'stable'

/** @throws {VmpkgError} `PACKAGE_UNKNOWN` `CHANNELS_INVALID` `REGISTRY_CHANGED`, or what a client would refuse */
export async function promotePackage({ folder, entry, promoters, timestamping }: PromoteOptions): Promise<Envelope> {
  return withRegistryLock(folder, async () => {
    const state = await readRegistry(folder)
    findArchs(state, entry)
    const file = await signNext(state.channels, [entry], promoters)
    return publishChannels(state, file, timestamping)
  })
}

/** @throws {VmpkgError} `PACKAGE_UNKNOWN` `CHANNELS_INVALID` `REGISTRY_CHANGED`, or what a client would refuse */
export async function changeChannels(options: ChannelOptions): Promise<ChannelResult> {
  const { folder, change, promoters, clock, timestamping } = options
  return withRegistryLock(folder, async () => {
    const state = await readRegistry(folder)
    // What promoters have said before and nobody has taken in yet is built upon, not contradicted.
    const waiting = timestamping === undefined ? await readWaitingChannels(state, clock) : undefined
    const before = waiting ?? state.channels
    const entries = findArchs(state, change).map((arch) => apply(before, change, arch))
    if (entries.every((entry) => isSaid(before, entry))) return { kind: 'unchanged', entries }
    const file = await signNext(before, entries, promoters)
    if (timestamping !== undefined) {
      return { kind: 'published', entries, envelope: await publishChannels(state, file, timestamping) }
    }
    const path = `incoming/${sha256(file)}.json`
    await writeImmutable(folder, path, file)
    return { kind: 'submitted', entries, path }
  })
}

/** Publishes a channels file that is signed already and whose version is the next one. The caller holds the lock. */
export async function publishChannels(
  state: RegistryState,
  file: Uint8Array,
  timestamping: Timestamping,
): Promise<Envelope> {
  const channels = { ...(await writeNamed(state.folder, 'channels', file)), version: state.channels.version + 1 }
  return publishVersion(state, { channels }, timestamping)
}

/** @throws {VmpkgError} `PACKAGE_UNKNOWN` */
export function findArchs(
  { entries }: Pick<RegistryState, 'entries'>,
  { name, version, arch }: Pick<ChannelChange, 'name' | 'version' | 'arch'>,
): readonly ChannelEntry['arch'][] {
  const archs = entries
    .map(({ line }) => parsePackageLine(line))
    .filter((line) => comparePackageVersions(line, { name, version, arch: arch ?? line.arch }) === 0)
    .map((line) => line.arch)
  if (archs.length > 0) return archs
  const suffix = arch === undefined ? '' : ` for ${arch}`
  throw new VmpkgError('PACKAGE_UNKNOWN', `The registry has no ${name} ${version}${suffix}`, {
    hint: 'Check name and version with `vmpkg show NAME` on a host that has this registry as a source.',
  })
}

function apply({ entries }: Channels, change: ChannelChange, arch: ChannelEntry['arch']): ChannelEntry {
  const { name, version, channel, yanked, phasedPercent } = change
  const before = entries.find((one) => comparePackageVersions(one, { name, version, arch }) === 0)
  const reason = yanked === undefined ? before?.yanked : (yanked ?? undefined)
  const percent = phasedPercent === undefined ? before?.phasedPercent : (phasedPercent ?? undefined)
  return {
    name,
    version,
    arch,
    channel: channel ?? before?.channel ?? DEFAULT_CHANNEL,
    ...(reason === undefined ? {} : { yanked: reason }),
    ...(percent === undefined ? {} : { phasedPercent: percent }),
  }
}

function isSaid({ entries }: Channels, entry: ChannelEntry): boolean {
  const before = entries.find((one) => comparePackageVersions(one, entry) === 0)
  if (before === undefined) return isDefault(entry)
  const { channel, yanked, phasedPercent } = before
  return channel === entry.channel && yanked === entry.yanked && phasedPercent === entry.phasedPercent
}

/** Needs no entry: it is what holds without one. */
function isDefault({ channel, yanked, phasedPercent }: ChannelEntry): boolean {
  return channel === DEFAULT_CHANNEL && yanked === undefined && phasedPercent === undefined
}

async function signNext(
  { registryId, version, entries }: Channels,
  changed: readonly ChannelEntry[],
  promoters: readonly Signer[],
): Promise<Uint8Array> {
  const others = entries.filter((one) => changed.every((entry) => comparePackageVersions(one, entry) !== 0))
  const next = [...others, ...changed.filter((entry) => !isDefault(entry))].toSorted(comparePackageVersions)
  const payload = formatChannels({ registryId, version: version + 1, entries: next })
  parseChannels(payload)
  return formatSignedFile(await signFile(promoters, 'promoter', 'channels', payload))
}
