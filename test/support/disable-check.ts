/**
 * Preloaded (`node --import`) into a process that shall run with one check of `src` taken out: the source text named in
 * VMPKG_TEST_DISABLE is replaced while the module loads. The file on disk stays as it is.
 */
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type DisabledCheck, disableCheck, type Mutation } from './disabled-check.ts'

const text = process.env['VMPKG_TEST_DISABLE']
if (text !== undefined) {
  const checks = JSON.parse(text) as readonly (DisabledCheck | Mutation)[]
  const top = join(import.meta.dirname, '..', '..')
  const changed = new Map<string, string>()
  for (const check of checks) {
    const url = pathToFileURL(join(top, check.file)).href
    changed.set(url, disableCheck(changed.get(url) ?? readFileSync(join(top, check.file), 'utf8'), check))
  }
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context)
      const source = changed.get(url)
      return source === undefined ? loaded : { ...loaded, source }
    },
  })
}
