import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { FILE_LIMITS } from '../../src/model/registry-schema.ts'
import { PAYLOAD_TYPES } from '../../src/trust/pae.ts'
import { fixedClock } from '../support/fixed-clock.ts'
import { withoutGpgv } from '../support/gnupg.ts'
import { buildRegistry } from '../support/registry-builder.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const withoutJq = spawnSync('jq', ['--version']).status === 0 ? false : 'jq is not installed'
const page = await readFile(new URL('../../docs/format.md', import.meta.url), 'utf8')

describe('docs/format.md', () => {
  test('names every payload type and the size of the envelope', () => {
    for (const type of Object.values(PAYLOAD_TYPES)) assert.ok(page.includes(`\`${type}\``), type)
    assert.equal(FILE_LIMITS.envelope, 4096)
  })

  test('has a command line that checks an envelope with gpgv', { skip: withoutGpgv || withoutJq }, async (t) => {
    const script = /```sh\n(?<script>[^`]+)```/.exec(page)?.groups?.['script']
    assert.ok(script)
    await using registry = await buildRegistry({ clock: fixedClock(new Date()) })
    const env = { ...process.env, DIR: await makeTempFolder(t), GNUPGHOME: await makeTempFolder(t), LC_ALL: 'C' }
    const { status, stderr } = spawnSync('sh', ['-euc', script], { cwd: registry.folder, env, encoding: 'utf8' })
    assert.equal(status, 0, stderr)
    assert.match(stderr, /Good signature from "test timestamp"/)
    assert.match(stderr, new RegExp(registry.timestamp.fingerprint))
  })
})
