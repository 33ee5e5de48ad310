/** The verbs of `vmpkg source` as a person meets them: real processes, a real registry in a folder. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { signEnvelope } from '../../src/publish/registry-version.ts'
import { makeCli } from '../support/cli.ts'
import { fixedClock } from '../support/fixed-clock.ts'
import { buildRegistry } from '../support/registry-builder.ts'

test('a source is added, shown, changed, caught contradicting itself, removed and forgotten', async (t) => {
  const cli = await makeCli('private:sources')
  t.after(async () => cli.close())
  await using registry = await buildRegistry({ clock: fixedClock(new Date()), packages: [{ name: 'app-one' }] })
  const rootFile = join(registry.folder, 'root/1.json')
  const add = ['source', 'add', 'example', registry.folder, '--root-file', rootFile]
  assert.match(await cli.ok([...add, '--dry-run']), /Would add source example with root keys [0-9A-F]{40}/)
  assert.equal((await cli.run(['source', 'show', 'example'])).status, 100)
  const wrong = await cli.run([...add.slice(0, -1), join(registry.folder, 'envelope.json')])
  assert.match(wrong.stderr, /\[ROOT_INVALID\]\n +Name the registry’s root file/)
  await cli.ok([...add, '--minimum-version', '2'])
  await cli.ok(['update'])
  const shown = await cli.ok(['source', 'show', 'example'])
  assert.match(shown, /^Minimum-Version: 2$/m)
  assert.match(shown, /^root: 2 of 3$/m)
  assert.match(shown, /^publisher for \*: 1 of 1$/m)
  assert.match(shown, new RegExp(`^ {2}${registry.timestamp.fingerprint} {2}test timestamp$`, 'm'))
  assert.match(await cli.ok(['source', 'set', 'example', '--priority', '600']), /expiry strict, priority 600/)
  assert.match(await cli.ok(['source', 'set', 'example', '--expiry', 'grace', '--dry-run']), /not changed/)
  assert.equal((await cli.run(['source', 'evidence'])).status, 1)

  const { envelope } = await cli.json(['source', 'show', 'example'])
  assert.equal((envelope as { version: number }).version, 2)
  const before = await readFile(join(registry.folder, 'envelope.json'))
  const previous = { version: 1, sha256: registry.pin.sha256 }
  const other = { ...registry.firstEnvelope, version: 2, previous, message: 'another' }
  await writeFile(join(registry.folder, 'envelope.json'), await signEnvelope(other, registry.timestamping))
  const refusal = await cli.run(['update'])
  assert.equal(refusal.status, 100)
  assert.match(refusal.stderr, /ENVELOPE_EQUIVOCATED/)
  const folder = join(cli.folder, 'evidence')
  assert.match(
    await cli.ok(['source', 'evidence', 'example', '--output', folder]),
    /001-example-envelope-seen-before\.json/,
  )
  assert.deepEqual(await readFile(join(folder, '001-example-envelope-seen-before.json')), before)

  const unsure = await cli.run(['source', 'remove', 'example', '--forget'])
  assert.match(unsure.stderr, /CONFIRMATION_NEEDED/)
  assert.match(await cli.ok(['source', 'remove', 'example', '--dry-run']), /Would remove source example/)
  await cli.ok(['source', 'remove', 'example'])
  await cli.ok(add)
  assert.match((await cli.run(['update'])).stderr, /ENVELOPE_EQUIVOCATED/)
  await cli.ok(['source', 'remove', 'example', '--forget', '-y'])
  await cli.ok(add)
  await cli.ok(['update'])
})
