/** The command line without a network: in an empty network namespace, after everything was downloaded once. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { makeCli } from '../support/cli.ts'
import { readRegistry } from '../support/download-site.ts'
import { startFileServer } from '../support/file-server.ts'
import { fixedClock } from '../support/fixed-clock.ts'
import { buildRegistry } from '../support/registry-builder.ts'

const ALONE = ['unshare', ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']), '--net', '--']
const [program = '', ...words] = ALONE
const skip = await promisify(execFile)(program, [...words, 'true']).then(
  () => false,
  () => 'this host makes no network namespaces',
)

describe('vmpkg offline', { skip }, () => {
  test('names what is missing, and works with what has been downloaded', async (t) => {
    const registry = await buildRegistry({
      clock: fixedClock(new Date()),
      packages: [{ name: 'app-one', manifest: 'depends: [app-base]' }, { name: 'app-base' }],
    })
    t.after(async () => registry[Symbol.asyncDispose]())
    const server = await startFileServer(t, readRegistry(registry))
    const empty = await startFileServer(t)
    const cli = await makeCli('test:///default')
    t.after(async () => cli.close())
    const alone = async (...args: string[]) => {
      const { status, stdout, stderr } = await cli.run([...args, '--json'], '', { prefix: ALONE })
      const last = stderr.trim().split('\n').at(-1) ?? ''
      return { status, result: JSON.parse(status === 0 ? stdout : last) as Readonly<Record<string, unknown>> }
    }
    const root = join(registry.folder, 'root', '1.json')
    const add = ['source', 'add', 'test', empty.base.href, '--mirror', server.base.href, '--root-file', root]
    await cli.ok(add)

    const never = await alone('update', '--offline')
    assert.deepEqual([never.status, never.result['code']], [100, 'OFFLINE'])
    await cli.ok(['update'])
    const known = await alone('update', '--offline')
    const [source] = known.result['sources'] as Readonly<Record<string, unknown>>[]
    assert.deepEqual([source?.['offline'], source?.['packages'], source?.['version']], [true, 2, 2])
    assert.match(
      await cli.ok(['update', '--offline']),
      /^test: version 2, 2 package versions \(offline, last refreshed \d+ minutes? ago\)$/m,
    )

    const missing = await alone('download', '--offline', '--with-depends', 'app-one')
    assert.equal(missing.result['code'], 'OFFLINE')
    assert.match(String(missing.result['message']), /app-base 1\.0-1/)
    assert.match(String(missing.result['message']), /app-one 1\.0-1/)
    assert.match(String(missing.result['hint']), /vmpkg download app-(?:base|one)=1\.0-1 app-(?:base|one)=1\.0-1$/)

    const planned = await cli.json(['download', '--dry-run', '--with-depends', 'app-one'])
    assert.deepEqual([planned['schema'], planned['dryRun'], planned['objects']], ['vmpkg.download/1', true, 4])
    const before = server.requests.length
    assert.equal(await cli.ok(['download', 'app-one']), 'Have app-one 1.0-1\n')
    assert.ok(server.requests.length > before)
    const half = await cli.run(['download', 'app-one', 'app-base'], '', { env: { VMPKG_OFFLINE: '1' } })
    assert.match(half.stderr, /^E: Not on this host: app-base 1\.0-1 \[OFFLINE\]$/m)
    await cli.ok(['download', '--with-depends', 'app-one'])
    const there = await alone('download', '--with-depends', 'app-one')
    const packages = there.result['packages'] as {
      readonly archive: string
      readonly images: readonly { readonly path: string }[]
    }[]
    assert.equal(packages.length, 2)
    for (const { archive, images } of packages)
      for (const path of [archive, ...images.map((one) => one.path)]) await readFile(path)

    // It stays until garbage is collected on purpose, and then it is gone.
    const { removed } = await cli.json(['gc'])
    assert.equal((removed as unknown[]).length, 4)
    assert.equal((await alone('download', '--offline', 'app-one')).result['code'], 'OFFLINE')
  })

  test('a source in a folder works offline, and passwords that others may read do not', async (t) => {
    const registry = await buildRegistry({ clock: fixedClock(new Date()), packages: [{ name: 'app-one' }] })
    t.after(async () => registry[Symbol.asyncDispose]())
    const cli = await makeCli('test:///default')
    t.after(async () => cli.close())
    await cli.ok(['source', 'add', 'test', registry.folder, '--root-file', join(registry.folder, 'root', '1.json')])
    const auth = join(cli.folder, 'root', 'etc', 'vmpkg', 'auth.conf')
    await writeFile(auth, 'machine a.example login ada password secret')
    await chmod(auth, 0o644)
    const { status, stderr } = await cli.run(['update', '--verbose'])
    assert.equal(status, 100)
    assert.match(stderr, /can be read by others \[SOURCE_INVALID\]\n {3}Run: chmod 600 /)
    assert.doesNotMatch(stderr, /secret|ada/)
    await chmod(auth, 0o600)
    await cli.ok(['update', '--offline'])
    await cli.ok(['download', '--offline', 'app-one'])
    const build = await cli.run([
      'build',
      '--offline',
      join(import.meta.dirname, '../../templates/router-uni'),
      '--out',
      join(cli.folder, 'built'),
      '--mirror',
      'http://127.0.0.1:9/debian',
    ])
    assert.match(build.stderr, /^E: Building takes Debian packages from a mirror on the network \[OFFLINE\]$/m)
  })
})
