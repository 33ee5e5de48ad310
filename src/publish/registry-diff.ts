/** `repo diff`: what is different between two states of registries. Pure; test oracle: what was done between the two. */
import { comparePackageVersions } from '../model/package-order.ts'
import type { ChannelEntry, Channels, Root } from '../model/registry.ts'
import type { PackageEntry } from '../trust/package-entry.ts'
import type { RegistryView } from './registry-view.ts'

export type PackageRef = Pick<ChannelEntry, 'name' | 'version' | 'arch'>

export interface ChannelState {
  readonly channel: string
  readonly yanked?: string
  readonly phasedPercent?: number
}

export interface RegistryDiff {
  /** False where the two are different registries altogether. */
  readonly sameRegistry: boolean
  readonly versions: readonly [number, number]
  readonly added: readonly PackageRef[]
  readonly removed: readonly PackageRef[]
  /** The same version with another signed line: must never happen within a registry (threats P02). */
  readonly changed: readonly PackageRef[]
  readonly yanked: readonly (PackageRef & { readonly reason: string })[]
  readonly channels: readonly (PackageRef & { readonly before: ChannelState; readonly after: ChannelState })[]
  /** In words: keys, thresholds, patterns. */
  readonly root: readonly string[]
}

export function isEqual({ added, removed, changed, channels, root, sameRegistry }: RegistryDiff): boolean {
  return sameRegistry && [added, removed, changed, channels, root].every((list) => list.length === 0)
}

export function diffRegistries(before: RegistryView, after: RegistryView): RegistryDiff {
  const old = byKey(before.index.entries)
  const now = byKey(after.index.entries)
  const missing = (from: ReadonlyMap<string, PackageEntry>, other: ReadonlyMap<string, PackageEntry>) =>
    [...from].filter(([key]) => !other.has(key)).map(([, { line }]) => ref(line))
  const kept = [...now].flatMap(([key, entry]) => {
    const earlier = old.get(key)
    return earlier === undefined ? [] : [{ entry, earlier }]
  })
  const states = [...now.values()].map(({ line }) => ({
    ...ref(line),
    before: stateOf(before.channels, line),
    after: stateOf(after.channels, line),
  }))
  return {
    sameRegistry: before.root.registryId === after.root.registryId,
    versions: [before.envelope.version, after.envelope.version],
    added: missing(now, old),
    removed: missing(old, now),
    changed: kept
      .filter(({ entry, earlier }) => entry.lineDigest !== earlier.lineDigest)
      .map(({ entry }) => ref(entry.line)),
    yanked: states.flatMap(({ before: was, after: is, ...one }) =>
      is.yanked !== undefined && is.yanked !== was.yanked ? [{ ...one, reason: is.yanked }] : [],
    ),
    channels: states.filter(
      ({ before: was, after: is }) =>
        was.channel !== is.channel || was.yanked !== is.yanked || was.phasedPercent !== is.phasedPercent,
    ),
    root: diffRoots(before.root, after.root),
  }
}

/** In words, for those who sign the second. */
export function diffRoots(before: Root, after: Root): readonly string[] {
  const words: string[] = []
  if (before.registryId !== after.registryId) words.push(`registry ${before.registryId} becomes ${after.registryId}`)
  if (before.version !== after.version) words.push(`root file ${before.version} becomes ${after.version}`)
  for (const role of ['root', 'timestamp', 'promoter'] as const) {
    words.push(...diffKeys(role, before[role], after[role]))
  }
  const describe = ({ keys, threshold, patterns }: Root['publishers'][number]): string =>
    `publisher ${keys.join(' + ')} (${threshold} must sign) for ${patterns.join(', ')}`
  const [was, is] = [before.publishers.map(describe), after.publishers.map(describe)]
  words.push(...is.filter((one) => !was.includes(one)).map((one) => `added: ${one}`))
  words.push(...was.filter((one) => !is.includes(one)).map((one) => `removed: ${one}`))
  return words
}

function diffKeys(role: string, before: Root['root'], after: Root['root']): readonly string[] {
  const added = after.keys.filter((key) => !before.keys.includes(key)).map((key) => `${role}: key ${key} added`)
  const removed = before.keys.filter((key) => !after.keys.includes(key)).map((key) => `${role}: key ${key} removed`)
  const changed = before.threshold !== after.threshold
  return [
    ...added,
    ...removed,
    ...(changed ? [`${role}: threshold ${before.threshold} becomes ${after.threshold}`] : []),
  ]
}

function byKey(entries: readonly PackageEntry[]): ReadonlyMap<string, PackageEntry> {
  return new Map(entries.map((entry) => [`${entry.line.name} ${entry.line.version} ${entry.line.arch}`, entry]))
}

function ref({ name, version, arch }: PackageRef): PackageRef {
  return { name, version, arch }
}

function stateOf({ entries }: Channels, one: PackageRef): ChannelState {
  const entry = entries.find((candidate) => comparePackageVersions(candidate, one) === 0)
  if (entry === undefined) return { channel: 'stable' }
  const { channel, yanked, phasedPercent } = entry
  return {
    channel,
    ...(yanked === undefined ? {} : { yanked }),
    ...(phasedPercent === undefined ? {} : { phasedPercent }),
  }
}
