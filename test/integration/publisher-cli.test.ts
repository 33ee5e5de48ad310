/** Publishers at the command line: in processes of their own, racing, offline, and with clients that follow. */
import assert from 'node:assert/strict'
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { formatEnvelope, formatSignedFile } from '../../src/model/registry-schema.ts'
import { writeEnvelope } from '../../src/publish/registry-folder.ts'
import { readRegistry } from '../../src/publish/registry-state.ts'
import { openSigner, signFile } from '../../src/publish/signer.ts'
import { type Cli, makeCli } from '../support/cli.ts'
import { freePort } from '../support/free-port.ts'
import { buildRegistry, type TestRegistry } from '../support/registry-builder.ts'

interface Place {
  readonly cli: Cli
  /** Where builds come from; a registry of its own that nobody uses. */
  readonly builder: TestRegistry
  readonly keys: string
  /** Makes a registry in which the keys `root`, `pub`, `prom` and `ts` have their roles. */
  readonly init: (name: string) => Promise<string>
  /** A folder with the secret keys of these names and the certificates of all. */
  readonly holding: (name: string, ...keys: readonly string[]) => Promise<string>
  readonly verified: (registry: string) => Promise<void>
}

let place: Place

before(async () => {
  const cli = await makeCli('qemu:///nowhere')
  const builder = await buildRegistry()
  const keys = join(cli.folder, 'keys')
  const fingerprints = new Map<string, string>()
  for (const name of ['root', 'pub', 'prom', 'ts', 'ts2', 'pub2', 'short']) {
    const expiry = name === 'short' ? ['--expires', '10'] : []
    const key = await cli.json(['key', 'generate', name, '--keys', keys, '--no-passphrase', ...expiry])
    fingerprints.set(name, String(key['fingerprint']))
  }
  place = {
    cli,
    builder,
    keys,
    init: async (name) => {
      const folder = join(cli.folder, name)
      const roles = ['--root-key', 'root', '--publisher', 'pub=*', '--promoter', 'prom', '--timestamp', 'ts']
      await cli.ok(['repo', 'init', folder, '--keys', keys, ...roles])
      return folder
    },
    holding: async (name, ...held) => {
      const folder = join(cli.folder, name)
      await mkdir(folder, { mode: 0o700 })
      for (const file of await readdir(keys)) {
        const isHeld = held.some((one) => file.startsWith(fingerprints.get(one) ?? '?'))
        if (!file.includes('secret') || isHeld) await copyFile(join(keys, file), join(folder, file))
      }
      return folder
    },
    verified: async (registry) => {
      const { ok, findings } = await cli.json(['repo', 'verify', registry, '--full'])
      assert.deepEqual([ok, findings], [true, []])
    },
  }
})

after(async () => {
  await place.cli.close()
  await place.builder[Symbol.asyncDispose]()
})

async function versionOf(registry: string): Promise<number> {
  const file = JSON.parse(await readFile(join(registry, 'envelope.json'), 'utf8')) as { payload: string }
  return (JSON.parse(Buffer.from(file.payload, 'base64').toString()) as { version: number }).version
}

describe('vmpkg repo, by several publishers at once', () => {
  test('two that race on one folder both publish (P01)', async () => {
    const { cli, builder, keys, init, verified } = place
    const registry = await init('race')
    const built = await Promise.all(['app-a', 'app-b'].map((name) => builder.build({ name })))
    const runs = await Promise.all(built.map((one) => cli.run(['repo', 'add', registry, one, '--keys', keys])))
    assert.deepEqual(
      runs.map(({ status }) => status),
      [0, 0],
    )
    assert.equal(await versionOf(registry), 3)
    await verified(registry)
  })

  test('whatever several do at once, nothing of it is lost', async () => {
    const { cli, builder, keys, init, verified } = place
    const registry = await init('many')
    await cli.ok(['repo', 'add', registry, await builder.build({ name: 'app-first' }), '--keys', keys])
    let count = 0
    const action = fc.constantFrom('add', 'promote', 'resign', 'snapshot', 'gc')
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 3, maxLength: 4 }), async (actions) => {
        const earlier = await versionOf(registry)
        const commands = await Promise.all(
          actions.map(async (one) => {
            const number = count++
            if (one === 'add') return ['add', registry, await builder.build({ name: `app-n${number}` })]
            if (one === 'promote') return ['promote', registry, 'app-first', '1.0-1', '--channel', `c${number}`]
            if (one === 'resign') return ['resign', registry, '--force']
            return [one, registry]
          }),
        )
        const keyed = commands.map((words) =>
          ['add', 'promote', 'resign'].includes(words[0] ?? '') ? [...words, '--keys', keys] : words,
        )
        const runs = await Promise.all(keyed.map((words) => cli.run(['repo', ...words])))
        for (const [i, { status, stderr }] of runs.entries()) {
          // Two snapshots of different versions within one second have one name; everything else works.
          const isSameSecond = actions[i] === 'snapshot' && stderr.includes('REGISTRY_CHANGED')
          assert.ok(status === 0 || isSameSecond, `${actions[i]}: ${stderr}`)
        }
        const changes = actions.filter((one) => ['add', 'promote', 'resign'].includes(one)).length
        assert.equal(await versionOf(registry), earlier + changes)
      }),
      { numRuns: 4 },
    )
    await verified(registry)
  })
})

describe('vmpkg repo, with the keys apart', () => {
  test('CI submits, the promoter promotes and yanks offline, whoever has the timestamp key takes it in', async () => {
    const { cli, builder, init, holding, verified } = place
    const registry = await init('apart')
    const [ci, promoter, online] = [
      await holding('ci', 'pub'),
      await holding('promoter', 'prom'),
      await holding('online', 'ts'),
    ]
    const app = await builder.build({ name: 'app-one' })
    assert.equal((await cli.json(['repo', 'add', registry, app, '--keys', ci]))['kind'], 'submitted')
    const promote = ['repo', 'promote', registry, 'app-one', '1.0-1', '--channel', 'testing']
    assert.match((await cli.run([...promote, '--keys', promoter])).stderr, /PACKAGE_UNKNOWN/)
    assert.equal((await cli.json(['repo', 'merge', registry, '--keys', online]))['merged'], 1)
    for (const keys of [ci, online]) assert.match((await cli.run([...promote, '--keys', keys])).stderr, /KEY_UNKNOWN/)
    assert.match((await cli.run(['repo', 'add', registry, app, '--keys', online])).stderr, /KEY_UNKNOWN/)
    assert.equal((await cli.json([...promote, '--phase', '5', '--keys', promoter]))['kind'], 'submitted')
    const yank = ['repo', 'yank', registry, 'app-one', '1.0-1', '--keys', promoter]
    const yanked = await cli.json([...yank, '--reason', 'leaks'])
    const entry = {
      name: 'app-one',
      version: '1.0-1',
      arch: 'amd64',
      channel: 'testing',
      phasedPercent: 5,
      yanked: 'leaks',
    }
    assert.deepEqual(yanked['entries'], [entry], 'built on what waits')
    assert.equal((await cli.json(['repo', 'merge', registry, '--dry-run', '--keys', online]))['merged'], 2)
    assert.equal((await readdir(join(registry, 'incoming'))).length, 2)
    const merged = await cli.json(['repo', 'merge', registry, '--keys', online])
    assert.deepEqual([merged['merged'], merged['refused']], [2, []])
    assert.equal((await cli.json([...yank, '--reason', 'leaks']))['kind'], 'unchanged')
    const undone = await cli.json([...yank, '--undo'])
    assert.deepEqual(undone['entries'], [
      { name: 'app-one', version: '1.0-1', arch: 'amd64', channel: 'testing', phasedPercent: 5 },
    ])
    await cli.ok(['repo', 'promote', registry, 'app-one', '1.0-1', '--channel', 'other', '--keys', place.keys])
    const stale = await cli.json(['repo', 'merge', registry, '--keys', online])
    assert.equal(stale['merged'], 0, 'the promoter has to look at what was published meanwhile')
    assert.match(JSON.stringify(stale['refused']), /REGISTRY_CHANGED/)
    for (const bad of [['--phase', '101'], ['--channel', 'UPPER'], []]) {
      const words = ['repo', 'promote', registry, 'app-one', '1.0-1', ...bad, '--keys', place.keys]
      assert.notEqual((await cli.run(words)).status, 0, bad.join(' '))
    }
    const [waiting = ''] = await readdir(join(registry, 'incoming'))
    const { findings } = await cli.json(['repo', 'verify', registry])
    assert.match(JSON.stringify(findings), new RegExp(waiting))
    await cli.ok(['repo', 'resign', registry, '--force', '--days', '3', '--keys', online])
    await cli.ok(['repo', 'gc', registry, '--keep-days', '0', '--keep-hours', '0'])
    await writeFile(join(registry, 'incoming', waiting), '')
    await cli.run(['repo', 'merge', registry, '--keys', online])
    assert.deepEqual((await cli.json(['repo', 'verify', registry, '--full']))['ok'], true)
    await assert.rejects(verified(registry), 'the refused submission is still warned of')
  })

  test('a dry run of every verb changes nothing at all', async () => {
    const { cli, builder, keys, init } = place
    const registry = await init('dry')
    await cli.ok(['repo', 'add', registry, await builder.build({ name: 'app-one' }), '--keys', keys])
    await cli.ok(['repo', 'snapshot', registry])
    const [snapshot = ''] = await readdir(join(registry, 'snapshot'))
    const look = async () => {
      const entries = await readdir(registry, { recursive: true, withFileTypes: true })
      const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
      return Promise.all(files.toSorted().map(async (path) => [path, (await readFile(path)).toString('base64')]))
    }
    const seen = await look()
    const commands = [
      ['add', registry, await builder.build({ name: 'app-two' })],
      ['promote', registry, 'app-one', '1.0-1', '--channel', 'testing'],
      ['yank', registry, 'app-one', '1.0-1', '--reason', 'x'],
      ['resign', registry, '--force'],
      ['merge', registry],
      ['rotate-key', registry, '--role', 'timestamp', '--add', 'ts2', '--remove', 'ts'],
      ['rotate-key', registry, '--role', 'root', '--add', 'ts2', '--prepare', join(cli.folder, 'dry.draft')],
    ].map((words) => [...words, '--keys', keys])
    const others = [
      ['snapshot', registry],
      ['snapshot', 'remove', registry, snapshot.replace('.json', '')],
      ['gc', registry, '--keep-days', '0', '--keep-hours', '0'],
      ['mirror', registry, join(cli.folder, 'dry-mirror'), '--root-file', join(registry, 'root/1.json')],
    ]
    for (const words of [...commands, ...others]) {
      const result = await cli.json(['repo', ...words, '--dry-run'])
      const { dryRun } = (result['place'] ?? result) as { dryRun?: boolean }
      assert.equal(dryRun, true, words.join(' '))
      assert.deepEqual(await look(), seen, words.join(' '))
    }
    const names = await readdir(cli.folder)
    assert.ok(!names.includes('dry.draft') && !names.includes('dry-mirror'))
  })
})

describe('vmpkg repo rotate-key, with a client that follows', () => {
  test('timestamp, publisher and root change; the thief of the old key has lost (M07)', {
    timeout: 300_000,
  }, async () => {
    const { cli, builder, keys, init, holding, verified } = place
    const registry = await init('rotate')
    await cli.ok(['repo', 'add', registry, await builder.build({ name: 'app-one' }), '--keys', keys])
    await cli.ok(['source', 'add', 'rotate', registry, '--root-file', join(registry, 'root/1.json')])
    await cli.ok(['update'])
    const honest = await readFile(join(registry, 'envelope.json'))
    await driveUp(registry, await holding('thief', 'ts'))
    await cli.ok(['update'])
    await writeFile(join(registry, 'envelope.json'), honest)
    assert.match((await cli.run(['update'])).stderr, /ENVELOPE_ROLLED_BACK/)
    const rotate = ['repo', 'rotate-key', registry, '--keys', keys]
    await cli.ok([...rotate, '--role', 'timestamp', '--add', 'ts2', '--remove', 'ts'])
    await cli.ok(['update'])
    assert.equal(await versionOf(registry), 3)
    await cli.ok([...rotate, '--role', 'publisher', '--add', 'pub2', '--remove', 'pub'])
    await cli.ok(['update'])
    const held = await holding('old-publisher', 'pub', 'ts2')
    const app = await builder.build({ name: 'app-two' })
    assert.match((await cli.run(['repo', 'add', registry, app, '--keys', held])).stderr, /KEY_UNKNOWN/)
    await cli.ok(['repo', 'add', registry, app, '--keys', await holding('new-publisher', 'pub2', 'ts2')])

    const draft = join(cli.folder, 'root.draft')
    const [old, fresh] = [await holding('holder-old', 'root'), await holding('holder-new', 'short')]
    const nobody = await holding('nobody')
    const words = ['--role', 'root', '--add', 'short', '--threshold', '2', '--prepare', draft, '--keys', nobody]
    const prepared = await cli.json(['repo', 'rotate-key', registry, ...words])
    assert.equal(prepared['kind'], 'prepared')
    const sign = (folder: string) => ['repo', 'sign-root', draft, '--keys', folder]
    assert.match((await cli.run(sign(old))).stderr, /CONFIRMATION_NEEDED/)
    assert.match((await cli.run([...sign(held), '-y'])).stderr, /KEY_UNKNOWN/)
    const finish = ['repo', 'rotate-key', registry, '--finish', draft, '--keys', await holding('finisher', 'ts2')]
    assert.equal((await cli.json([...sign(old), '-y']))['complete'], false)
    assert.match((await cli.run(finish)).stderr, /THRESHOLD_UNMET/)
    assert.equal((await cli.json([...sign(fresh), '-y']))['complete'], true)
    await cli.ok(finish)
    await cli.ok(['update'])
    assert.deepEqual(await readdir(join(registry, 'root')), ['1.json', '2.json', '3.json', '4.json'])
    assert.match((await cli.run(finish)).stderr, /REGISTRY_CHANGED/)
    const { findings, ok } = await cli.json(['repo', 'verify', registry, '--full'])
    assert.equal(ok, true)
    assert.match(JSON.stringify(findings), /key-expires/)
    await assert.rejects(verified(registry))
  })
})

/** What a thief of the timestamp key can do: the highest version there is, over the same content. */
async function driveUp(registry: string, keys: string): Promise<void> {
  const { envelope, root, envelopeDigest } = await readRegistry(registry)
  const [fingerprint] = root.timestamp.keys
  assert.ok(fingerprint)
  const signer = await openSigner({ folder: keys, fingerprint, clock: { now: () => new Date() } })
  const version = Number.MAX_SAFE_INTEGER
  const forged = { ...envelope, version, previous: { version: version - 1, sha256: envelopeDigest } }
  const payload = formatEnvelope(forged)
  await writeEnvelope(registry, formatSignedFile(await signFile([signer], 'timestamp', 'envelope', payload)))
}

describe('vmpkg repo serve', () => {
  test('prints where it listens, serves a client and a mirror, logs, and stops cleanly on Ctrl-C', async () => {
    const { cli, builder, keys, init, verified } = place
    const registry = await init('served')
    await cli.ok(['repo', 'add', registry, await builder.build({ name: 'app-one' }), '--keys', keys])
    const port = await freePort()
    const url = `http://127.0.0.1:${port}/`
    const server = cli.start(['repo', 'serve', registry, '--listen', `127.0.0.1:${port}`, '--json'], '')
    const lines: string[] = []
    server.onLine((line) => lines.push(line))
    await server.said(/"vmpkg\.repo-serve\/1"/)
    await cli.ok(['source', 'add', 'served', url, '--root-file', join(registry, 'root/1.json')])
    await cli.ok(['source', 'remove', 'rotate'])
    await cli.ok(['update'])
    const mirror = join(cli.folder, 'mirror')
    await cli.ok(['repo', 'mirror', url, mirror, '--root-file', join(registry, 'root/1.json')])
    await verified(mirror)
    const same = await cli.run(['repo', 'diff', url, mirror])
    assert.equal(same.status, 0)
    assert.match(same.stdout, /^No difference \(versions \d+ and \d+\)\n$/)
    server.kill('SIGINT')
    const { status, stdout } = await server.done
    assert.equal(status, 0)
    assert.deepEqual(JSON.parse(stdout), { schema: 'vmpkg.repo-serve/1', url })
    assert.ok(
      lines.some((line) => line.includes('127.0.0.1 GET') && line.includes('/envelope.json') && line.includes(' 200 ')),
    )
    assert.match((await cli.run(['update'])).stderr, /DOWNLOAD_FAILED/)
  })

  test('is not reachable from elsewhere unless somebody insists', async () => {
    const { cli, init } = place
    const registry = await init('private')
    for (const listen of ['0.0.0.0:0', '[::]:0', '192.0.2.1:80']) {
      assert.match((await cli.run(['repo', 'serve', registry, '--listen', listen])).stderr, /--public/)
    }
    for (const listen of ['localhost', 'example.org:80', '127.0.0.1:99999', '']) {
      assert.equal((await cli.run(['repo', 'serve', registry, '--listen', listen])).status, 2, listen)
    }
    const open = cli.start(['repo', 'serve', registry, '--listen', '0.0.0.0:0', '--public'], '')
    await open.said(/Serving/)
    open.kill('SIGTERM')
    const { status, stderr } = await open.done
    assert.equal(status, 0)
    assert.match(stderr, /W: Other machines can reach this server/)
  })
})
