/**
 * `repo promote` and `repo yank`: what may change about a published version, signed by the promoter (decisions 4): its
 * channel, whether it is withdrawn, and what share of hosts gets it. The publisher's line stays as it is.
 */
import { VmpkgError } from '../errors.ts'
import { parsePackageLine } from '../model/line-schema.ts'
import { comparePackageVersions } from '../model/package-order.ts'
import type { ChannelEntry, Envelope } from '../model/registry.ts'
import { formatChannels, formatSignedFile, parseChannels } from '../model/registry-schema.ts'
import { withRegistryLock } from './registry-lock.ts'
import { readRegistry } from './registry-state.ts'
import { publishVersion, type Timestamping, writeNamed } from './registry-version.ts'
import { type Signer, signFile } from './signer.ts'

export interface PromoteOptions {
  readonly folder: string
  /** Replaces what was said about the same package version. */
  readonly entry: ChannelEntry
  readonly promoters: readonly Signer[]
  readonly timestamping: Timestamping
}

/** @throws {VmpkgError} `PACKAGE_UNKNOWN` `CHANNELS_INVALID` `REGISTRY_CHANGED`, or what a client would refuse */
export async function promotePackage({ folder, entry, promoters, timestamping }: PromoteOptions): Promise<Envelope> {
  return withRegistryLock(folder, async () => {
    const state = await readRegistry(folder)
    if (!state.entries.some(({ line }) => comparePackageVersions(parsePackageLine(line), entry) === 0)) {
      throw new VmpkgError('PACKAGE_UNKNOWN', `The registry has no ${entry.name} ${entry.version} for ${entry.arch}`, {
        hint: 'Check name and version with `vmpkg show NAME` on a host that has this registry as a source.',
      })
    }
    const others = state.channels.entries.filter((one) => comparePackageVersions(one, entry) !== 0)
    const version = state.channels.version + 1
    const entries = [...others, entry].toSorted(comparePackageVersions)
    const payload = formatChannels({ registryId: state.root.registryId, version, entries })
    parseChannels(payload)
    const file = formatSignedFile(await signFile(promoters, 'promoter', 'channels', payload))
    const channels = { ...(await writeNamed(folder, 'channels', file)), version }
    return publishVersion(state, { channels }, timestamping)
  })
}
