/**
 * Routers without root: everything that touches libvirt is run by an ordinary user of a machine that the test made
 * (`user-machine.ts`), on a private host whose only way out is slirp4netns, and under the user's session, where LANs are
 * sockets. Real guests, and a server beyond that machine.
 */
import assert from 'node:assert/strict'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { type Cli, makeCli } from '../support/cli.ts'
import { publishTemplates } from '../support/publish-templates.ts'
import { startUserMachine, type UserMachine, userMachineMissing } from '../support/user-machine.ts'
import { comesFrom, type Frame, fromClient, goesTo, hearFrames, macOf, startInside, TAP } from '../support/vpn-site.ts'

const SUPPORT = join(import.meta.dirname, '..', 'support')
const SERVER = '198.51.100.1'
/** The machine's own, on the cable to the world; there it is what all of the user's connections come from. */
const MACHINE = '192.168.255.1'
/** What stands for the machine's loopback in both kinds of user-mode network, where it is not closed. */
const LOOPBACK = '10.0.2.2'
const WAY_OUT = new RegExp(`you came from (?:::ffff:)?${MACHINE}\\b`)
/** The machine's loopback first: the page is what shows that it is over. */
const TRIES = `timeout 4 fetch http://${LOOPBACK}:8081/\nfetch http://${SERVER}:8080/\n`

/** Every frame of every interface where it runs, as `TAP` writes them. */
const HEAR_ALL = TAP.replace(/ {4}elif[^\n]*\n/, '').replace("place[0] == 'tun9'", "place[0] == ''")

describe('an ordinary user', { timeout: 900_000, skip: await userMachineMissing() }, () => {
  let publisher: Cli
  let own: UserMachine
  const running: ChildProcessWithoutNullStreams[] = []

  /** On the machine, as its root. */
  const begin = async (
    sign: RegExp,
    ...argv: readonly [string, ...string[]]
  ): Promise<ChildProcessWithoutNullStreams> => {
    const child = own.machine.spawn(argv)
    running.push(child)
    let said = ''
    await new Promise<void>((resolve, reject) => {
      child.stdout.on('data', (chunk: Buffer) => sign.test((said += chunk.toString())) && resolve())
      child.once('exit', () => reject(new Error(`${argv.join(' ')} ended: ${said}`)))
    })
    return child
  }

  before(async () => {
    publisher = await makeCli('private:unused')
    await publishTemplates(publisher, ['router-uni', 'app-console'])
    await chmod(publisher.folder, 0o755)
    own = await startUserMachine()
    await begin(/listening/, process.execPath, join(SUPPORT, 'uplink-server.ts'), SERVER, '8080')
    await begin(/listening/, process.execPath, join(SUPPORT, 'uplink-server.ts'), '127.0.0.1', '8081', 'here')
  })

  after(async () => {
    for (const child of running) child.stdin.end()
    await own?.stop()
    await publisher?.close()
  })

  const trust = async (cli: Cli): Promise<void> => {
    const registry = join(publisher.folder, 'registry')
    await cli.ok(['source', 'add', 'example', registry, '--root-file', join(registry, 'root', '1.json')])
    await cli.ok(['update'])
  }

  /** On the machine; its output whatever its exit status. */
  const onMachine = async (...argv: readonly [string, ...string[]]): Promise<string> => {
    const { stdout, stderr } = await own.machine.run(argv)
    return `${stdout}${stderr}`
  }

  const ownersOfGuests = (): Promise<string> =>
    onMachine('sh', '-c', "grep -lzs '^guest=' /proc/[0-9]*/cmdline | xargs -r stat -c %u | sort -u")

  /** @returns the address of a client behind an attested router */
  const bringUp = async (cli: Cli): Promise<string> => {
    await cli.ok(['install', '-y', '--grant', 'network', 'router-uni', 'app-console'])
    const { address } = await cli.json(['clone', 'app-console', '--name', 'client', '--ephemeral', '--wait'])
    assert.equal(await ownersOfGuests(), `${own.id}\n`)
    const { machines } = (await cli.json(['status', 'router-uni'])) as { machines: Record<string, unknown>[] }
    assert.partialDeepStrictEqual(machines[0], { rules: 'attested', lanLink: 'up' })
    return String(address)
  }

  describe('on a private host with slirp4netns as its uplink', () => {
    let cli: Cli
    const frames: Frame[] = []
    let tap: ChildProcessWithoutNullStreams
    let client = ''

    before(async () => {
      cli = await own.makeCli('private:own')
      await trust(cli)
      await cli.ok(['host', 'private', 'start', 'own', '--uplink', 'slirp4netns'])
      tap = await startInside(cli, 'own', /ready/, ['python3', '-c', TAP])
      hearFrames(tap, frames)
      client = await bringUp(cli)
    })

    after(async () => {
      tap?.stdin.end()
      await cli?.close()
    })

    test('has clients that get out by the router alone, as that user’s own connections, and never to the loopback', async () => {
      assert.match(await onMachine('curl', '-sS', 'http://127.0.0.1:8081/'), /you came from/)
      const since = frames.length
      const said = await cli.ok(['console', 'client', '--silence', '8'], TRIES)
      assert.match(said, WAY_OUT)
      assert.doesNotMatch(said, /127\.0\.0\.1/)
      const seen = frames.slice(since)
      const source = seen.find(fromClient(client, SERVER))
      assert.ok(source, 'seen at its source')
      assert.ok(seen.some(fromClient(client, LOOPBACK)), 'seen at its source')
      const beyond = seen.filter(({ place }) => place === 'vmp-uplink')
      assert.ok(
        beyond.some(({ bytes }) => goesTo(bytes, SERVER)),
        'seen beyond the router',
      )
      const card = macOf(source.bytes)
      const leaks = frames.filter(
        ({ place, bytes }) =>
          place === 'vmp-uplink' && (comesFrom(bytes, client) || goesTo(bytes, client) || macOf(bytes) === card),
      )
      assert.deepEqual(
        leaks.map(({ bytes }) => bytes.toString('hex')),
        [],
      )
    })

    test('has LANs that the machine is no part of: no card, no route, no answer', async () => {
      const cards = await onMachine('ip', '-o', 'address')
      assert.match(cards, / 192\.168\.255\.1\//)
      assert.doesNotMatch(cards, / 10\.|192\.168\.130\.|vmp-|vnet/)
      assert.match(await onMachine('ip', 'route', 'get', '10.1.1.1'), /unreachable/)
      const ask = (address: string): Promise<string> => {
        const place = ['sh', join(SUPPORT, 'on-bridge.sh'), 'vmp-uni0', '10.1.1.250/24']
        const arping = `busybox arping -c 1 -w 2 -I guest1 ${address}; :`
        return cli.ok(['host', 'private', 'shell', 'own', '--', ...place, 'sh', '-c', arping])
      }
      assert.match(await ask('10.1.1.1'), /Received 1 r/)
      for (const address of [MACHINE, '10.0.2.2', '10.0.2.100', '192.168.130.1'])
        assert.match(await ask(address), /Received 0 r/, address)
    })
  })

  describe('under qemu:///session', () => {
    let cli: Cli
    const frames: Frame[] = []
    let client = ''
    let lan = ''

    before(async () => {
      cli = await own.makeCli('qemu:///session')
      await chmod(cli.folder, 0o755) // what keeps others out of a LAN is the LAN's own folder
      await trust(cli)
      hearFrames(await begin(/ready/, 'python3', '-c', HEAR_ALL), frames)
      client = await bringUp(cli)
      lan = /&quot;(\/[^&]*\/uni0)\/1\.down/.exec(await virsh('dumpxml', 'client'))?.[1] ?? ''
    })

    after(() => cli?.close())

    const virsh = (...words: readonly string[]): Promise<string> =>
      onMachine(...own.asUser(cli, ['virsh', '-q', '-c', 'qemu:///session', ...words]))

    test('has clients that get out by the router alone, and never to the loopback', async () => {
      const said = await cli.ok(['console', 'client', '--silence', '8'], TRIES)
      assert.match(said, WAY_OUT)
      assert.doesNotMatch(said, /127\.0\.0\.1/)
      assert.ok(
        frames.some(({ place, bytes }) => place === 'to-world' && goesTo(bytes, SERVER)),
        'its page is seen on the cable',
      )
      const leaks = frames.filter(({ bytes }) => comesFrom(bytes, client) || goesTo(bytes, client))
      assert.deepEqual(
        leaks.map(({ bytes }) => bytes.toString('hex')),
        [],
      )
      assert.doesNotMatch(await onMachine('ip', '-o', 'link'), /vmp-|vnet/)
    })

    test('has LANs that this user can join, as status says, and no other', async () => {
      const join16 = ['/usr/bin/python3', join(SUPPORT, 'lan-joiner.py'), lan, '2']
      const heard = await onMachine(...own.asUser(cli, join16))
      assert.match(heard, /^020000000099[0-9a-f]+08060001080006040002/m) // the router's answer
      const other = await onMachine('setpriv', '--reuid=60002', '--regid=60002', '--clear-groups', ...join16)
      assert.match(other, /PermissionError/)
      const said = await cli.ok(['status'])
      assert.match(said + (await cli.run(['net', 'list'])).stderr, /hear and reach each other/)
    })

    test('cuts a client off by its router’s link, and refuses what needs more than a socket', async () => {
      await cli.ok(['router', 'panic'])
      const card =
        /<interface type='udp'>\s*<mac address='([^']+)'/.exec(await virsh('dumpxml', 'router-uni'))?.[1] ?? ''
      assert.match(await virsh('domif-getlink', 'router-uni', card), /down/)
      const said = await cli.ok(['console', 'client', '--silence', '4'], `timeout 3 fetch http://${SERVER}:8080/\n`)
      assert.doesNotMatch(said, /you came from/)
      await cli.ok(['router', 'panic', '--lift'])
      for (const words of [
        ['port-forward', 'add', 'client', 'tcp/80:80'],
        ['net', 'move', 'client', 'router-uni'],
        ['vpn-server', 'init', '--endpoint', '198.51.100.9'],
      ]) {
        const { status, stderr } = await cli.run(words)
        assert.equal(status, 100)
        assert.match(stderr, /HOST_UNSUPPORTED/)
      }
    })

    test('leaves nothing', async () => {
      await cli.ok(['stop', 'client'])
      await cli.ok(['remove', '-y', 'router-uni'])
      for (let tries = 0; (await ownersOfGuests()) !== ''; tries++) {
        assert.ok(tries < 20, 'a guest outlives its removal')
        await wait(250)
      }
      assert.equal(await virsh('list', '--all', '--name'), '')
      assert.equal(await virsh('net-list', '--all', '--name'), '')
      assert.match(await onMachine('ls', lan), /No such file/)
    })
  })
})
