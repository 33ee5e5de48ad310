import assert from 'node:assert/strict'
import { dirname } from 'node:path'
import { test } from 'node:test'
import { compileCacheFolder } from '../../src/cli/compile-cache.ts'
import { locatePaths } from '../../src/state/paths.ts'

for (const [who, env, uid] of [
  ['root', {}, 0],
  ['a user', { HOME: '/home/u' }, 1000],
  ['a user with XDG folders', { HOME: '/home/u', XDG_CACHE_HOME: '/home/u/cache' }, 1000],
  ['anybody with a root of their own', { HOME: '/home/u', VMPKG_ROOT: '/srv/vmpkg' }, 1000],
] as const) {
  test(`compiled modules lie in the cache folder of ${who}`, () => {
    const { cache } = locatePaths({ isRoot: uid === 0, home: '/home/u', env })
    assert.equal(dirname(compileCacheFolder(env, uid)), cache)
  })
}
