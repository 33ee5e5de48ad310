/**
 * Root files (formats 2.3, 2.4): who may sign what. The first is signed by its own threshold; each next one by that of
 * the one before and its own. The holders of root keys sign offline; one call with enough signers is the simple case.
 */
import { VmpkgError } from '../errors.ts'
import type { Fingerprint } from '../model/fingerprint.ts'
import type { RoleKeys, Root } from '../model/registry.ts'
import { formatRoot, formatSignedFile, parseRoot } from '../model/registry-schema.ts'
import type { Clock } from '../ports.ts'
import type { Certificate } from '../trust/certificate.ts'
import { DAY_MS } from './registry-version.ts'
import { type Signer, signFile } from './signer.ts'

interface RoleSetup {
  readonly certificates: readonly Certificate[]
  /** Default 1. */
  readonly threshold?: number
}

/** Keys and patterns of a registry. */
export interface RootSetup {
  readonly root: RoleSetup
  readonly timestamp: RoleSetup
  readonly promoter: RoleSetup
  readonly publishers: readonly (RoleSetup & { readonly patterns: readonly string[] })[]
  /** How long clients believe this root file; default 730 days. */
  readonly lifetimeDays?: number
}

const LIFETIME_DAYS = 730

export function makeRoot(setup: RootSetup, registryId: string, version: number, clock: Clock): Root {
  const issuedMs = Math.floor(clock.now().getTime() / 1000) * 1000
  const everybody = [setup.root, setup.timestamp, setup.promoter, ...setup.publishers].flatMap(
    (one) => one.certificates,
  )
  return {
    registryId,
    version,
    issuedAt: new Date(issuedMs),
    expiresAt: new Date(issuedMs + (setup.lifetimeDays ?? LIFETIME_DAYS) * DAY_MS),
    certificates: new Map(everybody.map((one) => [one.fingerprint, one.bytes] as const)),
    root: roleKeys(setup.root),
    timestamp: roleKeys(setup.timestamp),
    promoter: roleKeys(setup.promoter),
    publishers: setup.publishers.map((one) => ({ ...roleKeys(one), patterns: one.patterns })),
  }
}

/** The signed file. @throws {VmpkgError} `THRESHOLD_UNMET` `ROOT_INVALID` */
export async function signRoot(root: Root, signers: readonly Signer[], before?: Root): Promise<Uint8Array> {
  for (const { root: role, version } of before === undefined ? [root] : [before, root]) {
    requireThreshold(role, version, signers)
  }
  const payload = formatRoot(root)
  parseRoot(payload)
  return formatSignedFile(await signFile(signers, 'root', 'root', payload))
}

function requireThreshold(role: RoleKeys, version: number, signers: readonly Signer[]): void {
  const able = new Set(signers.map((one) => one.fingerprint).filter((one: Fingerprint) => role.keys.includes(one)))
  if (able.size >= role.threshold) return
  throw new VmpkgError(
    'THRESHOLD_UNMET',
    `Root file ${version} asks for ${role.threshold} root keys; ${able.size} are here`,
    {
      hint: 'Give the secret keys of enough holders of the root role, old and new.',
      details: { have: [...able], among: role.keys },
    },
  )
}

function roleKeys({ certificates, threshold = 1 }: RoleSetup): RoleKeys {
  return { keys: [...new Set(certificates.map((one) => one.fingerprint))].toSorted(), threshold }
}
