/** Texts that are known whole, in `test/golden/`. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const FOLDER = join(import.meta.dirname, '..', 'golden')

/** With UPDATE_GOLDEN=1 in the environment the file is written anew: read the difference before committing it. */
export function assertGolden(path: string, text: string): void {
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(join(FOLDER, path), text)
  assert.equal(text, readFileSync(join(FOLDER, path), 'utf8'))
}
