/**
 * The shipped OS image, built from its recipe and booted by UEFI firmware under QEMU without libvirt: two builds are
 * equal, each machine takes its identity from its medium, it has a lease, nobody can log in, and it stops when asked.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { writeMedium } from '../../src/domain/medium.ts'
import { emitNothing } from '../../src/events.ts'
import { listFirmware } from '../../src/host/emulator.ts'
import { parseManifest } from '../../src/model/manifest-schema.ts'
import type { NicContext } from '../../src/model/template-context.ts'
import { systemProcesses } from '../../src/node/processes.ts'
import { type BuiltPackage, buildPackage } from '../../src/publish/build-package.ts'
import { renderGuestFile } from '../../src/render/guest.ts'
import { type BareGuest, startBareGuest } from '../support/bare-guest.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const PACKAGE = join(import.meta.dirname, '..', '..', 'templates', 'os-debian')
const TOOLS = ['mmdebstrap', 'mkfs.vfat', 'mcopy', 'sfdisk', 'objcopy', 'xorriso', 'qemu-system-x86_64', 'depmod']
const [firmware] = (await listFirmware()).filter(({ secureBoot }) => !secureBoot)
const missing = TOOLS.filter(
  (tool) => !['/usr/bin', '/usr/sbin', '/sbin'].some((folder) => existsSync(join(folder, tool))),
)
if (firmware === undefined) missing.push('ovmf')
const MAC = '02:00:00:00:03:01'
const ROOT_OFFSET = 65 * 1024 * 1024

describe('the shipped OS image', { skip: missing.length > 0 && `not installed: ${missing.join(', ')}` }, () => {
  let work = ''
  let built: BuiltPackage
  const disk = (): string => join(built.folder, 'images', 'disk')

  const build = async (out: string): Promise<BuiltPackage> =>
    buildPackage({
      packageDir: PACKAGE,
      manifest: parseManifest(await readFile(join(PACKAGE, 'vmpkg.yaml'), 'utf8')),
      outDir: join(work, out),
      cacheDir: join(work, 'cache'),
      processes: systemProcesses,
      emit: emitNothing,
    })

  before(async () => {
    work = await mkdtemp(join(tmpdir(), 'vmpkg-os-'))
    built = await build('first')
  })
  after(async () => rm(work, { recursive: true, force: true }))

  /** A clone: an overlay, variables of its own, and a medium. */
  const start = async (
    t: TestContext,
    hostname: string,
    environment?: string,
    data: readonly { readonly file: string; readonly serial: string; readonly line: string }[] = [],
  ): Promise<BareGuest> => {
    assert.ok(firmware !== undefined)
    const folder = await makeTempFolder(t)
    const overlay = join(folder, 'overlay.qcow2')
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', disk(), '-F', 'raw', overlay])
    const variables = join(folder, 'variables.fd')
    await copyFile(firmware.variables, variables)
    const wan: NicContext = { role: 'wan', mac: MAC, network: 'x', link: 'up', isolated: true }
    const identity = { hostname, machineId: '5a'.repeat(16), seed: 'cd'.repeat(32) }
    const template = await readFile(join(PACKAGE, 'guest', 'vmpkg.env.hbs'), 'utf8')
    const text = environment ?? renderGuestFile('vmpkg.env', template, { identity, nics: [wan], wan, params: {} })
    const medium = join(folder, 'config.iso')
    const files = new Map([['vmpkg.env', Buffer.from(text)]])
    if (data.length > 0) files.set('data.conf', Buffer.from(data.map(({ line }) => line).join('')))
    await writeMedium({ files, target: medium })
    return startBareGuest(t, {
      folder,
      boot: { code: firmware.code, variables },
      memoryMib: 512,
      disk: { file: overlay, format: 'qcow2', readonly: false },
      data,
      medium,
      nics: [{ netdev: 'user,id=n0,restrict=on', mac: MAC }],
    })
  }

  test('a second build gives the same digest and the same list of packages, whatever the umask', async (t) => {
    const umask = process.umask(0o077)
    t.after(() => process.umask(umask))
    const again = await build('second')
    assert.deepEqual(again.images, built.images)
    const lists = [built, again].map(async ({ folder }) => readFile(join(folder, 'packages.list'), 'utf8'))
    const [first, second] = await Promise.all(lists)
    assert.equal(second, first)
    assert.match(first ?? '', /^systemd \S+$/m)
    assert.match(first ?? '', /^linux-image-cloud-amd64 \S+$/m)
  })

  test('its file systems are sound, keep Debian’s owners, and name neither the building machine nor its mirror', () => {
    const root = `${disk()}?offset=${ROOT_OFFSET}`
    execFileSync('e2fsck', ['-fn', root], { stdio: 'ignore' })
    execFileSync('sfdisk', ['--verify', disk()], { stdio: 'ignore' })
    const ask = (request: string): string =>
      execFileSync('debugfs', ['-R', request, root], { encoding: 'utf8', stdio: 'pipe' })
    assert.match(ask('stat /etc/shadow'), /Mode: +0640[^]*User: +0 +Group: +42 /)
    assert.match(ask('stat /usr/bin/passwd'), /Mode: +04755[^]*User: +0 +Group: +0 /)
    assert.match(ask('cat /etc/shadow'), /^root:[*!]/m)
    assert.doesNotMatch(ask('cat /etc/shadow'), /^[a-z-]+:\$/m)
    // OpenSSH's server is there for vmpkg ssh: off, and with nobody's keys.
    assert.match(ask('stat /usr/sbin/sshd'), /Mode: +0755/)
    assert.doesNotMatch(ask('ls -p /etc/ssh'), /ssh_host/)
    assert.doesNotMatch(ask('ls -p /etc/systemd/system/multi-user.target.wants'), /ssh/)
    for (const path of ['/etc/hostname', '/etc/apt/sources.list', '/etc/apt/apt.conf.d/99mmdebstrap']) {
      assert.equal(ask(`stat ${path}`), '')
    }
  })

  test('a machine takes its identity from the medium, gets an address, lets nobody in, and stops when asked', async (t) => {
    const folder = await makeTempFolder(t)
    const [empty, known] = [join(folder, 'empty'), join(folder, 'known')]
    for (const file of [empty, known]) {
      await writeFile(file, '')
      await truncate(file, 64 * 1024 * 1024)
    }
    execFileSync('mke2fs', ['-q', '-t', 'ext4', '-L', 'older', known])
    execFileSync('debugfs', ['-w', '-R', 'mkdir /kept', known], { stdio: 'ignore' })
    const guest = await start(t, 'debian1', undefined, [
      { file: empty, serial: 'vmpkg-home', line: 'vmpkg-home home /home\n' },
      { file: known, serial: 'vmpkg-mail', line: 'vmpkg-mail mail /srv/mail\n' },
    ])
    assert.deepEqual(await guest.readLine(), { vmpkg: 1, event: 'ready' })
    const reply = await askUntil(guest, (one) => (one['lan'] as { address: unknown }).address !== null)
    assert.partialDeepStrictEqual(reply, { ready: true, hostname: 'debian1', lan: { address: '10.0.2.15' } })
    await until(() => guest.serial().includes('debian1 login:'))
    guest.typeLine('root')
    await until(() => /Password:/.test(guest.serial()))
    guest.typeLine('')
    await until(() => /Login incorrect/.test(guest.serial()))
    await guest.control('system_powerdown')
    await Promise.race([guest.ended, wait(60_000).then(() => assert.fail('the machine did not stop'))])
    // An empty data disk has a file system now, and one that had one has the same.
    const facts = (file: string): string =>
      execFileSync('debugfs', ['-R', 'stats -h', file], { encoding: 'utf8', stdio: 'pipe' })
    assert.match(facts(empty), /^Filesystem volume name: +home\n[^]*^Mount count: +1$/m)
    assert.match(facts(known), /^Filesystem volume name: +older\n[^]*^Mount count: +1$/m)
    assert.match(execFileSync('debugfs', ['-R', 'stat /kept', known], { encoding: 'utf8', stdio: 'pipe' }), /directory/)
    for (const file of [empty, known]) execFileSync('e2fsck', ['-fn', file], { stdio: 'ignore' })
  })

  test('a disk that was another machine’s forgets its SSH keys and its seed, and one that starts again keeps its own', async (t) => {
    const folder = await makeTempFolder(t)
    const root = join(folder, 'root')
    const file = await readFile(join(PACKAGE, '..', 'shared', 'debian-guest', 'usr', 'lib', 'vmpkg', 'first'), 'utf8')
    const part = /forget_others\(\) \{[^]*?\n\}\n/.exec(file)?.[0] ?? ''
    const script = `set -f\n${part.replaceAll(/\/(etc|var)\//g, `${root}/$1/`)}forget_others`
    const boot = (machineId: string): void =>
      void execFileSync('sh', ['-c', script], { env: { S_MACHINE_ID: machineId, PATH: '/usr/bin:/bin' } })
    const keys = ['etc/ssh/ssh_host_rsa_key', 'etc/ssh/ssh_host_rsa_key.pub', 'var/lib/systemd/random-seed']
    const left = (): readonly string[] => keys.filter((key) => existsSync(join(root, key)))
    for (const key of [...keys, 'etc/ssh/sshd_config']) {
      await mkdir(join(root, key, '..'), { recursive: true })
      await writeFile(join(root, key), 'of the first')
    }
    boot('aa'.repeat(16)) // what an image would bring along
    assert.deepEqual(left(), [])
    for (const key of keys) await writeFile(join(root, key), 'its own')
    boot('aa'.repeat(16))
    assert.deepEqual(left(), keys)
    boot('bb'.repeat(16))
    assert.deepEqual(left(), [])
    assert.ok(existsSync(join(root, 'etc/ssh/sshd_config')))
  })

  test('a machine without a medium that it can trust says so and is not ready', async (t) => {
    const guest = await start(t, 'debian2', 'HOSTNAME=$(reboot)\n')
    guest.write(`status ${'8'.repeat(32)}\n`)
    const reply = await guest.readLine()
    assert.partialDeepStrictEqual(reply, { ready: false, hostname: 'localhost', lan: { address: null } })
    assert.match(String(reply['problem']), /vmpkg\.env line 1/)
  })
})

async function askUntil(
  guest: BareGuest,
  isEnough: (reply: Readonly<Record<string, unknown>>) => boolean,
): Promise<Readonly<Record<string, unknown>>> {
  for (let tries = 0; tries < 150; tries++) {
    guest.write(`status ${tries.toString(16).padStart(32, '0')}\n`)
    const reply = await guest.readLine()
    if (isEnough(reply)) return reply
    await wait(200)
  }
  return assert.fail('the guest never said what was waited for')
}

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (holds()) return
    await wait(200)
  }
  assert.fail('waited in vain')
}
