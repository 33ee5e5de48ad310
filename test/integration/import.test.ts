/** `import`, `upstream` and `build` of a vendor's image by the command line, with qemu-img as the oracle. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Cli, makeCli } from '../support/cli.ts'
import { startFileServer } from '../support/file-server.ts'
import { openGnupg, withoutGnupg } from '../support/gnupg.ts'

const MIB = 2 ** 20
let cli: Cli
const at = (name: string): string => join(cli.folder, name)
const refused = async (args: readonly string[]): Promise<string> => {
  const { status, stderr } = await cli.run(args)
  assert.notEqual(status, 0, args.join(' '))
  return /\[([A-Z_]+)\]/.exec(stderr)?.[1] ?? stderr
}

before(async () => {
  cli = await makeCli('private:import')
  const bytes = Buffer.alloc(4 * MIB)
  bytes.fill('disk', MIB, MIB + 100_000)
  await writeFile(at('disk.raw'), bytes)
  execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', at('disk.raw'), at('disk.qcow2')])
})
after(() => cli.close())

describe('import', () => {
  test('makes a package that is signed, installed, verified and cloned as any other', async () => {
    const digest = createHash('sha256')
      .update(await readFile(at('disk.qcow2')))
      .digest('hex')
    const args = ['import', at('disk.qcow2'), '--name', 'my-disk', '--net', 'none', '--digest', `sha256:${digest}`]
    const added = await cli.json(args)
    assert.deepEqual([added['source'], added['format'], added['virtualSize']], ['local', 'qcow2', 4 * MIB])
    assert.equal(
      added['digest'],
      createHash('sha256')
        .update(await readFile(at('disk.raw')))
        .digest('hex'),
    )
    const { packages } = (await cli.json(['show', 'my-disk'])) as { packages: { source: string; rootKeys: string[] }[] }
    assert.equal(packages[0]?.source, 'local')
    await cli.ok(['install', 'my-disk', '-y'])
    await cli.ok(['verify', '--full'])
    const { xml } = (await cli.json(['clone', 'my-disk', '--no-start', '--name', 'one'])) as { xml: string }
    assert.match(xml, /<format type=.raw.\/>/)
    assert.match(await cli.ok(['update']), /./)
  })

  test('attaches an installation medium as a CD-ROM that nothing can write to', async () => {
    await mkdir(at('iso'))
    await writeFile(at('iso/a'), 'a')
    execFileSync('xorriso', ['-as', 'mkisofs', '-quiet', '-o', at('live.iso'), at('iso')], { stdio: 'ignore' })
    await cli.ok(['import', at('live.iso'), '--name', 'live', '--net', 'none'])
    await cli.ok(['install', 'live', '-y'])
    const { xml } = (await cli.json(['clone', 'live', '--no-start'])) as { xml: string }
    assert.match(
      xml,
      /<disk type='file' device='cdrom'>\s*<driver name='qemu' type='raw'\/>\s*<source file='[^']+\/images\//,
    )
    assert.match(xml, /<boot dev='cdrom'\/>/)
  })

  test('the same again is nothing new, other bytes under that version are refused', async () => {
    await cli.ok(['import', at('disk.raw'), '--name', 'twice'])
    await cli.ok(['import', at('disk.raw'), '--name', 'twice'])
    execFileSync('qemu-img', ['create', '-q', '-f', 'raw', at('other.raw'), '1M'])
    assert.equal(await refused(['import', at('other.raw'), '--name', 'twice']), 'PACKAGE_EXISTS')
    await cli.ok(['import', at('other.raw'), '--name', 'twice', '--pkg-version', '1.1'])
  })

  test('a detached signature counts for the key that is named', { skip: withoutGnupg }, async () => {
    await using gnupg = await openGnupg()
    const key = await gnupg.makeKey('me', 'rsa2048')
    await writeFile(at('me.gpg'), await gnupg.certificate(key))
    await writeFile(at('disk.sig'), await gnupg.sign(await readFile(at('disk.raw')), key))
    const args = ['import', at('disk.raw'), '--name', 'signed', '--signature', at('disk.sig')]
    assert.deepEqual((await cli.json([...args, '--key', at('me.gpg')]))['verified'], [`key ${key}`])
    const changed = await readFile(at('disk.raw'))
    changed[0] = 1
    await writeFile(at('changed.raw'), changed)
    assert.equal(
      await refused(['import', at('changed.raw'), ...args.slice(2), '--key', at('me.gpg')]),
      'SIGNATURE_INVALID',
    )
    assert.equal(await refused(args), 'USAGE')
  })

  test('refuses, and leaves nothing behind', async () => {
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', '/etc/passwd', '-F', 'raw', at('evil.qcow2')])
    await writeFile(at('plain.img'), 'x'.repeat(600))
    for (const [code, ...args] of [
      ['IMAGE_INVALID', 'evil.qcow2', '--name', 'evil'],
      ['IMAGE_INVALID', 'plain.img', '--name', 'evil'],
      ['IMAGE_INVALID', 'disk.raw', '--name', 'evil', '--virtual-size', '5MiB'],
      ['SIZE_EXCEEDED', 'disk.raw', '--name', 'evil', '--max-size', '1MiB'],
      ['DIGEST_MISMATCH', 'disk.raw', '--name', 'evil', '--digest', `sha256:${'0'.repeat(64)}`],
      ['DIGEST_INVALID', 'disk.raw', '--name', 'evil', '--digest', 'md5:0'],
      ['NAME_INVALID', 'disk.raw', '--name', '../evil'],
      ['VERSION_INVALID', 'disk.raw', '--name', 'evil', '--pkg-version', 'x'],
      ['USAGE', 'disk.raw', '--name', 'evil', '--net', 'lan'],
      ['USAGE', 'disk.raw', '--name', 'evil', '--firmware', 'coreboot'],
      ['USAGE', 'disk.raw'],
      ['USAGE', 'absent.raw', '--name', 'evil'],
    ] as const) {
      const [file, ...rest] = args
      assert.equal(await refused(['import', at(file), ...rest]), code, args.join(' '))
    }
    assert.deepEqual(
      (await readdir(at('root/var/cache/vmpkg'))).filter((name) => name.startsWith('import-')),
      [],
    )
    assert.equal((await cli.run(['show', 'evil'])).status, 100)
  })

  test('--dry-run checks and adds nothing', async () => {
    assert.match(await cli.ok(['import', at('disk.raw'), '--name', 'dry', '--dry-run']), /would be added/)
    assert.equal((await cli.run(['show', 'dry'])).status, 100)
  })
})

describe('import machines.conf (PKG-10)', () => {
  interface Row {
    readonly file: string
    readonly package: string
    readonly state: string
  }
  const run = async (...args: readonly string[]): Promise<Record<string, string>> => {
    const { stdout } = await cli.run(['import', at('machines/machines.conf'), '--json', ...args])
    return Object.fromEntries((JSON.parse(stdout) as { machines: Row[] }).machines.map((one) => [one.file, one.state]))
  }

  test('files put there by hand, files to fetch, and files that are missing', async (t) => {
    const image = await readFile(at('disk.raw'))
    const server = await startFileServer(t, {
      'a.raw': image,
      'b.raw': image,
      'c.raw': Buffer.concat([image, Buffer.alloc(512, 1)]),
    })
    const url = (name: string): string => new URL(name, server.base).href
    const digest = createHash('sha256').update(image).digest('hex')
    await mkdir(at('machines'))
    await writeFile(at('machines/hand.raw'), image)
    await writeFile(
      at('machines/machines.conf'),
      `[hand.raw]\ndescription=By hand\n[absent.iso]\n[a.raw]\nurl=${url('a.raw')}\nsha256=${digest}\n` +
        `[b.raw]\nurl=${url('b.raw')}\n[c.raw]\nurl=${url('c.raw')}\nsha256=${digest}\n`,
    )
    const first = {
      'hand.raw': 'imported',
      'absent.iso': 'missing',
      'a.raw': 'imported',
      'b.raw': 'refused',
      'c.raw': 'refused',
    }
    assert.deepEqual(await run(), first)
    // Without network: nothing is asked for, and nothing of that is an error.
    const { length } = server.requests
    assert.deepEqual(await run('--offline'), {
      ...first,
      'hand.raw': 'present',
      'a.raw': 'present',
      'c.raw': 'not fetched',
    })
    assert.equal(server.requests.length, length)
    assert.deepEqual((await run('--unverified'))['b.raw'], 'imported')
    assert.equal((await run())['c.raw'], 'refused', 'a checksum that does not fit is never overruled')
  })
})

describe('what other downloaders leave to the eye (PKG-12)', () => {
  test('a download without checksum or signature is refused', async (t) => {
    const server = await startFileServer(t, { 'x.raw': Buffer.alloc(512) })
    await writeFile(at('machines.conf'), `[x.raw]\nurl=${new URL('x.raw', server.base).href}\n`)
    const { status, stdout } = await cli.run(['import', at('machines.conf')])
    assert.equal(status, 1)
    assert.match(stdout, /CHECKSUMS_INVALID/)
    assert.equal(server.requests.length, 0)
  })

  test('an index that anybody can write is believed for nothing: its signature comes first', async (t) => {
    const sums = await readFile(join(import.meta.dirname, '../fixtures/upstream/ubuntu-24.04-cloud.SHA256SUMS'), 'utf8')
    const image = Buffer.alloc(512, 7)
    const digest = createHash('sha256').update(image).digest('hex')
    const forged = sums.replace(/^\S+(?= \*ubuntu-24.04-server-cloudimg-amd64.img$)/m, digest)
    const signature = await readFile(
      join(import.meta.dirname, '../fixtures/upstream/ubuntu-24.04-cloud.SHA256SUMS.gpg'),
    )
    const server = await startFileServer(t, {
      '24.04/release/SHA256SUMS': forged,
      '24.04/release/SHA256SUMS.gpg': signature,
      '24.04/release/ubuntu-24.04-server-cloudimg-amd64.img': image,
    })
    const args = ['upstream', 'fetch', 'ubuntu:24.04:cloud', '--mirror', server.base.href]
    assert.equal(await refused(args), 'SIGNATURE_INVALID')
    server.files.set('24.04/release/SHA256SUMS', Buffer.from(sums))
    assert.equal(await refused(args), sums.includes('cloudimg-amd64.img') ? 'DIGEST_MISMATCH' : 'CHECKSUMS_INVALID')
    assert.deepEqual(await readdir(at('root/var/cache/vmpkg/upstream')).catch(() => []), [])
  })

  test('the comparison is done by code, and a wrong digest leaves no file', async () => {
    assert.equal(
      await refused(['import', at('disk.raw'), '--name', 'xy', '--digest', `sha512:${'1'.repeat(128)}`]),
      'DIGEST_MISMATCH',
    )
  })
})

describe('upstream list (PKG-5)', () => {
  test('alpine has at least three versions and flavours, newest first', async () => {
    const { flavours } = (await cli.json(['upstream', 'list', 'alpine'])) as {
      flavours: { flavour: string; versions: string[] }[]
    }
    assert.deepEqual(
      flavours.map(({ flavour }) => flavour),
      ['virt', 'standard', 'extended'],
    )
    assert.ok(flavours.every(({ versions }) => versions.length >= 3))
    assert.equal(await refused(['upstream', 'list', 'plan9']), 'UPSTREAM_UNKNOWN')
  })

  test('--online adds what the vendor has', async (t) => {
    const page = (...links: readonly string[]): string => links.map((one) => `<a href="${one}">x</a>`).join('')
    const server = await startFileServer(t, {
      alpine: page('v3.9/', 'v3.98/', 'v3.99/'),
      'alpine/v3.99/releases/x86_64': page('alpine-virt-3.99.1-x86_64.iso', 'alpine-virt-3.99.1-x86_64.iso.asc'),
    })
    const args = ['upstream', 'list', 'alpine', '--online', '--mirror', new URL('alpine/', server.base).href]
    const { flavours } = (await cli.json(args)) as { flavours: { versions: string[] }[] }
    assert.equal(flavours[0]?.versions[0], '3.99.1')
  })
})

describe('build with variant upstream', () => {
  test('refuses a release whose bytes are not those that the vendor signed', async (t) => {
    const folder = at('os-ubuntu')
    await mkdir(folder)
    const manifest = await readFile(join(import.meta.dirname, '../../templates/os-debian/vmpkg.yaml'), 'utf8')
    await writeFile(join(folder, 'vmpkg.yaml'), manifest.replace('os-debian', 'os-ubuntu').replace(/^guest:.*\n/m, ''))
    await writeFile(join(folder, 'recipe.yaml'), 'recipe: 1\nvariant: upstream\nfrom: ubuntu:24.04:cloud\n')
    await writeFile(join(folder, 'domain.xml.hbs'), '<domain/>')
    const fixture = (name: string): Promise<Buffer> => readFile(join(import.meta.dirname, '../fixtures/upstream', name))
    const server = await startFileServer(t, {
      '24.04/release/SHA256SUMS': await fixture('ubuntu-24.04-cloud.SHA256SUMS'),
      '24.04/release/SHA256SUMS.gpg': await fixture('ubuntu-24.04-cloud.SHA256SUMS.gpg'),
      '24.04/release/ubuntu-24.04-server-cloudimg-amd64.img': await readFile(at('disk.qcow2')),
    })
    const args = ['build', folder, '--out', at('built'), '--upstream-mirror', server.base.href]
    assert.equal(await refused(args), 'DIGEST_MISMATCH')
    assert.deepEqual(await readdir(at('built')), [])
  })
})
