/** Several clones at once, what tells them apart, their removal by pattern, and packages that are made of them. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { after, before, describe, type TestContext, test } from 'node:test'
import { systemOutside } from '../../src/node/outside.ts'
import { cloneFacts, planClones } from '../../src/operations/clone-plan.ts'
import { loadPackage } from '../../src/operations/package-store.ts'
import { renderGuestFiles, renderMachine } from '../../src/operations/render-machine.ts'
import { openWorkspace } from '../../src/operations/workspace.ts'
import { privateHostMissing } from '../support/private-host.ts'
import { makeSite, type Observation, type Site } from '../support/site.ts'
import { tinyApp, tinyRouter } from '../support/tiny-packages.ts'

interface Made {
  readonly name: string
  readonly uuid: string
  readonly xml: string
}

describe('clones', { timeout: 240_000, skip: await privateHostMissing() }, () => {
  let site: Site
  let bare: Observation
  const cloned = async (...words: readonly string[]): Promise<readonly Made[]> => {
    const { machines } = await site.cli.json(['clone', 'app-tiny', '--no-start', ...words])
    return machines as readonly Made[]
  }
  const refused = async (...words: readonly string[]): Promise<string> => {
    const { status, stderr } = await site.cli.run(words)
    assert.notEqual(status, 0, words.join(' '))
    return /\[([A-Z_]+)\]/.exec(stderr)?.[1] ?? stderr
  }
  const names = async (): Promise<readonly string[]> => (await site.observe()).domains.toSorted()

  before(async () => {
    const env = 'HOSTNAME={{identity.hostname}}\nMACHINE_ID={{identity.machineId}}\nSEED={{identity.seed}}\n'
    const app = tinyApp('app-tiny', { manifest: 'guest: { files: guest/ }' })
    site = await makeSite('eph-clones', [
      tinyRouter('router-tiny'),
      tinyApp('app-fancy', { devices: "<panic model='fancy'/>" }),
      { ...app, files: { ...app.files, 'guest/vmpkg.env.hbs': env } },
    ])
    await site.cli.ok(['install', '-y', '--grant', 'network', '--no-start', 'router-tiny', 'app-tiny', 'app-fancy'])
    bare = await site.observe()
  })

  after(() => site?.close())

  test('--count makes as many as it says, with numbers for names and an address for each', async () => {
    const made = await cloned('--name', 'worker', '--count', '3')
    assert.deepEqual(
      made.map(({ name }) => name),
      ['worker-1', 'worker-2', 'worker-3'],
    )
    assert.deepEqual(await names(), ['router-tiny', 'worker-1', 'worker-2', 'worker-3'])
    const macs = await Promise.all(
      made.map(async ({ name }) => /mac address='(.*)'/.exec(await site.virsh('dumpxml', name))?.[1]),
    )
    assert.equal(new Set(macs.map((mac) => mac?.slice(-2))).size, 3)
    assert.deepEqual(
      (await cloned('--count', '2')).map(({ name }) => name),
      ['app-tiny-1', 'app-tiny-2'],
    )
  })

  test('where one of several cannot be made none is, and none is left half made', async () => {
    const whole = await site.observe()
    assert.equal(await refused('clone', 'app-tiny', '--no-start', '--name', 'worker', '--count', '2'), 'DOMAIN_EXISTS')
    assert.equal(await refused('clone', 'app-tiny', '--no-start', '--count', '300'), 'ADDRESS_UNAVAILABLE')
    assert.equal(await refused('clone', 'app-tiny', '--count', '0'), 'USAGE')
    assert.deepEqual(await site.observe(), whole)
    // The second finds its overlay’s place taken, when the first is defined already.
    const running = site.cli.start(['clone', 'app-tiny', '--no-start', '--name', 'late', '--count', '20', '--json'], '')
    for (let tries = 0; tries < 400 && !(await names()).includes('late-2'); tries++) await pause(20)
    running.kill('SIGINT')
    const { status } = await running.done
    assert.equal(status, 130)
    assert.deepEqual(await site.observe(), whole)
  })

  test('what libvirt’s schema refuses is named with its line and what would do, and nothing of it is left', async () => {
    const whole = await site.observe()
    for (const kind of [['--no-start'], ['--ephemeral']]) {
      const { stderr } = await site.cli.run(['clone', 'app-fancy', ...kind])
      assert.match(
        stderr,
        /\/domain\/devices\/panic\/@model \(line \d+\)[^]*"fancy" is not allowed[^]*\[SCHEMA_INVALID\]/,
      )
      assert.match(stderr, /"isa"/)
    }
    assert.deepEqual(await site.observe(), whole)
  })

  test('rm takes several and patterns, says beforehand what goes, and never takes a router by a pattern', async () => {
    const whole = await site.observe()
    const planned = await site.cli.json(['rm', '--dry-run', 'worker-*', 'app-tiny-?'])
    assert.deepEqual(planned['removed'], ['worker-1', 'worker-2', 'worker-3', 'app-tiny-1', 'app-tiny-2'])
    const { files } = (planned['machines'] as readonly { files: readonly string[] }[])[0] ?? { files: [] }
    assert.ok(files.length === 3 && files.slice(0, 2).every((file) => existsSync(file)), files.join(' '))
    assert.deepEqual(await site.observe(), whole)
    assert.equal(await refused('rm', '-y', 'nobody-*'), 'DOMAIN_UNKNOWN')
    assert.equal(await refused('rm', '-y', 'worker-1', 'ghost'), 'DOMAIN_UNKNOWN')
    assert.deepEqual(await site.observe(), whole)
    await site.cli.ok(['rm', '-y', '*'])
    assert.deepEqual(await site.observe(), bare)
  })

  test('K2: of 1,000 rendered clones no two have anything in common that should be their own', async (t) => {
    const workspace = await openReader(t)
    const connect = await workspace.connect()
    const { line, source } = workspace.installed.get('app-tiny')
    const pkg = await loadPackage(workspace, line)
    const seen = new Map<string, Set<string>>()
    const note = (what: string, value: string | undefined): void => {
      assert.ok(value !== undefined && value !== '', what)
      const values = seen.get(what) ?? new Set()
      assert.ok(!values.has(value), `${what} ${value} twice`)
      seen.set(what, values.add(value))
    }
    for (let round = 0; round < 8; round++) {
      const addresses = new Set<string>()
      const { inputs } = await planClones(workspace, connect, pkg, {
        names: Array.from({ length: 125 }, (_, index) => `clone-${round}-${index}`),
        wantedMode: 'encrypted',
        net: 'uni0',
        ephemeral: true,
        set: [],
        profiles: [],
        before: {},
        grants: ['network'],
      })
      for (const input of inputs) {
        const facts = cloneFacts(workspace, input, { source, net: 'uni0', ephemeral: true, storage: 'encrypted' })
        const xml = await renderMachine(input, facts)
        const settings = Buffer.from(renderGuestFiles(input).files.get('vmpkg.env') ?? '').toString()
        for (const [what, found] of [
          ['name', /<name>(.*)<\/name>/],
          ['uuid', /<uuid>(.*)<\/uuid>/],
          ['mac', /<mac address=.([0-9a-f:]{17})./],
          ['overlay', /file=.([^']*\.qcow2)./],
          ['medium', /file=.([^']*\.iso)./],
          ['secret', /<secret type='passphrase' uuid=.([0-9a-f-]+)./],
        ] as const)
          note(what, found.exec(xml)?.[1])
        for (const [, what = '', value] of settings.matchAll(/^(HOSTNAME|MACHINE_ID|SEED)=(.*)$/gm)) note(what, value)
        note('nvram', input.nvram)
        addresses.add(input.nics[0]?.mac.slice(-2) ?? '')
      }
      assert.equal(addresses.size, 125, 'two would have one address')
    }
    assert.deepEqual(
      [...seen].map(([what, { size }]) => [what, size]).filter(([, size]) => size !== 1000),
      [],
    )
    assert.equal(seen.size, 10)
    // The control: what is copied is noticed.
    assert.throws(() => note('SEED', [...(seen.get('SEED') ?? [])][0]), /twice/)
  })

  test('K4: a sealed machine becomes a package that is signed, installed and cloned, and no clone changes it', async () => {
    await site.cli.ok(['clone', 'app-tiny', '--name', 'model', '--no-start', '--set', 'memory=48MiB'])
    const overlay = /file='([^']*\.qcow2)'/.exec(await site.virsh('dumpxml', 'model'))?.[1] ?? ''
    execFileSync('qemu-io', ['-f', 'qcow2', '-c', 'write -P 0x6b 4096 4096', overlay])
    const planned = await site.cli.json(['seal', 'model', '--name', 'model-app', '--dry-run'])
    assert.equal(planned['version'], '1.0')
    assert.equal(await refused('seal', 'model', '--name', 'app-tiny'), 'PACKAGE_EXISTS')
    assert.equal(await refused('seal', 'router-tiny'), 'USAGE')
    const sealed = await site.cli.json(['seal', 'model', '--name', 'model-app'])
    const { packages } = (await site.cli.json(['show', 'model-app'])) as { packages: readonly { source: string }[] }
    assert.equal(packages[0]?.source, 'local')
    await site.cli.ok(['install', '-y', '--grant', 'network', 'model-app'])
    const { xml } = await site.cli.json(['clone', 'model-app', '--name', 'copy', '--no-start'])
    const base = /<source file='([^']*\/images\/[0-9a-f]{64})'/.exec(String(xml))?.[1] ?? ''
    assert.ok(base.endsWith(String(sealed['digest'])))
    assert.match(String(xml), /<memory unit='KiB'[^>]*>49152</)
    const disk = await readFile(base)
    assert.ok(disk.subarray(4096, 8192).every((byte) => byte === 0x6b))
    const own = /file='([^']*\.qcow2)'/.exec(String(xml))?.[1] ?? ''
    execFileSync('qemu-io', ['-f', 'qcow2', '-c', 'write -P 0x11 4096 4096', own])
    assert.match(await site.cli.ok(['verify', '--full']), /as it was signed/)
    assert.ok((await readFile(base)).equals(disk))
    assert.equal((await site.cli.json(['seal', 'model', '--name', 'model-app', '--dry-run']))['version'], '1.1')
    await site.cli.ok(['rm', '-y', 'model', 'copy'])
  })

  function openReader(t: TestContext) {
    const { cli } = site
    return openWorkspace({
      outside: systemOutside({ emit: () => {}, signal: new AbortController().signal, env: cli.env, offline: true }),
      root: cli.env['VMPKG_ROOT'],
      connect: cli.env['VMPKG_CONNECT'],
      env: cli.env,
      uid: process.getuid?.() ?? 0,
      home: cli.folder,
      folder: cli.folder,
      command: ['test'],
      write: false,
    }).then((workspace) => {
      t.after(() => workspace.close())
      return workspace
    })
  }
})

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
