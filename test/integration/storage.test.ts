/** Storages besides the built-in one, on real libvirt: folders and encrypted folders, told by virsh, qemu-img and cryptsetup. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { privateHostMissing } from '../support/private-host.ts'
import { makeSite, type Observation, type Site } from '../support/site.ts'
import { tinyApp, tinyRouter } from '../support/tiny-packages.ts'

const SECRET = { env: { VMPKG_PASSPHRASE: 'correct horse battery' } }

describe('storages of a connection', { timeout: 300_000, skip: await privateHostMissing() }, () => {
  let site: Site
  let bare: Observation
  const at = (...parts: readonly string[]): string => join(site.cli.folder, ...parts)
  const refused = async (args: readonly string[], way = {}): Promise<string> => {
    const { status, stderr } = await site.cli.run(args, '', way)
    assert.ok(status === 100 || status === 2, `${status} ${stderr}`)
    return `${/\[([A-Z_]+)\]/.exec(stderr)?.[1]} ${stderr}` // the code first
  }
  const xmlOf = async (name: string): Promise<string> => site.virsh('dumpxml', name, '--inactive', '--security-info')
  const diskOf = async (name: string): Promise<string> =>
    /<source file='([^']+\.qcow2)'/.exec(await xmlOf(name))?.[1] ?? ''
  const volumes = async (pool: string): Promise<readonly string[]> => {
    const rows = (await site.virsh('vol-list', pool)).split('\n').slice(2)
    return rows.flatMap((row) => /^\s*(\S+\.qcow2)/.exec(row)?.[1] ?? []).toSorted()
  }

  before(async () => {
    const data = '\ndata: { home: { size: 64MiB, mount: /home } }'
    site = await makeSite('storage', [tinyRouter('router-tiny'), tinyApp('app'), tinyApp('keeper', { manifest: data })])
    await site.cli.ok(['install', '-y', '--grant', 'network', '--no-start', 'router-tiny', 'app', 'keeper'])
    bare = await site.observe()
  })
  after(() => site?.close())

  test('begin with the built-in one, which stays the default until another is', async () => {
    const { storages } = await site.cli.json(['storage', 'list'])
    const [first, ...others] = storages as readonly Record<string, unknown>[]
    assert.equal(others.length, 0)
    assert.deepEqual([first?.['name'], first?.['isDefault'], first?.['type']], ['built-in', true, 'dir'])
    assert.equal(await site.cli.ok(['storage', 'default']), 'built-in\n')
    assert.match(await refused(['storage', 'remove', '-y', 'built-in']), /USAGE/)
    assert.match(await refused(['storage', 'show', 'nothing']), /STORAGE_UNKNOWN/)
  })

  test('take a folder that is new or empty, and nobody else’s', async () => {
    await mkdir(at('full'))
    await writeFile(at('full', 'letter'), 'mine')
    assert.match(await refused(['storage', 'add', 'big', '--path', at('full')]), /STORAGE_UNAVAILABLE/)
    await site.cli.ok(['storage', 'add', 'big', '--path', at('big'), '--dry-run'])
    assert.ok(!existsSync(at('big')))
    await site.cli.ok(['storage', 'add', 'big', '--path', at('big')])
    assert.match(await refused(['storage', 'add', 'big', '--path', at('other')]), /STORAGE_EXISTS/)
    assert.match(await refused(['storage', 'add', 'again', '--path', at('big')]), /STORAGE_EXISTS/)
    assert.match(await refused(['storage', 'add', 'inner', '--path', at('big', 'inner')]), /STORAGE_EXISTS/)
    assert.match(await refused(['storage', 'add', 'x', '--type', 'zfs', '--path', at('x')]), /USAGE[^]*lvm-thin/)
    assert.match(await refused(['storage', 'add', 'x', '--type', 'lvm', '--path', at('x')]), /USAGE/)
    assert.match(await site.virsh('pool-info', 'vmpkg-big'), /State:\s+running[^]*Autostart:\s+yes/)
  })

  test('hold disks and data disks of clones, where virsh lists them', async () => {
    await site.cli.ok(['clone', 'keeper', '--name', 'shop', '--storage', 'big', '--no-start'])
    const disk = await diskOf('shop')
    assert.equal(disk.slice(0, at('big').length), at('big'))
    assert.deepEqual(await volumes('vmpkg-big'), [basename(disk), 'shop.home.qcow2'].toSorted())
    execFileSync('qemu-img', ['check', '-q', disk])
    execFileSync('qemu-img', ['check', '-q', at('big', 'shop.home.qcow2')])
    const { disks } = await site.cli.json(['data', 'list', 'shop'])
    const [{ storage, size, usedBy } = {}] = disks as readonly Record<string, unknown>[]
    assert.deepEqual({ storage, size, usedBy }, { storage: 'big', size: 64 * 1024 * 1024, usedBy: ['shop'] })
    assert.match(await refused(['storage', 'remove', '-y', 'big']), /STORAGE_IN_USE[^]*shop/)
    assert.deepEqual((await site.cli.json(['gc', '--dry-run']))['removed'], [])
  })

  test('have snapshots beside the disk, and going back keeps them there', async () => {
    await site.cli.ok(['clone', 'app', '--name', 'shots', '--storage', 'big', '--no-start'])
    const first = await diskOf('shots')
    await site.cli.ok(['snapshot', 'create', 'shots', 'first'])
    const layer = await diskOf('shots')
    assert.ok(layer !== first && layer.startsWith(at('big')))
    await site.cli.ok(['snapshot', 'revert', '-y', 'shots', 'first'])
    assert.ok((await diskOf('shots')).startsWith(at('big')))
    await site.cli.ok(['snapshot', 'delete', '-y', 'shots', 'first'])
    assert.equal((await volumes('vmpkg-big')).length, 2 + 1)
    await site.cli.ok(['rm', '-y', 'shots'])
  })

  test('are the default once said, and take data with them only where that is not kept elsewhere', async () => {
    await site.cli.ok(['rm', '-y', 'shop'])
    await site.cli.ok(['storage', 'default', 'big'])
    await site.cli.ok(['clone', 'app', '--count', '2', '--name', 'plain', '--no-start'])
    for (const name of ['plain-1', 'plain-2']) assert.ok((await diskOf(name)).startsWith(at('big')))
    const again = await site.cli.run(['clone', 'keeper', '--name', 'shop', '--storage', 'built-in', '--no-start'])
    assert.match(again.stderr, /shop has its data disk home again/)
    assert.ok(!(await diskOf('shop')).startsWith(at('big')))
    assert.match(await xmlOf('shop'), new RegExp(`<source file='${at('big', 'shop.home.qcow2')}'`))
    const split = ['--data-storage', 'built-in', '--no-start']
    await site.cli.ok(['clone', 'keeper', '--name', 'split', ...split])
    assert.ok((await diskOf('split')).startsWith(at('big')))
    assert.ok(!existsSync(at('big', 'split.home.qcow2')))
    assert.match(await refused(['clone', 'app', '--ephemeral', '--storage', 'big']), /USAGE/)
    await site.cli.ok(['rm', '-y', '--data', 'plain-*', 'shop', 'split'])
    assert.deepEqual(await volumes('vmpkg-big'), [])
  })

  test('are refused while their disk is not mounted, and nothing of what they hold is forgotten', async () => {
    await site.cli.ok(['clone', 'keeper', '--name', 'away', '--no-start'])
    await rename(at('big'), at('unmounted'))
    await mkdir(at('big'))
    assert.match(await refused(['clone', 'app', '--name', 'x', '--no-start']), /STORAGE_UNAVAILABLE[^]*mounted/)
    assert.deepEqual(await readdir(at('big')), [])
    const { status, stdout } = await site.cli.run(['storage', 'show', 'big'])
    assert.equal(status, 1)
    assert.match(stdout, /cannot|is not at/)
    assert.match(await refused(['storage', 'remove', '-y', 'big']), /STORAGE_IN_USE[^]*away/)
    await site.cli.ok(['gc'])
    execFileSync('rmdir', [at('big')])
    await rename(at('unmounted'), at('big'))
    assert.equal((await volumes('vmpkg-big')).length, 2)
    await site.cli.ok(['rm', '-y', '--data', 'away'])
  })

  test('encrypt all that is in them with a key that the passphrase opens', async () => {
    const short = { env: { VMPKG_PASSPHRASE: 'horse' } }
    assert.match(await refused(['storage', 'add', 'vault', '--path', at('vault'), '--encrypt'], short), /USAGE/)
    assert.ok(!existsSync(at('vault')))
    const added = await site.cli.run(['storage', 'add', 'vault', '--path', at('vault'), '--encrypt'], '', SECRET)
    assert.equal(added.status, 0, added.stderr)
    const { keyHeader, isUnlocked } = await site.cli.json(['storage', 'show', 'vault'])
    assert.equal(isUnlocked, true)
    const dump = execFileSync('/usr/sbin/cryptsetup', ['luksDump', String(keyHeader)]).toString()
    assert.match(dump, /Version:\s+1\n[^]*Iterations:\s+1000000/)
    await site.cli.ok(['clone', 'keeper', '--name', 'diary', '--storage', 'vault', '--no-start'])
    for (const file of [await diskOf('diary'), at('vault', 'diary.home.qcow2')]) {
      const told = execFileSync('qemu-img', ['info', '--output', 'json', file]).toString()
      assert.match(told, /"encrypted": true/)
      assert.match(told, /"format": "qcow2"/)
    }
    const secrets = (await xmlOf('diary')).match(
      /<encryption format='luks'[^>]*>\s*<secret type='passphrase' uuid='[^']+'/g,
    )
    assert.equal(secrets?.length, 2)
    assert.deepEqual((await site.cli.json(['gc', '--dry-run']))['removed'], [])
  })

  test('start a machine while they are open, and refuse to be locked under it', async () => {
    await site.cli.ok(['start', 'diary'])
    assert.match(await refused(['storage', 'lock', 'vault']), /STORAGE_IN_USE[^]*diary/)
    await site.cli.ok(['set', 'disk', 'diary', '--disk', 'vda', '--size', '2MiB'])
    await site.cli.ok(['stop', '--force', 'diary'])
    assert.equal(await site.cli.ok(['storage', 'lock', 'vault']), 'Locked vault\n')
    assert.match(await refused(['start', 'diary']), /STORAGE_LOCKED[^]*vmpkg storage unlock vault/)
    assert.match(await refused(['clone', 'app', '--name', 'x', '--storage', 'vault']), /STORAGE_LOCKED/)
    await assert.rejects(site.virsh('start', 'diary'), /[Ss]ecret/)
    const wrong = { env: { VMPKG_PASSPHRASE: 'wrong horse battery' } }
    assert.match(await refused(['storage', 'unlock', 'vault'], wrong), /KEY_INVALID/)
    const { stdout } = await site.cli.run(['storage', 'unlock', 'vault'], '', SECRET)
    assert.equal(stdout, 'Unlocked vault\n')
    await site.virsh('start', 'diary')
    await site.cli.ok(['stop', '--force', 'diary'])
  })

  test('say why a machine in them has no snapshot, no backup and no package made of it', async () => {
    assert.match(await refused(['snapshot', 'create', 'diary']), /HOST_UNSUPPORTED[^]*encrypted/)
    assert.match(await refused(['backup', 'diary', '--to', at('backups')]), /encrypted/)
    assert.match(await refused(['seal', 'diary', '--name', 'sealed']), /HOST_UNSUPPORTED[^]*encrypted/)
  })

  test('take another passphrase from cryptsetup, and a key file that opens them unasked', async () => {
    const { keyHeader } = await site.cli.json(['storage', 'show', 'vault'])
    await writeFile(at('old'), SECRET.env.VMPKG_PASSPHRASE)
    await writeFile(at('stick.key'), 'a key on a stick')
    const add = ['luksAddKey', '--batch-mode', '--pbkdf-force-iterations', '1000', '--key-file', at('old')]
    execFileSync('/usr/sbin/cryptsetup', [...add, String(keyHeader), at('stick.key')])
    await site.cli.ok(['storage', 'lock', 'vault'])
    const unlock = ['storage', 'unlock', 'vault', '--key-file', at('stick.key')]
    assert.match(await refused(unlock), /KEY_INVALID[^]*chmod 600/)
    await chmod(at('stick.key'), 0o600)
    assert.equal(await site.cli.ok(unlock), 'Unlocked vault\n')
    const own = ['storage', 'add', 'auto', '--path', at('auto'), '--key-file', at('stick.key')]
    await site.cli.ok(own)
    await site.cli.ok(['clone', 'app', '--name', 'early', '--storage', 'auto', '--no-start'])
    await site.cli.ok(['storage', 'lock', 'auto'])
    await site.cli.ok(['start', 'early'])
    await site.cli.ok(['rm', '-y', '--force', 'early'])
  })

  test('are gone without a trace once they are empty', async () => {
    await site.cli.ok(['rm', '-y', '--data', 'diary'])
    for (const name of ['vault', 'auto', 'big']) await site.cli.ok(['storage', 'remove', '-y', name])
    for (const name of ['vault', 'auto', 'big']) assert.ok(!existsSync(at(name)), name)
    assert.doesNotMatch(await site.virsh('pool-list', '--all'), /vmpkg-/)
    assert.doesNotMatch(await site.virsh('secret-list'), /vmpkg/)
    assert.equal(await site.cli.ok(['storage', 'default']), 'built-in\n')
    const state = join(site.cli.env['VMPKG_ROOT'] ?? '', 'var/lib/vmpkg/connections/private-storage')
    assert.deepEqual(
      (await readdir(state)).filter((name) => name.endsWith('.luks')),
      [],
    )
    assert.deepEqual(JSON.parse(await readFile(join(state, 'storage.json'), 'utf8')), { storages: [] })
    assert.deepEqual(await site.observe(), bare)
  })
})
