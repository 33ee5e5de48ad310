/** A publisher's submission under `incoming/` (decisions 5): signed as a whole, and each line by its publisher. */
import { VmpkgError } from '../errors.ts'
import type { IndexEntry, RoleKeys } from '../model/registry.ts'
import { FILE_LIMITS, parseSignedFile, parseSubmission } from '../model/registry-schema.ts'
import { type PackageEntry, verifyPackageEntry } from './package-entry.ts'
import { verifyRole } from './roles.ts'
import type { TrustedRoot } from './root-chain.ts'
import type { Verified } from './verified.ts'

/** @throws {VmpkgError} `REGISTRY_INVALID` `INDEX_INVALID`, or why its signatures do not count */
export async function verifySubmission(
  file: Uint8Array,
  root: TrustedRoot,
  keysAt: Date,
): Promise<readonly { readonly wire: IndexEntry; readonly entry: Verified<PackageEntry> }[]> {
  const signed = parseSignedFile(file, 'REGISTRY_INVALID', 'The submission', FILE_LIMITS.submission)
  const anyPublisher: RoleKeys = { keys: root.root.publishers.flatMap(({ keys }) => keys), threshold: 1 }
  await verifyRole({
    subject: 'The submission',
    type: 'submission',
    ...signed,
    roleName: 'publisher',
    role: anyPublisher,
    certificates: root.certificates,
    now: keysAt,
  })
  const submission = parseSubmission(signed.payload)
  if (submission.registryId !== root.root.registryId) {
    throw new VmpkgError('REGISTRY_INVALID', 'The submission is for another registry')
  }
  return Promise.all(
    submission.entries.map(async (wire) => ({ wire, entry: await verifyPackageEntry(wire, root, keysAt) })),
  )
}
