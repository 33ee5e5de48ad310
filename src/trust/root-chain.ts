/**
 * The chain of root files (formats 2.3, 2.4, threats K08, K09): the first is pinned by its digest, each next one needs
 * the threshold of the one before and its own, one version at a time. Expiry is asked of the last one only.
 * Root files are hostile until verified.
 */
import { VmpkgError } from '../errors.ts'
import { type Digested, type Sha256, sha256 } from '../model/digest.ts'
import type { Fingerprint } from '../model/fingerprint.ts'
import type { Root, SignedFile } from '../model/registry.ts'
import { FILE_LIMITS, parseRoot, parseSignedFile } from '../model/registry-schema.ts'
import { type Certificate, readCertificate } from './certificate.ts'
import { verifyRole } from './roles.ts'
import { markVerified, type Verified } from './verified.ts'

/** What the user trusts to begin with: one root file by its exact bytes. */
export interface RootPin {
  readonly version: number
  readonly sha256: Sha256
}

export interface TrustedRoot {
  readonly root: Verified<Root>
  /** Of the root file. */
  readonly file: Digested
  readonly certificates: ReadonlyMap<Fingerprint, Certificate>
}

/** Most root files walked in one go: bounds what a hostile mirror can make a client fetch. */
export const MAX_ROOT_STEPS = 1024

/**
 * Opens the root file that the pin names.
 *
 * @throws {VmpkgError} `SOURCE_CHANGED` where it is another file, `ROOT_INVALID`, or why its signatures do not count
 */
export async function openPinnedRoot(file: Uint8Array, pin: RootPin, now: Date): Promise<TrustedRoot> {
  const actual = sha256(file)
  if (actual !== pin.sha256) {
    throw new VmpkgError('SOURCE_CHANGED', `Root file ${pin.version} is not the one this source is pinned to`, {
      hint: 'Ask the publisher what happened; add the source anew only when you trust the answer.',
      details: { expected: pin.sha256, actual },
    })
  }
  const { trusted } = await openSelfSigned(file, now)
  if (trusted.root.version !== pin.version) throw invalid(`Root file ${pin.version} says it is ${trusted.root.version}`)
  return trusted
}

/**
 * Reads a root file that nothing vouches for but itself, so that a user can compare fingerprints before pinning it.
 *
 * @throws {VmpkgError} `ROOT_INVALID`, or why its signatures do not count
 */
export async function inspectRoot(
  file: Uint8Array,
  now: Date,
): Promise<{ readonly pin: RootPin; readonly registryId: string; readonly rootKeys: readonly Fingerprint[] }> {
  const { root, file: digested } = (await openSelfSigned(file, now)).trusted
  const pin = { version: root.version, sha256: digested.sha256 }
  return { pin, registryId: root.registryId, rootKeys: root.root.keys }
}

/**
 * A root file that was accepted before, for people to look at: its digest is asked for, its signatures no more, for
 * keys may have expired since. Nothing is to be verified with the result.
 *
 * @throws {VmpkgError} `STATE_INVALID` where it is another file, `ROOT_INVALID`
 */
export async function describeRoot(
  file: Uint8Array,
  accepted: RootPin,
): Promise<{ readonly root: Root; readonly userIds: ReadonlyMap<Fingerprint, readonly string[]> }> {
  if (sha256(file) !== accepted.sha256) {
    throw new VmpkgError('STATE_INVALID', `The stored root file ${accepted.version} is not the one that was accepted`)
  }
  const root = parseRoot(parseSignedFile(file, 'ROOT_INVALID', 'The root file', FILE_LIMITS.root).payload)
  const certificates = await readCertificates(root)
  return { root, userIds: new Map([...certificates].map(([key, { userIds }]) => [key, userIds] as const)) }
}

/** @throws {VmpkgError} `ROOT_INVALID`, or why the signatures of the old or of the new role do not count */
export async function verifyNextRoot(current: TrustedRoot, file: Uint8Array, now: Date): Promise<TrustedRoot> {
  const { trusted: next, signed } = await openSelfSigned(file, now)
  const { root } = current
  if (next.root.version !== root.version + 1) {
    throw invalid(`Root file ${next.root.version} does not follow root file ${root.version}`)
  }
  if (next.root.registryId !== root.registryId) throw invalid(`Root file ${next.root.version} is of another registry`)
  await verifyRole({
    subject: `Root file ${next.root.version}, checked with root file ${root.version},`,
    type: 'root',
    ...signed,
    roleName: 'root',
    role: root.root,
    certificates: current.certificates,
    now,
  })
  return next
}

/** True where a key of the role was taken away: counters that this key may have driven up begin anew. */
export function isRotated(role: 'timestamp' | 'promoter', before: Root, after: Root): boolean {
  return before[role].keys.some((key) => !after[role].keys.includes(key))
}

async function openSelfSigned(
  file: Uint8Array,
  now: Date,
): Promise<{ readonly trusted: TrustedRoot; readonly signed: SignedFile }> {
  const signed = parseSignedFile(file, 'ROOT_INVALID', 'The root file', FILE_LIMITS.root)
  const root = parseRoot(signed.payload) // believed only after its own threshold and the pin or the old threshold
  const certificates = await readCertificates(root)
  const subject = `Root file ${root.version}`
  await verifyRole({ subject, type: 'root', ...signed, roleName: 'root', role: root.root, certificates, now })
  const trusted = { root: markVerified(root), file: { sha256: sha256(file), size: file.length }, certificates }
  return { trusted, signed }
}

/**
 * The root file that the main thread trusts, in a thread of the same process: its keys as objects again, which cannot be
 * handed over. Verifies nothing, so `root` comes from a `TrustedRoot` only.
 */
export async function trustRootOfThread(root: Root): Promise<Pick<TrustedRoot, 'root' | 'certificates'>> {
  return { root: markVerified(root), certificates: await readCertificates(root) }
}

async function readCertificates(root: Root): Promise<ReadonlyMap<Fingerprint, Certificate>> {
  const certificates = new Map<Fingerprint, Certificate>()
  for (const [fingerprint, bytes] of root.certificates) {
    const certificate = await readCertificate(bytes).catch((error: unknown) => {
      throw invalid(`Root file ${root.version} holds a certificate that cannot be read`, error)
    })
    if (certificate.fingerprint !== fingerprint)
      throw invalid(`Root file ${root.version} gives a key a wrong fingerprint`)
    certificates.set(fingerprint, certificate)
  }
  return certificates
}

function invalid(message: string, cause?: unknown): VmpkgError {
  return new VmpkgError('ROOT_INVALID', message, { cause })
}
