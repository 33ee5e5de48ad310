/**
 * Backups on a private host: machines that are off and that run, whole and by what has changed, encrypted and pruned.
 * Oracles are `qemu-img`, `gpg` and virsh.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before as beforeAll, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { zstdDecompressSync } from 'node:zlib'
import { noise } from '../support/disk-image.ts'
import { privateHostMissing } from '../support/private-host.ts'
import type { TestPackage } from '../support/registry-builder.ts'
import { makeSite, type Site } from '../support/site.ts'
import { tinyApp } from '../support/tiny-packages.ts'

const execute = promisify(execFile)
const MIB = 1024 * 1024
const DEVICE = '/machine/peripheral/virtio-disk0/virtio-backend'

/** No network: it starts alone. */
function app(name: string): TestPackage {
  const plain = tinyApp(name, { image: noise(name, 3 * MIB + 4096) })
  return { ...plain, manifest: (plain.manifest ?? '').replace(/^capabilities:.*\n/m, '') }
}

/** With a disk that outlives its machines. */
function keeping(name: string): TestPackage {
  const plain = app(name)
  return { ...plain, manifest: `${plain.manifest ?? ''}\ndata: { home: { size: 64MiB, mount: /home } }` }
}

interface Made {
  readonly machine: string
  readonly point: string
  readonly kind: string
  readonly consistency: string
  readonly readBytes: number
  readonly addedBytes: number
}

describe('backups', { timeout: 300_000, skip: await privateHostMissing() }, () => {
  let site: Site
  let folder: string

  const diskOf = async (name: string): Promise<string> => {
    const xml = await site.virsh('dumpxml', '--inactive', name)
    return /<source file='([^']+)'/.exec(xml)?.[1] ?? ''
  }
  const backup = async (...args: readonly string[]): Promise<Made> => {
    const { backups } = await site.cli.json(['backup', ...args])
    return (backups as readonly Made[])[0] as Made
  }
  const compare = async (a: string, b: string): Promise<void> => {
    await execute('qemu-img', ['compare', '-U', a, b])
  }
  /** The running guest's disk, written by QEMU itself. */
  const writeLive = async (name: string, command: string): Promise<void> => {
    for (const one of [command, 'flush']) {
      const said = await site.virsh('qemu-monitor-command', name, '--hmp', `qemu-io -d ${DEVICE} "${one}"`)
      assert.equal(said.trim(), '') // it says something when it fails
    }
  }

  beforeAll(async () => {
    site = await makeSite('backup', [{ ...app('app-one'), version: '1.0-1' }, keeping('app-keep')])
    folder = join(site.cli.folder, 'backups')
    await site.cli.ok(['install', '-y', 'app-one', 'app-keep'])
    await site.cli.ok(['clone', 'app-one', '--name', 'web', '--no-start'])
    const disk = await diskOf('web')
    await execute('qemu-io', ['-c', 'write -P 7 1M 300k', '-c', 'write -z 2M 64k', disk])
  })
  after(() => site.close())

  test('a machine that is off comes back with every byte, the same machine as before', async () => {
    const before = await site.virsh('dumpxml', '--inactive', 'web')
    const copy = join(site.cli.folder, 'copy.raw')
    await execute('qemu-img', ['convert', '-O', 'raw', await diskOf('web'), copy])
    const made = await backup('web', '--to', folder)
    assert.equal(made.consistency, 'stopped')
    await site.cli.ok(['rm', '-y', 'web'])
    const out = await site.cli.ok(['restore', folder])
    assert.match(out, new RegExp(`^Restored web from web/${made.point}\n`))
    await compare(copy, await diskOf('web'))
    const uuid = /<uuid>.*<\/uuid>/
    assert.equal(uuid.exec(await site.virsh('dumpxml', '--inactive', 'web'))?.[0], uuid.exec(before)?.[0])
    await execute('qemu-img', ['check', '-q', await diskOf('web')])
    // It stands on the signed base again, so it takes what it has of its own.
    assert.match((await execute('qemu-img', ['info', await diskOf('web')])).stdout, /backing file: .*images/)
  })

  test('under another name it is a machine of its own, beside the first', async () => {
    const out = await site.cli.ok(['restore', folder, '--name', 'web-two'])
    assert.match(out, /as a machine of its own/)
    await compare(await diskOf('web'), await diskOf('web-two'))
    assert.notEqual(await diskOf('web'), await diskOf('web-two'))
    const uuids = await Promise.all(['web', 'web-two'].map(async (name) => (await site.virsh('domuuid', name)).trim()))
    assert.equal(new Set(uuids).size, 2)
    assert.match((await site.cli.run(['restore', folder])).stderr, /DOMAIN_EXISTS/)
    await site.cli.ok(['rm', '-y', 'web-two'])
  })

  test('a machine that runs goes on running, and leaves no job, no scratch file and no checkpoint', async () => {
    await site.cli.ok(['start', 'web'])
    await writeLive('web', 'write -P 5 1536k 64k')
    const made = await backup('web', '--to', folder)
    assert.equal(made.consistency, 'crash')
    assert.equal((await site.virsh('checkpoint-list', 'web', '--name')).trim(), '')
    assert.match(await site.virsh('domjobinfo', 'web'), /None/)
    assert.equal((await site.virsh('domstate', 'web')).trim(), 'running')
    assert.deepEqual(await leftovers(), [])
  })

  test('an incremental backup reads what has changed, and is whole by itself', async () => {
    const first = await backup('web', '--to', folder, '--incremental')
    assert.equal(first.kind, 'full', 'nothing was noted before')
    assert.equal((await site.virsh('checkpoint-list', 'web', '--name')).trim().split('\n').length, 1)
    await writeLive('web', 'write -P 9 2560k 64k')
    const second = await backup('web', '--to', folder, '--incremental')
    assert.equal(second.kind, 'incremental')
    assert.ok(second.readBytes <= 256 * 1024 + 5000, `${second.readBytes} bytes read`)
    assert.equal((await site.virsh('checkpoint-list', 'web', '--name')).trim().split('\n').length, 1)
    await restoredEquals('web', folder)
  })

  test('a backup that is killed is none, and the next command takes away what it left', async () => {
    const before = await site.cli.ok(['backup', 'list', folder])
    await killInTheMiddle(['backup', 'web', '--to', folder, '--incremental', '--json'])
    assert.match(await site.virsh('backup-dumpxml', 'web'), /<domainbackup mode='pull'/, 'the job is there still')
    assert.notDeepEqual(await leftovers(), [])
    await site.cli.ok(['gc'])
    assert.match(await site.virsh('domjobinfo', 'web'), /None/)
    assert.deepEqual(await leftovers(), [])
    assert.equal(await site.cli.ok(['backup', 'list', folder]), before)
    assert.equal((await site.virsh('checkpoint-list', 'web', '--name')).trim().split('\n').length, 1)
    const made = await backup('web', '--to', folder, '--incremental')
    assert.equal(made.kind, 'incremental', 'the older checkpoint still counts')
  })

  test('after a power cut, when the bitmap is lost, all is read again', async () => {
    const pid = (await execute('pgrep', ['-f', `guest=web,.*${site.cli.folder.split('/').at(-1)}`])).stdout.trim()
    process.kill(Number(pid.split('\n')[0]), 'SIGKILL')
    await until(async () => (await site.virsh('domstate', 'web')).trim() === 'shut off')
    await site.cli.ok(['start', 'web'])
    await writeLive('web', 'write -P 3 512k 64k')
    const { status, stderr, stdout } = await site.cli.run(['backup', 'web', '--to', folder, '--incremental'])
    assert.equal(status, 0, stderr)
    assert.match(stderr, /all of it is read/)
    assert.match(stdout, /read, /)
    await restoredEquals('web', folder)
    await site.cli.ok(['stop', '--force', 'web'])
  })

  test('an encrypted backup is opened by gpg, and by the secret key only', async () => {
    const key = await makeKey()
    const to = join(site.cli.folder, 'sealed')
    const made = await backup('web', '--to', to, '--encrypt-to', key.certificate)
    const again = await backup('web', '--to', to, '--encrypt-to', key.certificate)
    assert.ok(again.addedBytes < 20_000, 'the host knows what it wrote without being able to read it')
    const contents = join(to, 'web', made.point, 'contents')
    const clear = await key.decrypt(contents)
    const json = JSON.parse(zstdDecompressSync(clear).toString()) as { readonly xml: string }
    assert.match(json.xml, /<name>web<\/name>/)
    for (const file of await readdir(to, { recursive: true, withFileTypes: true })) {
      if (!file.isFile()) continue
      assert.ok(!(await readFile(join(file.parentPath, file.name))).includes('<domain'), file.name)
    }
    assert.match(await site.cli.ok(['backup', 'list', to]), /encrypted/)
    assert.match(await site.cli.ok(['backup', 'verify', to]), /not opened/)
    assert.match((await site.cli.run(['restore', to, '--name', 'x'])).stderr, /KEY_UNKNOWN/)
    assert.match(await site.cli.ok(['backup', 'verify', to, '--secret-key', key.secret]), /: whole \(/)
    await restoredEquals('web', to, '--secret-key', key.secret)
  })

  test('what is bent or torn is refused, and nothing is left of the attempt', async () => {
    const to = join(site.cli.folder, 'bent')
    const made = await backup('web', '--to', to)
    const before = await site.observe()
    const refused = async (code: string): Promise<void> => {
      const { status, stderr } = await site.cli.run(['restore', to, '--name', 'bent'])
      assert.match(stderr, new RegExp(`\\[${code}\\]`), stderr)
      assert.equal(status, 100)
      assert.deepEqual(await site.observe(), before)
    }
    const summary = join(to, 'web', made.point, 'backup.json')
    await changed(
      summary,
      (text) => text.replace(/"(crash|stopped)"/, '"frozen"'),
      async () => refused('SIGNATURE_INVALID'),
    )
    const packs = (await readdir(join(to, '.vmpkg', 'packs'), { recursive: true, withFileTypes: true })).filter((one) =>
      one.isFile(),
    )
    const pack = packs.map((one) => join(one.parentPath, one.name))[0] ?? ''
    await changed(
      pack,
      (text) => text.slice(0, -1),
      async () => refused('BACKUP_INVALID'),
    )
    await changed(
      pack,
      (text) => `${text.slice(0, 40)}!${text.slice(41)}`,
      async () => {
        await refused('BACKUP_INVALID')
        const { status, stdout } = await site.cli.run(['backup', 'verify', to])
        assert.equal(status, 1)
        assert.match(stdout, /damaged/)
      },
    )
    assert.match(await site.cli.ok(['backup', 'verify', to]), /: whole \(/)
  })

  test('a backup of another host is believed by the fingerprint of its key only', async () => {
    const { backups } = await site.cli.json(['backup', 'list', folder])
    const [{ signer } = { signer: '' }] = backups as readonly { readonly signer: string }[]
    const key = join(site.cli.folder, 'root', 'var', 'lib', 'vmpkg', 'backup-key')
    await rename(key, `${key}.away`)
    const { stderr } = await site.cli.run(['restore', folder, '--name', 'other', '--dry-run'])
    assert.match(stderr, new RegExp(`SIGNATURE_UNTRUSTED[^]*--signed-by ${signer}`), stderr)
    await site.cli.ok(['restore', folder, '--name', 'other', '--dry-run', '--signed-by', signer])
    await rename(`${key}.away`, key)
  })

  test('in place of the machine that is there only when told to', async () => {
    const { points } = await newest()
    const disk = await diskOf('web')
    await execute('qemu-io', ['-c', 'write -P 1 0 1M', disk])
    await site.cli.ok(['restore', join(folder, 'web'), '--force', '-y'])
    assert.notEqual(await diskOf('web'), disk)
    await assert.rejects(readFile(disk), /ENOENT/)
    await restoredEquals('web', folder)
    assert.ok(points > 2)
  })

  test('prune leaves the newest, which need nothing of the others', async () => {
    const { points } = await newest()
    assert.match((await site.cli.run(['restore', join(folder, 'nobody')])).stderr, /BACKUP_UNKNOWN/)
    const plan = await site.cli.ok(['backup', 'prune', folder, '--keep', '1', '--dry-run'])
    assert.equal(plan.match(/^Would remove/gm)?.length, points - 1)
    await site.cli.ok(['backup', 'prune', folder, '--keep', '1', '-y'])
    assert.equal((await newest()).points, 1)
    assert.match(await site.cli.ok(['backup', 'verify', folder]), /: whole \(/)
    await restoredEquals('web', folder)
  })

  test('a data disk outlives its machine, is in its backups, and goes when told to', async () => {
    await site.cli.ok(['clone', 'app-keep', '--name', 'keeper', '--no-start'])
    const xml = await site.virsh('dumpxml', 'keeper')
    const file =
      /<source file='([^']+)'\/>\s*<target dev='vdb' bus='virtio'\/>\s*<serial>vmpkg-home<\/serial>/.exec(xml)?.[1] ??
      ''
    assert.match(file, /\/data\/keeper\.home\.qcow2$/)
    await execute('qemu-io', ['-c', 'write -P 6 1M 64k', file])
    await backup('keeper', '--to', folder)
    assert.match((await site.cli.run(['data', 'rm', '-y', 'keeper'])).stderr, /DOMAIN_STATE/)
    assert.match((await site.cli.run(['rm', '-y', 'keeper'])).stderr, /Kept the data disks keeper\/home/)
    assert.match(await site.cli.ok(['data', 'list']), /^keeper\thome\t64.0 MiB\t.*\tnobody, kept$/m)
    await site.cli.ok(['gc'])
    // The next of the name has it; an ephemeral one does not.
    await site.cli.ok(['clone', 'app-keep', '--name', 'keeper', '--no-start'])
    await execute('qemu-io', ['-c', 'read -P 6 1M 64k', file])
    await site.cli.ok(['rm', '-y', '--data', 'keeper'])
    assert.equal((await site.cli.run(['data', 'list'])).status, 1)
    await site.cli.ok(['restore', join(folder, 'keeper')])
    await execute('qemu-io', ['-c', 'read -P 6 1M 64k', file])
    await site.cli.ok(['rm', '-y', 'keeper'])
    const { stderr } = await site.cli.run(['restore', join(folder, 'keeper')])
    assert.match(stderr, /DOMAIN_EXISTS[^]*vmpkg data rm keeper/, stderr)
    await site.cli.ok(['data', 'rm', '-y', 'keeper/home'])
  })

  test('a data disk that snapshots stand on is a data disk again when it is restored', async () => {
    await site.cli.ok(['clone', 'app-keep', '--name', 'snapped', '--no-start'])
    await site.cli.ok(['snapshot', 'create', 'snapped', 'one'])
    const listed = (await site.virsh('domblklist', 'snapped')).split('\n').find((line) => /^ ?vdb /.test(line)) ?? ''
    await execute('qemu-io', ['-c', 'write -P 5 2M 64k', listed.trim().split(/\s+/)[1] ?? ''])
    await backup('snapped', '--to', folder)
    await site.cli.ok(['rm', '-y', '--data', 'snapped'])
    await site.cli.ok(['restore', join(folder, 'snapped')])
    assert.match(await site.cli.ok(['data', 'list']), /^snapped\thome\t/m)
    const xml = await site.virsh('dumpxml', 'snapped')
    const file = /<source file='([^']+\/data\/snapped\.home\.qcow2)'/.exec(xml)?.[1] ?? ''
    await execute('qemu-io', ['-c', 'read -P 5 2M 64k', file])
    await site.cli.ok(['rm', '-y', '--data', 'snapped'])
  })

  test('an upgraded package keeps the base of its clones until the last of them is gone', async () => {
    const old = /backing file: (\S+)/.exec((await execute('qemu-img', ['info', await diskOf('web')])).stdout)?.[1] ?? ''
    await site.registry.add({ ...app('app-one'), version: '2.0-1', images: { disk: noise('second', 3 * MIB) } })
    await site.cli.ok(['update'])
    await site.cli.ok(['upgrade', '-y'])
    await site.cli.ok(['clean'])
    await site.cli.ok(['gc'])
    const said = await site.cli.ok(['show', '--disk'])
    assert.match(said, /clone web/)
    await execute('qemu-img', ['check', '-q', await diskOf('web')])
    assert.equal(
      createHash('sha256')
        .update(await readFile(old))
        .digest('hex'),
      old.split('/').at(-1),
    )
    await site.cli.ok(['start', 'web'])
    await site.cli.ok(['stop', '--force', 'web'])
    await site.cli.ok(['rm', '-y', 'web'])
    await site.cli.ok(['clean'])
    await assert.rejects(readFile(old), /ENOENT/)
  })

  test('removing the package leaves nothing of its machines but the backups', async () => {
    await site.cli.ok(['remove', '-y', 'app-one', 'app-keep'])
    const { domains, machineFiles, imageHolders, pending } = await site.observe()
    assert.deepEqual(
      { domains, machineFiles, imageHolders, pending },
      { domains: [], machineFiles: [], imageHolders: [], pending: [] },
    )
  })

  async function restoredEquals(name: string, from: string, ...more: readonly string[]): Promise<void> {
    await site.cli.ok(['restore', from, '--name', 'again', ...more])
    await compare(await diskOf(name), await diskOf('again'))
    await site.cli.ok(['rm', '-y', 'again'])
  }

  async function newest(): Promise<{ readonly points: number }> {
    const { backups } = await site.cli.json(['backup', 'list', folder])
    return { points: (backups as readonly unknown[]).length }
  }

  async function leftovers(): Promise<readonly string[]> {
    const { machineFiles } = await site.observe()
    const runtime = await readdir(join(site.cli.folder, 'root', 'run', 'vmpkg'))
    return [
      ...machineFiles.filter((path) => /\.backup-\d+-\d+/.test(path)),
      ...runtime.filter((name) => name.startsWith('b-')),
    ]
  }

  /** As soon as QEMU offers the disks, before the backup is whole. */
  async function killInTheMiddle(args: readonly string[]): Promise<void> {
    await writeLive('web', 'write -P 77 0 64k')
    const runtime = join(site.cli.folder, 'root', 'run', 'vmpkg')
    const running = site.cli.start(args, '')
    for (let waited = 0; waited < 20_000; waited += 2) {
      const mine = (await readdir(runtime)).find((name) => name.startsWith('b-'))
      const names: readonly string[] = mine === undefined ? [] : await readdir(join(runtime, mine)).catch(() => [])
      if (names.includes('nbd')) break
      await new Promise((wake) => setTimeout(wake, 2))
    }
    running.kill('SIGKILL')
    assert.equal((await running.done).status, 128, 'it was over before it was killed')
  }

  async function changed(path: string, change: (text: string) => string, use: () => Promise<void>): Promise<void> {
    const before = await readFile(path)
    const bent = Buffer.from(change(before.toString('latin1')), 'latin1')
    assert.notDeepEqual(bent, before)
    await writeFile(path, bent)
    await use()
    await writeFile(path, before)
  }

  async function makeKey(): Promise<{
    readonly certificate: string
    readonly secret: string
    decrypt(file: string): Promise<Buffer>
  }> {
    const home = join(site.cli.folder, 'gpg')
    await mkdir(home, { mode: 0o700 })
    const gpg = async (...args: readonly string[]): Promise<Buffer> => {
      const all = ['--homedir', home, '--batch', '--yes', '--pinentry-mode', 'loopback', '--passphrase', '', ...args]
      return (await execute('gpg', all, { encoding: 'buffer' })).stdout
    }
    await gpg('--quick-generate-key', 'me@example.org', 'default', 'default', 'never')
    const [certificate, secret] = [join(site.cli.folder, 'me.asc'), join(site.cli.folder, 'me.key')]
    await writeFile(certificate, await gpg('--armor', '--export'))
    await writeFile(secret, await gpg('--export-secret-keys'))
    after(async () => execute('gpgconf', ['--homedir', home, '--kill', 'all']).catch(() => {}))
    return { certificate, secret, decrypt: async (file) => gpg('--decrypt', file) }
  }
})

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 100; i++) {
    if (await isSo()) return
    await new Promise((wake) => setTimeout(wake, 50))
  }
  throw new Error('waited for too long')
}
