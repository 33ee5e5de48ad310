/**
 * The last step of publishing to a folder of this host: the envelope is compared and replaced while nobody else does. The
 * registry's lock keeps other publishers of this host out; an announcement those that come over sftp or rsync
 * (`swap-lock.ts`), who see files only.
 */
import { mkdir, readdir, rm, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemErrorCode } from '../errors.ts'
import { type Announcements, SWAP_FOLDER, withSwapLock } from './swap-lock.ts'

const PREFIX = 'local-'

/**
 * Runs `swap`, which compares and replaces the envelope. The caller holds the registry's lock.
 *
 * @throws {VmpkgError} `LOCK_HELD`, and what `swap` throws
 */
export async function swapFolderEnvelope(folder: string, swap: () => Promise<void>): Promise<void> {
  const place = announcementsOf(folder)
  // Whoever announced itself from this host held the lock that we hold now: it is dead.
  await place.withdraw((await place.list()).filter((name) => name.startsWith(PREFIX)))
  await withSwapLock(place, swap, { prefix: PREFIX, pollMs: 20 })
}

function announcementsOf(folder: string): Announcements {
  const own = join(folder, SWAP_FOLDER)
  return {
    name: folder,
    async announce(token) {
      for (;;) {
        await mkdir(own, { recursive: true })
        try {
          await writeFile(join(own, token), '', { flag: 'wx' })
          return
        } catch (error) {
          if (systemErrorCode(error) !== 'ENOENT') throw error // else another one tidied up in between
        }
      }
    },
    async withdraw(tokens) {
      for (const token of tokens) await rm(join(own, token), { force: true })
      await rmdir(own).catch(() => {}) // others are in it, or it is gone
    },
    list: async () => readdir(own).catch(() => []),
  }
}
