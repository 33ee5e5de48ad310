/** A folder of this host as a place to publish to: the one a web server serves, or a mounted share. */
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, link, lstat, mkdir, open, readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { syncFolder } from '../durable-file.ts'
import { systemErrorCode } from '../errors.ts'
import { FILE_LIMITS } from '../model/registry-schema.ts'
import { ENVELOPE_PATH, findRegistryFile, writeEnvelope } from './registry-folder.ts'
import { withRegistryLock } from './registry-lock.ts'
import { swapFolderEnvelope } from './registry-swap.ts'
import { type PublishTarget, registryChanged, tooLarge } from './target.ts'

export function folderTarget(folder: string): PublishTarget {
  return {
    name: folder,
    async sizes(paths) {
      const found = new Map<string, number>()
      for (const path of paths) {
        const size = await sizeOf(join(folder, path))
        if (size !== undefined) found.set(path, size)
      }
      return found
    },
    async list(kinds) {
      const paths: string[] = []
      for (const kind of kinds) {
        const entries = await readdir(join(folder, kind), { withFileTypes: true }).catch(() => [])
        paths.push(...entries.filter((entry) => entry.isFile()).map(({ name }) => `${kind}/${name}`))
      }
      return paths
    },
    async fetch(files, into) {
      for (const { path, maxBytes } of files) {
        const size = await sizeOf(join(folder, path))
        if (size === undefined) continue
        if (size > maxBytes) throw tooLarge(folder, path, size)
        await mkdir(dirname(join(into, path)), { recursive: true })
        await copyFile(join(folder, path), join(into, path), constants.COPYFILE_FICLONE)
      }
    },
    async store(from, paths, onStored) {
      for (const path of paths) {
        await storeDurably(join(from, path), join(folder, path))
        onStored(path)
      }
    },
    async remove(paths) {
      for (const path of paths) await rm(join(folder, path), { force: true })
    },
    async swapEnvelope(before, after) {
      await mkdir(folder, { recursive: true })
      await withRegistryLock(folder, async () => {
        await swapFolderEnvelope(folder, async () => {
          const present = await findRegistryFile(folder, ENVELOPE_PATH, FILE_LIMITS.envelopeFile)
          if (!areEqual(present, before)) throw registryChanged(folder)
          await writeEnvelope(folder, after)
        })
      })
    },
    async [Symbol.asyncDispose]() {},
  }
}

export function areEqual(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const found = await lstat(path)
    return found.isFile() ? found.size : undefined
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return undefined
    throw error
  }
}

/** A link, not a rename: it never replaces what another publisher put there meanwhile. */
async function storeDurably(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true })
  const temporary = `${to}.${randomUUID()}.tmp`
  try {
    await copyFile(from, temporary, constants.COPYFILE_FICLONE)
    {
      await using handle = await open(temporary, 'r')
      await handle.sync()
    }
    await link(temporary, to)
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error
  } finally {
    await rm(temporary, { force: true })
  }
  await syncFolder(dirname(to))
}
