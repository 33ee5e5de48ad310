/**
 * Packages on a host that has no network: every command of that host runs in a network namespace of its own, in which
 * there is nothing but a loopback interface that is down.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { resignRegistry } from '../../src/publish/registry-resign.ts'
import { type Cli, type CliResult, makeCli } from '../support/cli.ts'
import { DAY_MS, fixedClock } from '../support/fixed-clock.ts'
import { privateHostMissing } from '../support/private-host.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'
import { type StaticServer, startStaticServer } from '../support/static-server.ts'
import { tinyApp, tinyRouter } from '../support/tiny-packages.ts'

const execute = promisify(execFile)
const NO_NETWORK = ['unshare', ...(process.getuid?.() === 0 ? [] : ['--map-root-user']), '--net', '--']

describe('a host without a network', { timeout: 300_000, skip: await privateHostMissing() }, () => {
  let registry: TestRegistry
  let server: StaticServer
  let connected: Cli
  let isolated: Cli
  let bundle: string
  let rootFile: string

  const alone = (args: readonly string[]): Promise<CliResult> => isolated.run(args, '', { prefix: NO_NETWORK })
  async function aloneOk(args: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await alone(args)
    assert.equal(status, 0, `${args.join(' ')}: ${stdout}${stderr}`)
    return stdout
  }
  const refusedAlone = async (args: readonly string[], code: string): Promise<string> => {
    const { status, stderr } = await alone(args)
    assert.equal(status, 100, stderr)
    assert.match(stderr, new RegExp(`\\[${code}\\]`))
    return stderr
  }

  before(async () => {
    registry = await buildRegistry({
      clock: fixedClock(new Date(Date.now() - 60_000)),
      packages: [
        tinyRouter('router-tiny'),
        tinyApp('app-alone', { manifest: 'depends: [router-tiny]' }),
        tinyApp('app-other'),
      ],
    })
    server = await startStaticServer(registry.folder)
    connected = await makeCli('private:air-gap-connected')
    isolated = await makeCli('private:air-gap')
    rootFile = join(isolated.folder, 'root.json')
    await copyFile(join(registry.folder, 'root', '1.json'), rootFile)
    await connected.ok(['source', 'add', 'test', server.base.href, '--root-file', rootFile])
    bundle = join(isolated.folder, 'apps.vmbundle')
  })
  after(async () => {
    await connected?.close()
    await isolated?.close()
    await server?.[Symbol.asyncDispose]()
    await registry?.[Symbol.asyncDispose]()
  })

  test('its namespace is empty: the control of the tests below', async () => {
    const { stdout } = await execute('unshare', [...NO_NETWORK.slice(1), 'ip', '-o', 'link'])
    assert.match(stdout, /^1: lo: .* state DOWN [^\n]*\n$/)
    await assert.rejects(
      execute('unshare', [...NO_NETWORK.slice(1), 'curl', '-sf', `${server.base.href}envelope.json`]),
    )
  })

  test('a bundle is the same bytes every time, and holds what was asked for', async () => {
    await connected.ok(['bundle', 'export', bundle, 'app-alone', '--with-depends'])
    const again = join(connected.folder, 'again.vmbundle')
    await connected.ok(['bundle', 'export', again, 'app-alone', '--with-depends', '--source', 'test'])
    assert.equal(await sha256(again), await sha256(bundle))
    const { packages } = await connected.json(['bundle', 'show', bundle])
    const names = (packages as readonly { name: string }[]).map(({ name }) => name)
    assert.deepEqual(names.toSorted(), ['app-alone', 'router-tiny'])
    const { stdout } = await execute('tar', ['-tf', bundle])
    assert.match(stdout, /^bundle\.json\nblob\/[0-9a-f]{64}\n/)
  })

  test('a bundle of a registry that is no source needs its root file or fingerprints', async () => {
    await refusedAlone(['bundle', 'import', bundle], 'SOURCE_UNKNOWN')
    await refusedAlone(['bundle', 'import', bundle, '--fingerprint', 'A'.repeat(40)], 'SIGNATURE_UNTRUSTED')
    assert.doesNotMatch(await aloneOk(['source', 'list']), /test/)
  })

  test('imports, shows, installs and verifies with no network at all', async () => {
    const said = await aloneOk(['bundle', 'import', bundle, '--root-file', rootFile])
    assert.match(said, /Added source test[\s\S]*Imported (app-alone|router-tiny) 1\.0-1 from test/)
    assert.match(await aloneOk(['show', 'app-alone']), /Package: app-alone[\s\S]*Depends: router-tiny/)
    await refusedAlone(['update'], 'DOWNLOAD_FAILED')
    await aloneOk(['install', '-y', '--grant', 'network', '--no-start', 'app-alone'])
    assert.match(await aloneOk(['verify', '--full']), /as it was signed/)
    await refusedAlone(['install', '-y', '--grant', 'network', 'app-other'], 'DOWNLOAD_FAILED')
  })

  test('an older bundle than what it has seen is refused, a newer one taken; install --from takes it for one command', async () => {
    await registry.add({ ...tinyApp('app-other'), version: '2.0-1' })
    const newer = join(isolated.folder, 'newer.vmbundle')
    await connected.ok(['bundle', 'export', newer, 'app-other'])
    await aloneOk(['install', '-y', '--grant', 'network', 'app-other', '--from', newer])
    assert.match(await aloneOk(['list', '--installed']), /app-other\s+2\.0-1/)
    await refusedAlone(['bundle', 'import', bundle], 'ENVELOPE_ROLLED_BACK')
  })

  test('an expired bundle says how long it may be good, and is taken when the user has said so', async () => {
    registry.clock.set(new Date(Date.now() - 16 * DAY_MS))
    await using old = await buildRegistry({ clock: registry.clock, packages: [tinyApp('app-old')] })
    const root = join(old.folder, 'root', '1.json')
    await resignRegistry(old.folder, old.timestamping, { force: true })
    const file = join(connected.folder, 'old.vmbundle')
    await connected.ok(['source', 'add', 'old', old.folder, '--root-file', root, '--expiry', 'grace 30 days'])
    await connected.ok(['bundle', 'export', file, 'app-old', '--source', 'old'])
    const said = await refusedAlone(['bundle', 'import', file, '--root-file', root], 'ENVELOPE_EXPIRED')
    assert.match(said, /vmpkg source set old --expiry/)
    await aloneOk(['bundle', 'import', file, '--root-file', root, '--expiry', 'grace 30 days'])
  })

  test('a bundle with one byte changed anywhere is refused or brings nothing else', async () => {
    const whole = await readFile(bundle)
    const file = join(isolated.folder, 'changed.vmbundle')
    const fresh = await makeCli('private:air-gap-fresh')
    try {
      for (let step = 1; step <= 8; step++) {
        const changed = Buffer.from(whole)
        const at = Math.floor((whole.length * step) / 9)
        changed[at] = (changed[at] ?? 0) ^ 0x20
        await writeFile(file, changed)
        const { status, stderr } = await fresh.run(['bundle', 'import', file, '--root-file', rootFile])
        if (status === 0) {
          await fresh.ok(['source', 'remove', 'test']) // what changed is what the bundle says of itself
          continue
        }
        assert.match(
          stderr,
          /\[(ARCHIVE_INVALID|ARCHIVE_ENTRY_REFUSED|DIGEST_MISMATCH|[A-Z]+_INVALID)\]/,
          `byte ${at}: ${stderr}`,
        )
        assert.doesNotMatch(await fresh.ok(['source', 'list']), /test/)
      }
    } finally {
      await fresh.close()
    }
  })
})

async function sha256(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
}
