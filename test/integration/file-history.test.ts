/**
 * `vmpkg file …` on domains of a private host: no guest is booted. Snapshots are libvirt's own; what a guest would have
 * written in between is written into the disk by debugfs.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Cli, makeCli } from '../support/cli.ts'
import { editExt, makeFilesystem, makePartitionedDisk, run } from '../support/guest-disk.ts'
import { privateHostMissing } from '../support/private-host.ts'

const missing = await privateHostMissing()
const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const MIB = 1024 ** 2
const withoutLoop = (process.getuid?.() !== 0 || !existsSync('/dev/loop-control')) && 'needs root and loop devices'

interface Version {
  readonly state: string
  readonly sha256?: string
  readonly points: number
  readonly first: { readonly name: string; readonly kind: string }
}

describe('files of a domain', { skip: missing }, () => {
  let cli: Cli
  let uri = ''
  let images = ''
  const virsh = (...args: readonly string[]): string => run('virsh', ['-q', '-c', uri, ...args])

  /** A domain whose only disk is this file; it has no system, so it would never get beyond the firmware. */
  function define(name: string, file: string, format = 'qcow2', type: 'file' | 'block' = 'file'): void {
    const source = type === 'file' ? 'file' : 'dev'
    const xml = `<domain type='qemu'><name>${name}</name><memory unit='MiB'>32</memory><os><type arch='x86_64'>hvm</type></os>
      <devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
      <disk type='${type}' device='disk'><driver name='qemu' type='${format}'/><source ${source}='${file}'/><target dev='vda' bus='virtio'/></disk>
      <disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk></devices></domain>`
    const path = join(images, `${name}.xml`)
    writeFileSync(path, xml)
    virsh('define', path)
  }

  /** The file that the domain writes to now. */
  const diskOf = (name: string): string =>
    /^vda +(\S+)$/m.exec(virsh('domblklist', name).replaceAll(/^ +/gm, ''))?.[1] ?? ''

  /** What the guest would have done since the last snapshot. */
  function write(name: string, commands: readonly string[], offset = MIB): void {
    const file = diskOf(name)
    const info = JSON.parse(run('qemu-img', ['info', '--output=json', file])) as Record<string, string>
    const raw = join(images, 'work.raw')
    run('qemu-img', ['convert', '-O', 'raw', file, raw])
    editExt(raw, commands, offset)
    const base = info['full-backing-filename']
    const layer = base === undefined ? [] : ['-B', base, '-F', info['backing-filename-format'] ?? '']
    run('qemu-img', ['convert', '-O', 'qcow2', ...layer, raw, file])
    rmSync(raw)
  }

  function replace(path: string, content: string): readonly string[] {
    const source = join(images, 'content')
    writeFileSync(source, content)
    return [`rm ${path}`, `write ${source} ${path}`]
  }

  /** libvirt counts seconds; points of one second are in order all the same. */
  const snapshot = (name: string, point: string, ...words: readonly string[]): string =>
    virsh('snapshot-create-as', name, point, '--disk-only', '--atomic', ...words)

  async function history(name: string, path: string, ...words: readonly string[]): Promise<readonly Version[]> {
    return (await cli.json(['file', 'history', name, path, '--json', ...words]))['versions'] as Version[]
  }

  before(async () => {
    cli = await makeCli()
    const { uri: own } = await cli.json(['host', 'private', 'start', 'e2e', '--json'])
    uri = String(own)
    images = join(cli.folder, 'images')
    mkdirSync(images)
    const efi = join(images, 'efi.raw')
    const root = join(images, 'root.raw')
    makeFilesystem('ext', root, { '/etc/motd': 'zero', '/gone': 'here' })
    editExt(root, ['symlink /link /etc/shadow'])
    makeFilesystem('fat', efi, { '/boot.txt': 'boot' }, { mebibytes: 4 })
    makePartitionedDisk(join(images, 'disk.raw'), [root, efi])
    run('qemu-img', ['convert', '-O', 'qcow2', join(images, 'disk.raw'), join(images, 'demo.qcow2')])
    define('demo', join(images, 'demo.qcow2'))
    snapshot('demo', 'first')
    write('demo', replace('/etc/motd', 'one'))
    snapshot('demo', 'second')
    snapshot('demo', 'third')
    // The same second, size, inode and time stamp: only the content tells these apart.
    write('demo', [...replace('/etc/motd', 'two'), 'set_inode_field /etc/motd mtime 20260101000000'])
    snapshot('demo', 'fourth')
    write('demo', [...replace('/etc/motd', 'owt'), 'set_inode_field /etc/motd mtime 20260101000000', 'rm /gone'])
  })

  after(async () => {
    await cli?.close()
  })

  test('every content is a version, at the point where it is first seen, also of one second and one time stamp', async () => {
    const versions = await history('demo', '/etc/motd')
    assert.deepEqual(
      versions.map((one) => [one.first.name, one.points, one.sha256]),
      [
        ['first', 1, sha256('zero')],
        ['second', 2, sha256('one')],
        ['fourth', 1, sha256('two')],
        ['now', 1, sha256('owt')],
      ],
    )
    assert.deepEqual(
      (await history('demo', '/gone')).map((one) => [one.first.name, one.state]),
      [
        ['first', 'file'],
        ['now', 'absent'],
      ],
    )
    assert.match(await cli.ok(['file', 'history', 'demo', '/etc/motd']), /second\s+2\s+3\s+0644\s+/)
  })

  test('the disk and its layers are as before', async () => {
    const chain = JSON.parse(run('qemu-img', ['info', '--backing-chain', '--output=json', diskOf('demo')])) as {
      filename: string
    }[]
    const digests = (): readonly string[] =>
      chain.map(({ filename }) => `${sha256(readFileSync(filename))} ${statSync(filename).mtimeMs}`)
    const known = digests()
    await history('demo', '/etc/motd')
    assert.equal(chain.length, 5)
    assert.deepEqual(digests(), known)
  })

  test('get brings back exactly the bytes of a snapshot or a time, and overwrites nothing unasked', async () => {
    const target = join(cli.folder, 'motd')
    const got = await cli.json(['file', 'get', 'demo', '/etc/motd', '--at', 'third', '-o', target, '--json'])
    assert.equal(readFileSync(target, 'utf8'), 'one')
    assert.equal(got['sha256'], sha256('one'))
    const refused = await cli.run(['file', 'get', 'demo', '/etc/motd', '-o', target])
    assert.equal(refused.status, 2)
    assert.match(refused.stderr, /is there already/)
    await cli.ok(['file', 'get', 'demo', '/etc/motd', '-o', target, '--force'])
    assert.equal(readFileSync(target, 'utf8'), 'owt')
    const piped = await cli.ok(['file', 'get', 'demo', '/etc/motd', '--at', '0s', '--output', '-'])
    assert.equal(piped, 'owt')
    const early = await cli.run(['file', 'get', 'demo', '/etc/motd', '--at', '2001-01-01', '-o', '-'])
    assert.match(early.stderr, /first point in time is later/)
    const wrong = await cli.run(['file', 'get', 'demo', '/etc/motd', '--at', 'nothing', '-o', '-'])
    assert.match(wrong.stderr, /first, second, third, fourth, now/)
    const gone = await cli.run(['file', 'get', 'demo', '/gone', '-o', join(cli.folder, 'gone')])
    assert.match(gone.stderr, /FILE_NOT_FOUND/)
    assert.equal(existsSync(join(cli.folder, 'gone')), false)
  })

  test('diff shows what the last version changed, or what lies between two points', async () => {
    const last = await cli.run(['file', 'diff', 'demo', '/etc/motd'])
    assert.equal(last.status, 1)
    assert.match(last.stdout, /^--- \/etc\/motd@fourth\n\+\+\+ \/etc\/motd@now\n@@[^]*-two\n[^]*\+owt\n/)
    const same = await cli.run(['file', 'diff', 'demo', '/etc/motd', '--from', 'second', '--to', 'third'])
    assert.deepEqual([same.status, same.stdout], [0, ''])
    const removed = await cli.run(['file', 'diff', 'demo', '/gone', '--from', 'first', '--to', 'now'])
    assert.match(removed.stdout, /\+\+\+ \/dev\/null/)
  })

  test('list shows a folder as it was, and other partitions have files too', async () => {
    const names = async (...words: string[]): Promise<readonly string[]> =>
      ((await cli.json(['file', 'list', 'demo', '/', '--json', ...words]))['entries'] as { name: string }[]).map(
        ({ name }) => name,
      )
    assert.deepEqual(await names('--at', 'first'), ['etc', 'gone', 'link', 'lost+found'])
    assert.deepEqual(await names(), ['etc', 'link', 'lost+found'])
    assert.deepEqual(await names('--partition', '2'), ['boot.txt'])
    assert.equal((await history('demo', '/boot.txt'))[0]?.sha256, sha256('boot'))
  })

  test('a disk in a block device is read as one in a file, with its internal snapshots', {
    skip: withoutLoop,
  }, async () => {
    const [store, raw] = [join(images, 'store.img'), join(images, 'device.raw')]
    makeFilesystem('ext', raw, { '/etc/motd': 'then' })
    run('truncate', ['-s', '80M', store])
    const device = run('/usr/sbin/losetup', ['--find', '--show', store]).trim()
    try {
      run('qemu-img', ['create', '-q', '-f', 'qcow2', device, String(statSync(raw).size)])
      run('qemu-img', ['convert', '-n', '-O', 'qcow2', raw, device])
      define('on-device', device, 'qcow2', 'block')
      run('qemu-img', ['snapshot', '-c', 'told', device])
      editExt(raw, replace('/etc/motd', 'now!'), 0)
      run('qemu-img', ['convert', '-n', '-O', 'qcow2', raw, device])
      const versions = await history('on-device', '/etc/motd')
      assert.deepEqual(
        versions.map((one) => [one.first.name, one.sha256]),
        [
          ['told', sha256('then')],
          ['now', sha256('now!')],
        ],
      )
      assert.equal(await cli.ok(['file', 'get', 'on-device', '/etc/motd', '--output', '-']), 'now!')
    } finally {
      run('/usr/sbin/losetup', ['--detach', device])
    }
  })

  test('what is wrong with a path, a disk or a connection is said', async () => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [['/etc/../etc/motd'], /has \. or \.\. in it/],
      [['etc/motd'], /does not begin with \//],
      [['/etc/motd', '--disk', 'vdb'], /has no disk vdb[^]*It has vda/],
      [['/nowhere'], /FILE_NOT_FOUND[^]*vda partition 1: ext; vda partition 2: fat/],
      [['/etc/motd', '--connect', 'qemu+ssh://host.invalid/system'], /HOST_UNSUPPORTED/],
    ]
    for (const [words, expected] of cases) {
      const result = await cli.run(['file', 'history', 'demo', ...words])
      assert.match(result.stderr, expected)
    }
    const unreadable: readonly (readonly [readonly string[], RegExp])[] = [
      [['/etc'], /is a folder at now [^]*\[FILE_UNREADABLE\]/],
      [['/link'], /is a symbolic link to \/etc\/shadow at now [^]*\[FILE_UNREADABLE\]/],
      [['/etc/motd', '--max-size', '2B'], /It has 3 bytes, more than --max-size 2B \[FILE_UNREADABLE\]/],
    ]
    for (const [words, expected] of unreadable) {
      const result = await cli.run(['file', 'get', 'demo', ...words, '-o', join(cli.folder, 'never')])
      assert.match(result.stderr, expected)
      assert.equal(existsSync(join(cli.folder, 'never')), false)
    }
    assert.match((await cli.run(['file', 'history', 'nobody', '/x'])).stderr, /DOMAIN_UNKNOWN/)
  })

  test('encrypted and foreign partitions are named as what they are', async () => {
    const file = join(images, 'luks.raw')
    const head = Buffer.alloc(MIB)
    head.write('LUKS\xba\xbe', 'latin1')
    writeFileSync(file, head)
    define('locked', file, 'raw')
    const result = await cli.run(['file', 'history', 'locked', '/etc/motd'])
    assert.match(result.stderr, /FILESYSTEM_UNSUPPORTED/)
    assert.match(result.stderr, /vda: LUKS, which is not read/)
  })

  test('internal snapshots are points in time too', async () => {
    const file = join(images, 'inside.qcow2')
    run('qemu-img', ['convert', '-O', 'qcow2', join(images, 'disk.raw'), file])
    define('inside', file)
    virsh('snapshot-create-as', 'inside', 'before')
    const raw = join(images, 'inside.raw')
    run('qemu-img', ['convert', '-O', 'raw', file, raw])
    editExt(raw, replace('/etc/motd', 'changed'), MIB)
    // Through qemu-img the file keeps its snapshot.
    run('qemu-img', ['convert', '-n', '-O', 'qcow2', raw, file])
    const versions = await history('inside', '/etc/motd')
    assert.deepEqual(
      versions.map((one) => [one.first.name, one.sha256]),
      [
        ['before', sha256('zero')],
        ['now', sha256('changed')],
      ],
    )
  })

  test('a command that is killed leaves no process, and what it left of files gc removes', async () => {
    const daemons = (): string => run('sh', ['-c', `pgrep -f "qemu-storage-daemo[n].*${images}" || true`])
    const running = cli.start(['file', 'history', 'demo', '/etc/motd'])
    for (let tries = 0; daemons() === '' && tries < 400; tries++) await new Promise((wake) => setTimeout(wake, 20))
    assert.notEqual(daemons(), '')
    running.kill('SIGKILL')
    await running.done
    for (let tries = 0; daemons() !== '' && tries < 400; tries++) await new Promise((wake) => setTimeout(wake, 20))
    assert.equal(daemons(), '')
    await cli.ok(['gc'])
    const cache = join(cli.folder, 'root', 'var', 'cache', 'vmpkg')
    assert.deepEqual(
      readdirSync(cache).filter((name) => name.startsWith('scratch')),
      [],
    )
  })

  test('of a running domain the snapshots are read, and its present only with --live', async () => {
    virsh('start', 'demo')
    try {
      const plain = await cli.run(['file', 'history', 'demo', '/etc/motd'])
      assert.match(plain.stderr, /demo is running: its present is left out/)
      assert.deepEqual(
        (await history('demo', '/etc/motd')).map(({ first }) => first.name),
        ['first', 'second', 'fourth'],
      )
      assert.deepEqual((await history('demo', '/etc/motd', '--live')).map(({ first }) => first.name).at(-1), 'now')
      snapshot('demo', 'running')
      assert.equal((await history('demo', '/etc/motd')).at(-1)?.first.name, 'running')
    } finally {
      virsh('destroy', 'demo')
    }
  })
})
