/**
 * One package version: the publisher's signature over its exact line, by a publisher whose patterns cover the name
 * (formats 3.2, threats K11), and transport that names only images of that line.
 */
import { VmpkgError } from '../errors.ts'
import { type Sha256, sha256 } from '../model/digest.ts'
import type { PackageLine, Transport } from '../model/line.ts'
import { parsePackageLine } from '../model/line-schema.ts'
import { matchesNamePattern } from '../model/name.ts'
import type { IndexEntry } from '../model/registry.ts'
import { verifyRole } from './roles.ts'
import type { TrustedRoot } from './root-chain.ts'
import { markVerified, type Verified } from './verified.ts'

/** What of a root lines are checked against. */
export type SigningRoot = Pick<TrustedRoot, 'root' | 'certificates'>

export interface PackageEntry {
  readonly line: PackageLine
  /** SHA-256 of the line's exact bytes: names this version for good. */
  readonly lineDigest: Sha256
  /** Not signed by the publisher: checked only through the chunk maps that the line names (decisions 1). */
  readonly transport: Transport
}

/**
 * @throws {VmpkgError} `INDEX_INVALID`, `SIGNATURE_UNTRUSTED` where the name belongs to no publisher or to another, or
 *   why the signatures do not count
 */
export async function verifyPackageEntry(
  entry: IndexEntry,
  root: SigningRoot,
  keysAt: Date,
): Promise<Verified<PackageEntry>> {
  const line = parsePackageLine(entry.line)
  await verifyPublisher(line, entry, root, keysAt)
  const images = new Set<string>(line.images.map(({ digest }) => digest))
  const described = Object.keys(entry.transport.images)
  if (described.length !== images.size || !described.every((digest) => images.has(digest))) {
    throw new VmpkgError('INDEX_INVALID', `The transport of ${line.name} ${line.version} is not that of its images`)
  }
  return markVerified({ line, lineDigest: sha256(entry.line), transport: entry.transport })
}

async function verifyPublisher(line: PackageLine, entry: IndexEntry, root: SigningRoot, now: Date): Promise<void> {
  const subject = `Package ${line.name} ${line.version}`
  const grants = root.root.publishers.filter(({ patterns }) =>
    patterns.some((one) => matchesNamePattern(one, line.name)),
  )
  let failure = new VmpkgError('SIGNATURE_UNTRUSTED', `${subject}: no publisher may use that name`, {
    hint: 'The root file gives each publisher its name patterns; the owner of the registry must extend them.',
  })
  for (const role of grants) {
    try {
      await verifyRole({
        subject,
        type: 'line',
        payload: entry.line,
        signatures: entry.signatures,
        roleName: 'publisher',
        role,
        certificates: root.certificates,
        now,
      })
      return
    } catch (error) {
      if (!(error instanceof VmpkgError)) throw error
      failure = error
    }
  }
  throw failure
}
