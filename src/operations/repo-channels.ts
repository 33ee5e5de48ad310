/** What `repo promote` and `repo yank` share: the promoter's keys, the way in, the words. */
import type { ChannelEntry } from '../model/registry.ts'
import { type ChannelChange, type ChannelResult, changeChannels as change } from '../publish/registry-promote.ts'
import { readRegistry } from '../publish/registry-state.ts'
import { type KeyAccess, KeyRing } from './keys.ts'
import { changeRegistry, describePlace, type PlaceReport, type PlaceRequest } from './registry-place.ts'
import { openTimestamping } from './repo-add.ts'
import type { Workspace } from './workspace.ts'

export interface ChannelRequest extends KeyAccess, PlaceRequest {
  readonly change: ChannelChange
}

export interface ChannelReport {
  readonly kind: ChannelResult['kind']
  /** As they are afterwards. */
  readonly entries: readonly ChannelEntry[]
  /** Fingerprints of the promoters. */
  readonly signers: readonly string[]
  readonly place: PlaceReport
  readonly messages: readonly string[]
}

/** @throws {VmpkgError} `KEY_UNKNOWN` `PACKAGE_UNKNOWN` `CHANNELS_INVALID` `REGISTRY_CHANGED` */
export async function changeChannels(workspace: Workspace, request: ChannelRequest): Promise<ChannelReport> {
  const ring = new KeyRing(workspace, request)
  const { clock } = workspace.outside
  const changed = await changeRegistry(workspace, request, async (folder) => {
    const { root } = await readRegistry(folder)
    const promoters = await ring.role(root.promoter, 'A channels file')
    const timestamping = await openTimestamping(workspace, ring, root)
    const options = { folder, change: request.change, promoters, clock }
    return { result: await change({ ...options, ...(timestamping && { timestamping }) }), promoters }
  })
  const { place } = changed
  const { result, promoters } = changed.result
  const words = result.entries.map((entry) => describe(entry, result.kind, place.dryRun))
  return {
    kind: result.kind,
    entries: result.entries,
    signers: promoters.map(({ fingerprint }) => fingerprint),
    place,
    messages: [...words, ...wayIn(result, place.dryRun), ...describePlace(place)],
  }
}

function describe(
  { name, version, arch, channel, yanked, phasedPercent }: ChannelEntry,
  kind: string,
  dryRun: boolean,
) {
  const words = [
    `channel ${channel}`,
    ...(phasedPercent === undefined ? [] : [`for ${phasedPercent} % of hosts`]),
    ...(yanked === undefined ? [] : [`yanked: ${yanked}`]),
  ]
  const verb = kind === 'unchanged' ? 'is already' : dryRun ? 'would be' : kind === 'submitted' ? 'shall be' : 'is now'
  return `${name} ${version} ${arch} ${verb} ${words.join(', ')}`
}

function wayIn(result: ChannelResult, dryRun: boolean): readonly string[] {
  if (result.kind !== 'submitted') return []
  const where = dryRun ? '' : ` as ${result.path}`
  return [`${dryRun ? 'Would wait' : 'It waits'}${where}: whoever holds the timestamp key runs vmpkg repo merge`]
}
