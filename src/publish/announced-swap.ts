/** Compare and swap of the envelope at a place that has neither locks nor conditions, under announcements (threats P01). */
import { FILE_LIMITS } from '../model/registry-schema.ts'
import { ENVELOPE_PATH } from './registry-folder.ts'
import { SWAP_FOLDER, withSwapLock } from './swap-lock.ts'
import { type PublishTarget, readFromTarget, registryChanged } from './target.ts'
import { areEqual } from './target-folder.ts'

export interface AnnouncedSwap {
  readonly target: Pick<PublishTarget, 'name' | 'list' | 'fetch' | 'remove'>
  /** Writes a file, replacing at once what is there. */
  readonly put: (path: string, bytes: Uint8Array, timeoutMs: number | undefined) => Promise<void>
  readonly before: Uint8Array | undefined
  readonly after: Uint8Array
  readonly signal?: AbortSignal | undefined
}

const NOTE = new TextEncoder().encode('A publisher is at work. vmpkg removes this file.\n')

/** @throws {VmpkgError} `REGISTRY_CHANGED` `LOCK_HELD` `TARGET_FAILED` */
export async function swapByAnnouncement({ target, put, before, after, signal }: AnnouncedSwap): Promise<void> {
  const place = {
    name: target.name,
    announce: async (token: string) => put(`${SWAP_FOLDER}/${token}`, NOTE, undefined),
    withdraw: async (tokens: readonly string[]) => target.remove(tokens.map((token) => `${SWAP_FOLDER}/${token}`)),
    list: async () => (await target.list([SWAP_FOLDER])).map((path) => path.slice(SWAP_FOLDER.length + 1)),
  }
  await withSwapLock(
    place,
    async (lease) => {
      const present = await readFromTarget(target, { path: ENVELOPE_PATH, maxBytes: FILE_LIMITS.envelopeFile })
      if (!areEqual(present, before)) throw registryChanged(target.name)
      await put(ENVELOPE_PATH, after, lease.remaining())
    },
    { signal },
  )
}
