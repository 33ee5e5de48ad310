/**
 * Where Node keeps compiled modules of the command line: in a folder of this user, never in the shared temporary folder,
 * where somebody else could have prepared it, and where it would be left behind. The layout is that of `state/paths.ts`,
 * spelled here again so that nothing is loaded before the cache is on.
 */
import { join } from 'node:path'

export function compileCacheFolder(env: Readonly<Record<string, string | undefined>>, uid: number): string {
  const root = env['VMPKG_ROOT']
  if (root !== undefined && root !== '') return join(root, 'var/cache/vmpkg/compiled')
  if (uid === 0) return '/var/cache/vmpkg/compiled'
  return join(env['XDG_CACHE_HOME'] ?? join(env['HOME'] ?? '/', '.cache'), 'vmpkg', 'compiled')
}
