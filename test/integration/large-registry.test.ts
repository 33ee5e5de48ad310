import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeCli } from '../support/cli.ts'
import { buildLargeRegistry, publish } from '../support/large-registry.ts'

const COUNT = 2200 // enough that threads verify

test('a registry of thousands of versions is verified, searched and kept up to date', {
  timeout: 300_000,
}, async (t) => {
  const cli = await makeCli('test:///default')
  t.after(async () => cli.close())
  const registry = await buildLargeRegistry(join(cli.folder, 'registry'), COUNT)
  await cli.ok(['source', 'add', 'large', registry.folder, '--root-file', join(registry.folder, 'root', '1.json')])
  const update = async () => ((await cli.json(['update']))['sources'] as { packages: number; changed: boolean }[])[0]
  assert.deepEqual(pick(await update()), { packages: COUNT, changed: true })
  assert.deepEqual(pick(await update()), { packages: COUNT, changed: false })
  assert.equal((await cli.run(['search', 'newcomer'])).status, 1)
  await publish(registry, 'one-more')
  assert.deepEqual(pick(await update()), { packages: COUNT + 1, changed: true })
  assert.match(await cli.ok(['search', 'newcomer']), /^newcomer\t1\.0\tapp\tWhat has come since\n$/)
  const listed = (await cli.ok(['list'])).trim().split('\n')
  assert.equal(listed.length, COUNT / 5 + 1)
  const [name = ''] = listed.at(-1)?.split('\t') ?? []
  assert.equal((await cli.ok(['list', name, '--all-versions'])).trim().split('\n').length, 5)
  assert.match(await cli.ok(['policy', name]), /Candidate: 5\./)
  const { status, stdout } = await cli.run(['why-not', name])
  assert.equal(status, 1)
  assert.match(stdout, new RegExp(`^Nothing stands in the way of ${name}:`))
  await cli.ok(['pin', 'set', name, '-1'])
  assert.match(
    await cli.ok(['why-not', name]),
    new RegExp(`${name} 5.* are pinned to -1, which means never, there is no`),
  )
})

function pick(source: { packages: number; changed: boolean } | undefined) {
  return { packages: source?.packages, changed: source?.changed }
}
