/**
 * The verbs under a real `qemu:///session`, whose user has no rights and whose packages are tiny: nothing boots. The machine
 * that the user is on is a private host (`user-machine.ts`); virsh tells what libvirt has.
 */
import assert from 'node:assert/strict'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { listSocketCards } from '../../src/render/socket-cards.ts'
import { type Cli, makeCli } from '../support/cli.ts'
import { fixedClock } from '../support/fixed-clock.ts'
import { buildRegistry, type TestRegistry, testImage } from '../support/registry-builder.ts'
import { tinyApp, tinyLower, tinyRouter } from '../support/tiny-packages.ts'
import { startUserMachine, type UserMachine, userMachineMissing } from '../support/user-machine.ts'
import { wireguardSample } from '../support/vpn-profiles.ts'

const ROUTER = { ...tinyRouter('router-tiny'), version: '1.0-1' }
const APP = { ...tinyApp('app-tiny', { manifest: 'depends: [router-tiny]' }), version: '1.0-1' }

describe('machines under qemu:///session', { timeout: 300_000, skip: await userMachineMissing() }, () => {
  let own: UserMachine
  let cli: Cli
  let registry: TestRegistry

  before(async () => {
    registry = await buildRegistry({ clock: fixedClock(new Date()), packages: [ROUTER, APP, tinyLower('router-low')] })
    await chmod(dirname(registry.folder), 0o755)
    own = await startUserMachine()
    cli = await own.makeCli('qemu:///session')
    await cli.ok(['source', 'add', 'test', registry.folder, '--root-file', join(registry.folder, 'root', '1.json')])
    await cli.ok(['update'])
  })

  after(async () => {
    await own?.stop()
    await cli?.close()
    await registry?.[Symbol.asyncDispose]()
  })

  const virsh = async (...words: readonly string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await own.machine.run(
      own.asUser(cli, ['virsh', '-q', '-c', 'qemu:///session', ...words]),
    )
    assert.equal(exitCode, 0, `virsh ${words.join(' ')}: ${stderr}`)
    return stdout
  }
  const portsOf = async (...names: readonly string[]): Promise<readonly (number | undefined)[]> => {
    const found: (number | undefined)[] = []
    for (const name of names)
      found.push(...listSocketCards(await virsh('dumpxml', '--inactive', name)).map(({ port }) => port))
    return found
  }
  const refused = async (words: readonly string[], code: string): Promise<string> => {
    const { status, stderr } = await cli.run(words)
    assert.equal(status, 100, stderr)
    assert.match(stderr, new RegExp(`\\[${code}\\]`))
    return stderr
  }

  test('a router is defined with the uplink of QEMU’s user and a LAN that libvirt never has to start', async () => {
    const { status, stderr } = await cli.run([
      'install',
      '-y',
      '--grant',
      'network',
      '--no-start',
      'router-tiny',
      'app-tiny',
    ])
    assert.equal(status, 0, stderr)
    assert.match(stderr, /hear and reach each other/)
    assert.deepEqual(await portsOf('router-tiny'), [undefined, 0])
    const { networks, limits } = await cli.json(['net', 'list'])
    assert.deepEqual(
      (networks as Record<string, unknown>[]).map(({ network, cidr, marks }) => [network, cidr, marks]),
      [
        ['vmpkg-uplink', '10.0.2.0/24', []],
        ['uni0', '10.1.1.0/24', []],
      ],
    )
    assert.equal((limits as string[]).length, 4)
    assert.match(await cli.ok(['render', 'router-tiny', '--guest']), /iifname "lan" ip daddr 10\.0\.2\.0\/24 drop/)
    assert.match(String((await cli.json(['status']))['limits']), /loopback/)
  })

  test('clones get ports of their own, one that is free again included, until the LAN is full', async () => {
    await cli.ok(['clone', 'app-tiny', '--name', 'c', '--count', '3', '--no-start'])
    assert.deepEqual(new Set(await portsOf('c-1', 'c-2', 'c-3')), new Set([1, 2, 3]))
    const [freed] = await portsOf('c-2')
    await cli.ok(['rm', '-y', 'c-2'])
    await cli.ok(['clone', 'app-tiny', '--name', 'd', '--no-start'])
    assert.deepEqual(await portsOf('d'), [freed])
    assert.match(
      await refused(['clone', 'app-tiny', '--name', 'e', '--count', '14', '--no-start'], 'ADDRESS_UNAVAILABLE'),
      /room for 13 more/,
    )
  })

  test('a lower router takes a port of the LAN above, whose router’s definition follows', async () => {
    const profile = join(cli.folder, 'home.conf')
    await writeFile(profile, wireguardSample())
    await cli.ok([
      'install',
      '-y',
      '--no-start',
      '--grant',
      'network',
      'router-low',
      '--set',
      `router-low:vpn=${profile}`,
    ])
    assert.deepEqual(await portsOf('router-low'), [4, 0])
    assert.deepEqual(await portsOf('router-tiny'), [undefined, 0])
    assert.match(await cli.ok(['render', 'router-tiny', '--guest']), /198\.51\.100\.4 udp dport 51820/)
    await cli.ok(['remove', '-y', 'router-low'])
  })

  test('a later version keeps cards and ports, and edits of the user', async () => {
    const xml = await virsh('dumpxml', '--inactive', 'router-tiny')
    await writeFile(join(cli.folder, 'edit.xml'), xml.replaceAll('32768', '40960'))
    await virsh('define', join(cli.folder, 'edit.xml'))
    await registry.add({ ...tinyRouter('router-tiny', { image: testImage('later') }), version: '1.1-1' })
    await cli.ok(['update'])
    await cli.ok(['upgrade', '-y'])
    const now = await virsh('dumpxml', '--inactive', 'router-tiny')
    assert.match(now, /version=['"]1\.1-1/)
    assert.match(now, /40960/)
    const cards = (text: string): readonly string[] => text.match(/<(?:mac|alias|qemu:\w+) .*/g) ?? []
    assert.deepEqual(cards(now), cards(xml))
  })

  test('a copy from a backup stands beside its original, on another port', async () => {
    await mkdir(join(cli.folder, 'kept'), { mode: 0o777 })
    await chmod(join(cli.folder, 'kept'), 0o777)
    await cli.ok(['backup', 'c-1', '--to', join(cli.folder, 'kept')])
    await cli.ok(['restore', '-y', join(cli.folder, 'kept', 'c-1'), '--name', 'copy'])
    assert.deepEqual(await portsOf('copy'), [4])
    const bound = /\/uni0\/(\d+)\.down/.exec(await virsh('dumpxml', 'copy'))?.[1]
    assert.equal(bound, '4')
  })

  test('no machine takes the port of another', async () => {
    const xml = await virsh('dumpxml', '--inactive', 'c-1')
    const [port] = await portsOf('c-1')
    const own4 = await virsh('dumpxml', '--inactive', 'copy')
    await writeFile(join(cli.folder, 'edit.xml'), own4.replaceAll('ua-lan4-', `ua-lan${port}-`))
    await virsh('define', join(cli.folder, 'edit.xml'))
    assert.match(await refused(['start', 'copy'], 'ADDRESS_UNAVAILABLE'), /is that of c-1/)
    assert.ok(xml.includes(`ua-lan${port}-uni0`))
    await cli.ok(['rm', '-y', 'copy'])
  })

  test('what needs a bridge or a device of the host is refused with a next step', async () => {
    for (const words of [
      ['net', 'move', 'c-1', 'router-tiny'],
      ['port-forward', 'add', 'c-1', 'tcp/80:80'],
      ['vpn-server', 'init', '--endpoint', '198.51.100.9'],
      ['install', '-y', '--reinstall', 'router-tiny', '--set', 'uplink=bridge:br0'],
    ])
      assert.match(await refused(words, 'HOST_UNSUPPORTED'), /--connect private/, words.join(' '))
  })

  test('it is chosen, and said once, where the kernel’s settings leave a user no namespaces; root has none', async () => {
    const setting = '/proc/sys/user/max_user_namespaces'
    await writeFile(join(own.machine.dir, 'none'), '0\n')
    const env = { VMPKG_CONNECT: '', VMPKG_ROOT: join(cli.folder, 'other') }
    const listed = async (): Promise<string> => (await cli.run(['ps', '--all'], '', { env })).stderr
    await own.machine.run(['mount', '-n', '--bind', join(own.machine.dir, 'none'), setting])
    try {
      assert.match(await listed(), /on your session’s libvirt, which promises less/)
      assert.doesNotMatch(await listed(), /promises less/)
    } finally {
      await own.machine.run(['umount', setting])
    }
    const root = await makeCli('qemu:///session')
    try {
      const { status, stderr } = await root.run(['ps'])
      assert.equal(status, 100)
      assert.match(stderr, /LIBVIRT_UNREACHABLE[^]*--connect qemu:\/\/\/system/)
    } finally {
      await root.close()
    }
  })

  test('a snapshot of a machine is made, and gone back to', async () => {
    await cli.ok(['snapshot', 'create', 'c-1', 'first'])
    await cli.ok(['snapshot', 'revert', 'c-1', 'first', '-y'])
    assert.equal(listSocketCards(await virsh('dumpxml', '--inactive', 'c-1')).length, 1)
    await cli.ok(['snapshot', 'delete', 'c-1', 'first', '-y'])
  })

  test('what was removed comes back by the history, and goes again without a trace', async () => {
    await cli.ok(['rm', '-y', 'c-1', 'c-3', 'd'])
    await cli.ok(['remove', '-y', 'router-tiny', 'app-tiny'])
    assert.equal(await virsh('net-list', '--all', '--name'), '')
    const { entries } = (await cli.json(['history'])) as { entries: { id: number }[] }
    await cli.ok(['history', 'undo', String(entries[0]?.id), '-y', '--no-start'])
    assert.deepEqual(await portsOf('router-tiny'), [undefined, 0])
    await cli.ok(['purge', '-y', 'router-tiny', 'app-tiny'])
    assert.equal(await virsh('list', '--all', '--name'), '')
    assert.equal(await virsh('net-list', '--all', '--name'), '')
  })
})
