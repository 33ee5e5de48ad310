/**
 * Folders that take long to make, kept between runs in `$XDG_CACHE_HOME/vmpkg-test` (or `~/.cache/vmpkg-test`), each
 * named by a digest of what goes in. Remove them at any time, but not while tests run.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'

/**
 * The folder `NAME-DIGEST`, complete; older ones of the name are removed, an unfinished one is made anew.
 * @param content what decides what is in it, as JSON
 */
export async function cachedFolder(
  name: string,
  content: unknown,
  make: (unfinished: string) => Promise<void>,
): Promise<string> {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'vmpkg-test')
  const digest = createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 12)
  const folder = join(cache, `${name}-${digest}`)
  if (existsSync(folder)) return folder
  await mkdir(cache, { recursive: true })
  for (const old of await readdir(cache))
    if (old.startsWith(`${name}-`)) await rm(join(cache, old), { recursive: true, force: true })
  const unfinished = await mkdtemp(`${folder}-unfinished-`)
  try {
    await make(unfinished)
    await rename(unfinished, folder)
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true })
    throw error
  }
  return folder
}
