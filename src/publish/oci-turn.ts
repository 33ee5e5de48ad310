/**
 * One publisher at a time in an OCI repository, whose tags have neither locks nor conditions: announcements
 * (`swap-lock.ts`) under tags. Their names hold the digest of the envelope that their owner read. Whoever read another one
 * is no rival: the envelope changes only in a turn, so a turn that was announced for an earlier one finds it gone. So
 * announcements that a server does not delete bar nobody once there is a new version (threats P01).
 */
import { sha256 } from '../model/digest.ts'
import { FILE_LIMITS } from '../model/registry-schema.ts'
import type { OciArtifacts } from './oci-artifacts.ts'
import { ENVELOPE_PATH } from './registry-folder.ts'
import { type Lease, SWAP_FOLDER, withSwapLock } from './swap-lock.ts'
import { registryChanged } from './target.ts'
import { areEqual } from './target-folder.ts'

export interface OciTurn {
  readonly artifacts: OciArtifacts
  /** The envelope that was read; `undefined`: none. */
  readonly before: Uint8Array | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Runs `use` while the envelope is that one and nobody else publishes.
 *
 * @param use gets the manifest of that envelope
 * @throws {VmpkgError} `REGISTRY_CHANGED` `LOCK_HELD` `TARGET_FAILED`
 */
export async function withOciTurn<T>(
  { artifacts, before, signal }: OciTurn,
  use: (lease: Lease, manifest: Uint8Array | undefined) => Promise<T>,
): Promise<T> {
  const { name } = artifacts.repository
  const prefix = `${SWAP_FOLDER.slice(1)}.${sha256(before ?? '').slice(0, 16)}.`
  const place = {
    name,
    announce: async (token: string) => artifacts.mark(prefix + token),
    withdraw: async (tokens: readonly string[]) => {
      for (const token of tokens) await artifacts.withdraw(prefix + token)
    },
    list: async () => {
      const paths = await artifacts.list([SWAP_FOLDER])
      const begin = `${SWAP_FOLDER}/${prefix.slice(SWAP_FOLDER.length)}`
      return paths.filter((path) => path.startsWith(begin)).map((path) => path.slice(begin.length))
    },
  }
  return withSwapLock(
    place,
    async (lease) => {
      const present = await artifacts.read(ENVELOPE_PATH, FILE_LIMITS.envelopeFile)
      if (!areEqual(present?.bytes, before)) throw registryChanged(name)
      return use(lease, present?.manifest)
    },
    { signal },
  )
}
