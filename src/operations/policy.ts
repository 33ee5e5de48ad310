/** Why which version of a package is the candidate: every version with what sources, pins, channels and phasing say of it. */
import { MAY_GO_BACK, type Offer, type Pin, type Verdict } from '../catalogue/policy.ts'
import { compareVersions, parseVersion } from '../model/version.ts'
import { unknownPackage } from '../resolve/suggest.ts'
import type { InstalledPackage } from '../state/installed.ts'
import { openCatalogue, requireCatalogue } from './catalogue.ts'
import { heldNames } from './universe.ts'
import type { Workspace } from './workspace.ts'

interface PolicyVersion {
  readonly version: string
  readonly source: string
  readonly priority: number
  readonly channel: string
  readonly phasedPercent: number
  readonly isInstalled: boolean
  /** The reason, where it was withdrawn. */
  readonly yanked: string | undefined
  /** The pin that gave the priority, as it is written on the command line. */
  readonly pin: string | undefined
  /** Why it may not be installed here. */
  readonly refused: string | undefined
}

export interface PackagePolicy {
  readonly name: string
  readonly installed: string | undefined
  readonly installedFrom: string | undefined
  readonly isHeld: boolean
  readonly candidate: string | undefined
  /** One sentence. */
  readonly why: string
  /** What may be installed first, best first. */
  readonly versions: readonly PolicyVersion[]
}

interface SourcePolicy {
  readonly name: string
  readonly priority: number
  readonly packages: number
}

export interface Policy {
  /** Highest priority first. */
  readonly sources: readonly SourcePolicy[]
  readonly channels: readonly string[]
  readonly pins: readonly { readonly target: string; readonly priority: number }[]
}

/** What holds for all packages. */
export function generalPolicy(workspace: Workspace): Policy {
  using catalogue = openCatalogue(workspace)
  const { pins, channels } = workspace.preferences
  return {
    sources: catalogue
      .sources()
      .toSorted((a, b) => b.priority - a.priority || a.addedAt.getTime() - b.addedAt.getTime())
      .map(({ name, priority, count }) => ({ name, priority, packages: count })),
    channels: ['stable', ...channels],
    pins: pins.map((pin) => ({ target: showPin(pin), priority: pin.priority })),
  }
}

/** @throws {VmpkgError} `PACKAGE_UNKNOWN`, `SOURCE_UNKNOWN` before the first update */
export function policy(workspace: Workspace, names: readonly string[]): readonly PackagePolicy[] {
  requireCatalogue(workspace)
  using catalogue = openCatalogue(workspace)
  const held = heldNames(workspace.installed.list())
  return names.map((name) => {
    const installed = workspace.installed.find(name)
    const verdicts = catalogue.judge(name, installed?.source)
    if (verdicts.length === 0 && installed === undefined) {
      throw unknownPackage(name, catalogue.names())
    }
    const isHeld = held.includes(name)
    const { candidate, why } = decide(verdicts, installed, isHeld)
    return {
      name,
      installed: installed?.line.version,
      installedFrom: installed?.source,
      isHeld,
      candidate,
      why,
      versions: verdicts.map((one) => describe(one, installed)),
    }
  })
}

function decide(
  verdicts: readonly Verdict<Offer>[],
  installed: InstalledPackage | undefined,
  isHeld: boolean,
): { readonly candidate: string | undefined; readonly why: string } {
  const [best] = verdicts.filter(({ refusal }) => refusal === undefined)
  const here = installed?.line.version
  if (here !== undefined && isHeld) return { candidate: here, why: 'You hold it in its version.' }
  if (best === undefined) {
    const why = here === undefined ? 'No version may be installed here.' : 'No source has one that may be installed.'
    return { candidate: here, why }
  }
  const { version, source } = best.offer
  const isOlder = here !== undefined && compareVersions(parseVersion(version), parseVersion(here)) < 0
  if (here !== undefined && isOlder && best.priority <= MAY_GO_BACK) {
    const why = `The installed one is newer than ${version}, and only a priority above ${MAY_GO_BACK} goes back.`
    return { candidate: here, why }
  }
  const priority = best.pin === undefined ? `of source ${source}` : `pinned by ${showPin(best.pin)}`
  const rivals = verdicts.some(({ refusal, priority: other }) => refusal === undefined && other !== best.priority)
  const first = rivals ? 'It has the highest priority' : 'It is the newest version that may be installed'
  return { candidate: version, why: `${first} (${best.priority}, ${priority}).` }
}

function describe(
  { offer, priority, pin, refusal }: Verdict<Offer>,
  installed: InstalledPackage | undefined,
): PolicyVersion {
  const { version, source, channel, phasedPercent, yanked } = offer
  return {
    version,
    source,
    priority,
    channel,
    phasedPercent,
    isInstalled: installed?.line.version === version && installed.source === source,
    yanked,
    pin: pin === undefined ? undefined : showPin(pin),
    refused: refusal?.because,
  }
}

/** `router-uni=1.0-1`, `router-* from example in beta`. */
export function showPin({ name, version, source, channel }: Omit<Pin, 'priority'>): string {
  const from = source === undefined ? '' : ` from ${source}`
  const within = channel === undefined ? '' : ` in ${channel}`
  return `${name}${version === undefined ? '' : `=${version}`}${from}${within}`
}
