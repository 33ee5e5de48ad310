/** A refresh of a source as the catalogue takes it in, from package lines: nothing is signed, all is called verified. */
import type { ReadLines, Refresh } from '../../src/catalogue/catalogue.ts'
import { sha256 } from '../../src/model/digest.ts'
import type { PackageLine } from '../../src/model/line.ts'
import { comparePackageVersions } from '../../src/model/package-order.ts'
import type { ChannelEntry } from '../../src/model/registry.ts'
import type { IndexLine } from '../../src/trust/index-lines.ts'
import { markVerified } from '../../src/trust/verified.ts'

export const REFRESHED_AT = new Date('2026-11-21T12:00:00Z')

/** For `catalogue.replace(source, ...refreshOf(lines))`. */
export function refreshOf(
  lines: readonly PackageLine[],
  changes: readonly Partial<ChannelEntry>[] = [],
  { root = 'root', at = REFRESHED_AT }: { readonly root?: string; readonly at?: Date } = {},
): [Refresh, ReadLines] {
  const registryId = '0'.repeat(32)
  const digested = { sha256: sha256(JSON.stringify(lines)), size: 1 }
  const entries = changes.map((change) => ({
    name: '',
    version: '',
    arch: 'amd64' as const,
    channel: 'stable',
    ...change,
  }))
  const refresh: Refresh = {
    envelope: markVerified({
      registryId,
      version: 1,
      issuedAt: at,
      expiresAt: new Date('2026-12-01T00:00:00Z'),
      root: { ...digested, version: 1 },
      index: { ...digested, unpackedSize: 1, count: lines.length },
      channels: { ...digested, sha256: sha256(JSON.stringify(changes)), version: 1 },
    }),
    channels: markVerified({ registryId, version: 1, entries }),
    rootSha256: sha256(root),
    keysHold: { from: at, until: new Date(at.getTime() + 10 * 24 * 60 * 60 * 1000) },
    refreshedAt: at,
  }
  const wire = lines
    .toSorted(comparePackageVersions)
    .map((line) => ({ line, wireDigest: sha256(JSON.stringify(line)) }))
  return [
    refresh,
    (known) => [
      wire.map(({ line, wireDigest }): IndexLine => {
        const { name, version, arch } = line
        const entry = markVerified({ line, lineDigest: wireDigest, transport: { images: {} } })
        return { name, version, arch, wireDigest, ...(known(wireDigest) === undefined ? { entry } : {}) }
      }),
    ],
  ]
}
