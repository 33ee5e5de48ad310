/** `clone --from` on a private host: machines that are off and that run; what is copied, what is new, and that the source stays. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { noise } from '../support/disk-image.ts'
import { privateHostMissing } from '../support/private-host.ts'
import type { TestPackage } from '../support/registry-builder.ts'
import { makeSite, type Site } from '../support/site.ts'
import { tinyApp, tinyRouter } from '../support/tiny-packages.ts'

const execute = promisify(execFile)
const MIB = 1024 * 1024
const DEVICE = '/machine/peripheral/virtio-disk0/virtio-backend'
const SETTINGS = 'HOSTNAME={{identity.hostname}}\nMACHINE_ID={{identity.machineId}}\nSEED={{identity.seed}}\n'

/** No network, so that it starts alone, a data disk, and a medium that says who it is. */
function keeping(name: string): TestPackage {
  const plain = tinyApp(name, { image: noise(name, 3 * MIB + 4096), manifest: 'guest: { files: guest/ }' })
  const manifest = `${(plain.manifest ?? '').replace(/^capabilities:.*\n/m, '')}\ndata: { home: { size: 16MiB, mount: /home } }`
  return { ...plain, manifest, files: { ...plain.files, 'guest/vmpkg.env.hbs': SETTINGS } }
}

describe('a machine that is copied', { timeout: 240_000, skip: await privateHostMissing() }, () => {
  let site: Site
  const xmlOf = async (name: string): Promise<string> => site.virsh('dumpxml', '--inactive', name)
  const filesOf = async (name: string): Promise<readonly string[]> =>
    [...(await xmlOf(name)).matchAll(/<source file='([^']+\.qcow2)'/g)].map(([, file = '']) => file)
  const diskOf = async (name: string): Promise<string> => (await filesOf(name))[0] ?? ''
  const compare = async (a: string, b: string): Promise<void> =>
    void (await execute('qemu-img', ['compare', '-U', a, b]))
  const settingsOf = async (name: string): Promise<string> => {
    const medium = /<source file='([^']+\.iso)'/.exec(await xmlOf(name))?.[1] ?? ''
    // Files of an ISO lie in it as they are.
    return /HOSTNAME=[^\0]*/.exec(await readFile(medium, 'latin1'))?.[0] ?? ''
  }
  const writeLive = async (name: string, command: string): Promise<void> => {
    for (const one of [command, 'flush']) {
      const said = await site.virsh('qemu-monitor-command', name, '--hmp', `qemu-io -d ${DEVICE} "${one}"`)
      assert.equal(said.trim(), '')
    }
  }

  before(async () => {
    site = await makeSite('copy', [tinyRouter('router-tiny'), tinyApp('app-tiny'), keeping('app-keep')])
    const packages = ['router-tiny', 'app-tiny', 'app-keep']
    await site.cli.ok(['install', '-y', '--grant', 'network', '--no-start', ...packages])
    await site.cli.ok(['clone', 'app-keep', '--name', 'web', '--no-start'])
    await execute('qemu-io', ['-c', 'write -P 7 1M 300k', '-c', 'write -z 2M 64k', await diskOf('web')])
    await execute('qemu-io', ['-c', 'write -P 3 4M 64k', (await filesOf('web'))[1] ?? ''])
  })
  after(async () => site?.close())

  test('while it is off has the same bytes, and is another machine', async () => {
    const source = await xmlOf('web')
    const made = await site.cli.json(['clone', '--from', 'web', '--no-start'])
    assert.deepEqual([made['name'], made['consistency']], ['web-1', 'stopped'])
    const [pairs, copies] = await Promise.all([filesOf('web'), filesOf('web-1')])
    assert.equal(copies.length, 2)
    for (const [index, file] of pairs.entries()) {
      await compare(file, copies[index] ?? '')
      assert.notEqual(file, copies[index])
    }
    assert.match(copies[1] ?? '', /\/data\/web-1\.home\.qcow2$/)
    // No more than it differs from its base by: 300 KiB and the zeros.
    assert.ok(Number(made['writtenBytes']) < 600_000, String(made['writtenBytes']))
    assert.match((await execute('qemu-img', ['info', copies[0] ?? ''])).stdout, /backing file: .*\/images\//)
    const known = (text: string, what: RegExp): string => what.exec(text)?.[1] ?? ''
    for (const what of [/<uuid>(.*)<\/uuid>/, /<name>(.*)<\/name>/]) {
      assert.notEqual(known(await xmlOf('web-1'), what), known(source, what))
    }
    const [ours, theirs] = [await settingsOf('web'), await settingsOf('web-1')]
    assert.match(theirs, /^HOSTNAME=web-1$/m)
    for (const what of [/^MACHINE_ID=(.+)$/m, /^SEED=(.+)$/m]) {
      assert.notEqual(known(theirs, what), '')
      assert.notEqual(known(theirs, what), known(ours, what))
    }
    assert.equal(await xmlOf('web'), source)
    await site.cli.ok(['rm', '-y', '--data', 'web-1'])
    assert.deepEqual((await site.cli.json(['gc', '--dry-run']))['removed'], [])
  })

  test('has an address of its own on the LAN of the first', async () => {
    await site.cli.ok(['clone', 'app-tiny', '--name', 'shell', '--no-start'])
    await site.cli.ok(['clone', '--from', 'shell', '--no-start', '--name', 'shell-two'])
    const [first = '', second = ''] = await Promise.all(['shell', 'shell-two'].map(xmlOf))
    const card = /<mac address='(.*)'\/>\s*<source network='(.*)'\/>/
    assert.notEqual(card.exec(first)?.[1]?.slice(-2), card.exec(second)?.[1]?.slice(-2))
    assert.equal(card.exec(first)?.[2], card.exec(second)?.[2])
    assert.match(second, /<filterref filter='vmpkg-client'>/)
    await site.cli.ok(['rm', '-y', 'shell', 'shell-two'])
  })

  test('while it runs and has snapshots goes on as it is, with the chain that it had', async () => {
    await site.cli.ok(['start', 'web'])
    await writeLive('web', 'write -P 5 1536k 64k')
    await site.cli.ok(['snapshot', 'create', 'web', 'one'])
    await writeLive('web', 'write -P 6 2560k 64k')
    const running = await site.virsh('dumpxml', 'web')
    const made = await site.cli.json(['clone', '--from', 'web', '--name', 'live'])
    assert.equal(made['consistency'], 'crash')
    assert.equal(await site.virsh('dumpxml', 'web'), running)
    assert.match(await site.virsh('domjobinfo', 'web'), /None/)
    assert.equal((await site.virsh('domstate', 'live')).trim(), 'running')
    await site.cli.ok(['stop', '--force', 'live'])
    const copy = await diskOf('live')
    await compare(await diskOf('web'), copy)
    assert.match((await execute('qemu-img', ['info', copy])).stdout, /backing file: .*\/images\//, 'its chain is flat')
    assert.equal((await site.virsh('snapshot-list', 'live', '--name')).trim(), '')
    await writeLive('web', 'write -P 9 2560k 64k')
    await assert.rejects(compare(await diskOf('web'), copy), 'what is written later is not in it')
    await site.cli.ok(['rm', '-y', '--data', 'live'])
  })

  test('is whole or not there when the copying is killed, and the next command takes away what was made', async () => {
    const state = join(site.cli.env['VMPKG_ROOT'] ?? '', 'var', 'lib', 'vmpkg', 'connections')
    const files = async (): Promise<readonly string[]> =>
      (await readdir(state, { recursive: true })).filter((name) => /\.(qcow2|iso|scratch)$/.test(name)).toSorted()
    const known = await files()
    const running = await site.virsh('dumpxml', 'web')
    const copying = site.cli.start(['clone', '--from', 'web', '--name', 'late'], '')
    while ((await files()).length === known.length) await sleep(5)
    copying.kill('SIGKILL')
    await copying.done
    await site.cli.ok(['gc'])
    assert.deepEqual(await files(), known)
    assert.equal((await site.virsh('list', '--all', '--name')).includes('late'), false)
    assert.match(await site.virsh('domjobinfo', 'web'), /None/)
    assert.equal(await site.virsh('dumpxml', 'web'), running)
  })

  test('is refused where only one can be, or nothing is to stay, with what to do instead', async () => {
    const refused = async (...words: readonly string[]): Promise<string> => {
      const { status, stderr } = await site.cli.run(['clone', ...words])
      assert.notEqual(status, 0)
      return stderr
    }
    assert.match(await refused('--from', 'router-tiny'), /is a router[^]*USAGE/)
    assert.match(await refused('--from', 'web', '--name', 'web'), /DOMAIN_EXISTS/)
    assert.match(await refused('--from', 'nobody'), /DOMAIN_UNKNOWN/)
    assert.match(await refused('--from', 'web', '--ephemeral'), /USAGE/)
    assert.match(await refused('app-keep', '--from', 'web'), /USAGE/)
    assert.match(await refused(), /USAGE/)
    assert.match(await refused('web'), /web is a machine[^]*vmpkg clone --from web/)
    await site.cli.ok(['stop', '--force', 'web'])
    await site.cli.ok(['clone', 'app-keep', '--ephemeral', '--mode', 'encrypted', '--name', 'gone'])
    assert.match(await refused('--from', 'gone'), /ephemeral[^]*USAGE/)
    await site.cli.ok(['stop', 'gone'])
    const source = await xmlOf('web')
    const { xml, dryRun } = await site.cli.json(['clone', '--from', 'web', '--dry-run'])
    assert.equal(dryRun, true)
    assert.match(String(xml), /<name>web-1<\/name>/)
    assert.equal(await xmlOf('web'), source)
  })

  test('gets the data of one that is gone, which nobody else gets meanwhile, and gives it back', async () => {
    const { cli } = site
    const users = async (): Promise<readonly (readonly string[])[]> => {
      const { disks } = await cli.json(['data', 'list', 'web'])
      return (disks as readonly { readonly usedBy: readonly string[] }[]).map(({ usedBy }) => usedBy)
    }
    const refused = async (...words: readonly string[]): Promise<string> => (await cli.run(words)).stderr
    await cli.ok(['snapshot', 'delete', '-y', 'web', 'one'])
    assert.match(await refused('data', 'detach', 'web/home'), /declares it[^]*vmpkg rm web/)
    await cli.ok(['rm', '-y', 'web'])
    await cli.ok(['clone', 'app-keep', '--name', 'heir'])
    assert.match(await refused('data', 'attach', 'web/home', 'heir'), /vmpkg-home already[^]*--as/)
    assert.match(await refused('data', 'attach', 'web/none', 'heir'), /vmpkg data list/)
    assert.match(await refused('data', 'attach', 'web/home', 'router-tiny'), /USAGE/)
    const words = ['data', 'attach', 'web/home', 'heir', '--as', 'webhome']
    assert.match(await cli.ok([...words, '--dry-run']), /^Would attach/)
    assert.deepEqual(await users(), [[]])
    await cli.ok(words)
    for (const xml of [await site.virsh('dumpxml', 'heir'), await xmlOf('heir')]) {
      assert.match(xml, /data\/web\.home\.qcow2[^]*<serial>vmpkg-webhome<\/serial>/)
    }
    assert.deepEqual(await users(), [['heir']])
    assert.match(await refused('data', 'rm', '-y', 'web/home'), /DOMAIN_STATE/)
    assert.match(await refused('clone', 'app-keep', '--name', 'web', '--no-start'), /in use by heir/)
    assert.match(await refused('data', 'attach', 'web/home', 'heir', '--as', 'again'), /heir has the data disk/)
    await cli.ok(['stop', '--force', 'heir'])
    await cli.ok(['data', 'detach', 'web/home'])
    assert.deepEqual([await users(), (await filesOf('heir')).length], [[[]], 2])
    assert.match(await refused('data', 'detach', 'web/home'), /No machine has web\/home/)
    const home = join(site.cli.env['VMPKG_ROOT'] ?? '', 'var/lib/vmpkg/connections/private-copy/data/web.home.qcow2')
    await execute('qemu-io', ['-r', '-c', 'read -P 3 4M 64k', home])
  })

  test('leaves to its data disk what it wrote since its snapshots when it goes', async () => {
    const { cli } = site
    const { uuid } = await cli.json(['clone', 'app-keep', '--name', 'keeper', '--no-start'])
    for (const [snapshot, pattern, place] of [
      ['one', '9', '5M'],
      ['two', '8', '6M'],
    ] as const) {
      await cli.ok(['snapshot', 'create', 'keeper', snapshot])
      const data = (await site.virsh('domblklist', 'keeper')).split('\n').find((line) => /^ ?vdb /.test(line)) ?? ''
      const layer = data.trim().split(/\s+/)[1] ?? ''
      assert.match(layer, new RegExp(`/${String(uuid)}\\.s`))
      await execute('qemu-io', ['-c', `write -P ${pattern} ${place} 64k`, layer])
    }
    await cli.ok(['rm', '-y', 'keeper'])
    const folder = join(cli.env['VMPKG_ROOT'] ?? '', 'var/lib/vmpkg/connections/private-copy')
    const home = join(folder, 'data/keeper.home.qcow2')
    for (const read of ['read -P 9 5M 64k', 'read -P 8 6M 64k']) await execute('qemu-io', ['-r', '-c', read, home])
    const left = (await readdir(join(folder, 'overlays'))).filter((name) => name.startsWith(String(uuid)))
    assert.deepEqual(left, [])
  })

  describe('leaves to its data disk what lies in layers that virsh named', () => {
    const connection = (): string => join(site.cli.env['VMPKG_ROOT'] ?? '', 'var/lib/vmpkg/connections/private-copy')
    const homeOf = (name: string): string => join(connection(), `data/${name}.home.qcow2`)
    const topOf = async (name: string): Promise<string> => {
      const line = (await site.virsh('domblklist', name)).split('\n').find((one) => /^ ?vdb /.test(one)) ?? ''
      return line.trim().split(/\s+/)[1] ?? ''
    }
    const write = async (name: string, command: string): Promise<void> =>
      void (await execute('qemu-io', ['-c', `write ${command}`, await topOf(name)]))
    const read = async (name: string, command: string): Promise<void> =>
      void (await execute('qemu-io', ['-r', '-c', `read ${command}`, homeOf(name)]))
    const layersOf = async (name: string): Promise<readonly string[]> =>
      (await readdir(join(connection(), 'data'))).filter((file) => file.startsWith(`${name}.`)).toSorted()
    const snapshot = (name: string, point: string, ...words: readonly string[]): Promise<string> =>
      site.virsh('snapshot-create-as', name, point, '--disk-only', '--atomic', ...words)

    test('when it is removed: also from a layer elsewhere, which stays', async () => {
      const { cli } = site
      await cli.ok(['clone', 'app-keep', '--name', 'mixed', '--no-start'])
      await write('mixed', '-P 1 1M 64k')
      await cli.ok(['snapshot', 'create', 'mixed', 'ours'])
      await write('mixed', '-P 2 2M 64k')
      await snapshot('mixed', 'theirs.1')
      await write('mixed', '-P 3 3M 64k')
      await snapshot('mixed', 'beside')
      await write('mixed', '-P 4 1M 4k')
      const elsewhere = join(cli.folder, 'elsewhere.qcow2')
      await snapshot('mixed', 'away', '--diskspec', `vdb,file=${elsewhere}`)
      await write('mixed', '-P 5 4M 64k')
      assert.equal(await topOf('mixed'), elsewhere)
      const { stderr } = await cli.run(['rm', '-y', 'mixed'])
      assert.match(stderr, /elsewhere\.qcow2 is needed no more/)
      for (const place of ['-P 4 1M 4k', '-P 1 1028k 60k', '-P 2 2M 64k', '-P 3 3M 64k', '-P 5 4M 64k'])
        await read('mixed', place)
      await execute('qemu-img', ['check', '-q', homeOf('mixed')])
      assert.deepEqual(await layersOf('mixed'), ['mixed.home.qcow2'])
      assert.deepEqual(
        (await readdir(join(connection(), 'overlays'))).filter((file) => /theirs|beside|away/.test(file)),
        [],
      )
    })

    test('when virsh has undefined it and gc finds that, but not while another machine has the disk', async () => {
      const { cli } = site
      for (const name of ['loose', 'other']) await cli.ok(['clone', 'app-keep', '--name', name, '--no-start'])
      await cli.ok(['clone', 'app-keep', '--name', 'giver', '--no-start'])
      await cli.ok(['rm', '-y', 'giver'])
      await cli.ok(['data', 'attach', 'giver/home', 'other', '--as', 'given'])
      await snapshot('other', 'mine')
      for (const point of ['first', 'second']) {
        await snapshot('loose', point)
        await write('loose', point === 'first' ? '-P 6 1M 64k' : '-P 7 2M 64k')
      }
      await site.virsh('undefine', 'loose', '--snapshots-metadata')
      await cli.ok(['gc'])
      for (const place of ['-P 6 1M 64k', '-P 7 2M 64k']) await read('loose', place)
      assert.deepEqual(await layersOf('loose'), ['loose.home.qcow2'])
      assert.deepEqual(await layersOf('giver'), ['giver.home.mine', 'giver.home.qcow2'])
      await cli.ok(['rm', '-y', 'other'])
      assert.deepEqual([await layersOf('giver'), await layersOf('other')], [['giver.home.qcow2'], ['other.home.qcow2']])
    })
  })
})
