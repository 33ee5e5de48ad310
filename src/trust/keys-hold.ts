/**
 * How long a verification of package lines goes on to be true under the same root file: until the first key that may have
 * made a signature expires, and a month at most. Revocations are in the root file, so a new one comes with a new root.
 */
import type { Fingerprint } from '../model/fingerprint.ts'
import type { Certificate } from './certificate.ts'
import { OPENPGP_CONFIG } from './policy.ts'
import type { TrustedRoot } from './root-chain.ts'

export interface KeysHold {
  /** When the keys were looked at. A verification says nothing of earlier times. */
  readonly from: Date
  /** Exclusive. */
  readonly until: Date
}

const MAX_HOLD_MS = 30 * 24 * 60 * 60 * 1000

export async function publisherKeysHold({ root, certificates }: TrustedRoot, keysAt: Date): Promise<KeysHold> {
  const names = new Set<Fingerprint>(root.publishers.flatMap(({ keys }) => keys))
  const ends = await Promise.all(
    [...names].map(async (name) => {
      const certificate = certificates.get(name)
      return certificate === undefined ? keysAt.getTime() : firstEnd(certificate, keysAt)
    }),
  )
  return { from: keysAt, until: new Date(Math.min(keysAt.getTime() + MAX_HOLD_MS, ...ends)) }
}

/** The first time from `now` on at which a key of the certificate ends; what has ended already changes no more. */
async function firstEnd({ key }: Certificate, now: Date): Promise<number> {
  const ends = await Promise.all([
    key.getExpirationTime(undefined, OPENPGP_CONFIG),
    ...key.subkeys.map(async (subkey) => subkey.getExpirationTime(now, OPENPGP_CONFIG)),
  ])
  const times = ends.flatMap((end) => (end instanceof Date ? end.getTime() : []))
  return Math.min(Number.POSITIVE_INFINITY, ...times.filter((time) => time > now.getTime()))
}
