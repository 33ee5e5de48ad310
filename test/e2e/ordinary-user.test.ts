/**
 * Routers without root: everything that touches libvirt is run by an ordinary user of a machine that the test made
 * (`user-machine.ts`), on a private host whose only way out is slirp4netns. Real guests, and a server beyond that machine.
 */
import assert from 'node:assert/strict'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
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
/** Out, to the machine's loopback, and to the machine by an address of its own that a LAN does not have. */
const TRIES = `fetch http://${SERVER}:8080/\ntimeout 3 fetch http://${LOOPBACK}:8081/\n`

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
    onMachine('sh', '-c', "stat -c %u $(grep -lzs '^guest=' /proc/[0-9]*/cmdline) | sort -u")

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
      const said = await cli.ok(['console', 'client', '--silence', '6'], TRIES)
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
})
