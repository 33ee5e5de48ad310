import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { extReader } from '../../src/filesystem/ext.ts'
import type { Sandbox } from '../../src/filesystem/sandbox.ts'
import { DISK_KINDS, makeOriginal, readDamaged } from '../support/damaged-disks.ts'
import { editExt, makeFilesystem, run } from '../support/guest-disk.ts'
import { openRaw } from '../support/reading-sandbox.ts'

const folder = mkdtempSync(join(tmpdir(), 'vmpkg-hostile-'))
after(() => rmSync(folder, { recursive: true, force: true }))

describe('the sandbox', () => {
  const disk = join(folder, 'plain.raw')
  before(() => makeFilesystem('ext', disk, { '/notes': 'text' }))

  test('has no capability, no user of the host, no network, no files of the host but its programs', async () => {
    await using open = await openRaw([disk])
    const script = [
      'id -u; id -G',
      'grep -E "^(CapEff|CapPrm|NoNewPrivs)" /proc/self/status',
      'ls /sys/class/net 2>/dev/null; cat /proc/net/dev | tail -n +3',
      'ls / /etc /home /root /var /run 2>/dev/null | tr "\\n" " "',
      'cat /etc/passwd; touch /usr/x; mkdir /y; echo > /proc/sysrq-trigger; kill -9 1; true',
    ]
    const { stdout, stderr } = await open.sandbox.run(['sh', '-c', script.join('\n')], { cpuSeconds: 5 })
    assert.match(stdout, /^65534\n65534\nCapPrm:\t0{16}\nCapEff:\t0{16}\nNoNewPrivs:\t1\n/)
    assert.match(stdout, /^ *lo: +0 +0 [^\n]*\n\/: bin /m)
    assert.match(stdout, /\/etc:\nld\.so\.cache|\/etc: ld\.so\.cache/)
    for (const refused of ['/etc/passwd: No such file', '/usr/x', '/y', 'sysrq-trigger', 'kill: Operation']) {
      assert.ok(stderr.includes(refused), `${refused}: ${stderr}`)
    }
  })

  test('ends what takes too much processor time or memory', async () => {
    await using open = await openRaw([disk])
    const begun = performance.now()
    const spun = await open.sandbox.run(['sh', '-c', 'while :; do :; done'], { cpuSeconds: 1 })
    assert.notEqual(spun.exitCode, 0)
    const grown = await open.sandbox.run(['sh', '-c', 'dd if=/dev/zero of=/dev/null bs=3G count=1'], { cpuSeconds: 60 })
    assert.match(grown.stderr, /memory exhausted/)
    assert.ok(performance.now() - begun < 60_000)
  })

  test('a writer changes the export and not the disk, and leaves nothing behind', async () => {
    const bytes = readFileSync(disk)
    let pids = ''
    {
      await using open = await openRaw([disk])
      const wrote = await open.sandbox.run(
        ['sh', '-c', 'dd if=/dev/urandom of=/x/0 bs=1M count=4 conv=notrunc status=none && head -c 4 /x/0 | od'],
        { cpuSeconds: 10 },
      )
      assert.equal(wrote.exitCode, 0, wrote.stderr)
      pids = run('pgrep', ['-f', `qemu-storage-daemon.*${disk}`])
      assert.notEqual(pids, '')
    }
    assert.ok(bytes.equals(readFileSync(disk)))
    for (const pid of pids.trim().split('\n')) assert.throws(() => process.kill(Number(pid), 0), { code: 'ESRCH' })
    assert.ok(!readFileSync('/proc/self/mounts', 'utf8').includes('vmpkg-reading'))
  })
})

describe('hostile disks', () => {
  test('a file of 1 TiB is refused for its size before anything of it is read', async () => {
    const disk = join(folder, 'huge.raw')
    makeFilesystem('ext', disk, { '/huge': 'x' })
    editExt(disk, ['set_inode_field /huge size 1099511627776'])
    await using open = await openRaw([disk])
    const begun = performance.now()
    const [entry] = await open.readers.look(open.places, '/huge', { maxSize: 1024 ** 3 })
    assert.deepEqual(entry?.state === 'unreadable' && entry.size, 1024 ** 4)
    assert.ok(performance.now() - begun < 30_000)
  })

  test('a point that is damaged costs no other point its answer', async () => {
    const good = join(folder, 'good.raw')
    makeFilesystem('ext', good, { '/notes': 'text' })
    const bad = join(folder, 'bad.raw')
    run('cp', [good, bad])
    editExt(bad, ['set_inode_field /notes block[IND] 999999999', 'set_inode_field / mode 0100755'])
    await using open = await openRaw([good, bad, good])
    const entries = await open.readers.look(open.places, '/notes', { maxSize: 1024 })
    assert.deepEqual(
      entries.map(({ state }) => state),
      ['file', 'absent', 'file'],
    )
  })

  test('a reader that crashes over one point is started again for the others', async () => {
    const good = join(folder, 'steady.raw')
    makeFilesystem('ext', good, { '/notes': 'text' })
    await using open = await openRaw([good, good, good])
    // The first process of each kind ends over the second point, as debugfs does when it crashes.
    const begun = { look: false, read: false }
    const runOnce: Sandbox['run'] = (argv, options) => {
      const kind = argv[0] === 'debugfs' ? 'read' : 'look'
      if (begun[kind]) return open.sandbox.run(argv, options)
      begun[kind] = true
      const words = typeof options.input === 'string' ? options.input : ''
      const second = words.split('open -c /x/1')[0] ?? ''
      return open.sandbox.run(argv, { ...options, input: kind === 'look' ? second : `${second}quit\n` })
    }
    const places = open.places.filter((place) => place !== undefined)
    const entries = await extReader({ run: runOnce }).look(places, '/notes', { maxSize: 1024 })
    assert.deepEqual(
      entries.map((entry) => (entry.state === 'unreadable' ? entry.reason : entry.state)),
      ['file', 'Its reader crashed over it', 'file'],
    )
  })

  // What a guest can do to its own disk: bytes of the metadata changed at random. `npm run soak -- files` does thousands.
  for (const kind of DISK_KINDS) {
    test(`of ${kind} with random damage are answered or refused in bounded time, and cost no other its answer`, async () => {
      const counts = await readDamaged(makeOriginal(folder, kind), { kind, seed: 1, from: 0, cases: 6 })
      assert.equal(
        [...counts.values()].reduce((sum, one) => sum + one, 0),
        6,
      )
    })
  }
})
