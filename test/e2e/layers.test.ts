/**
 * Three layers, end to end, with nothing replaced: router-uni, router-gal behind it, router-sol behind that, clients of both,
 * a real OpenVPN server on the uplink and a Tor network of our own behind it. What a client asks for comes from inside the
 * tunnel, or from an exit of Tor that is reached inside it, and never leaves router-uni in the clear.
 */
import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { type Cli, makeCli } from '../support/cli.ts'
import { publishTemplates } from '../support/publish-templates.ts'
import {
  comesFrom,
  ENDPOINT,
  type Frame,
  fromClient,
  goesTo,
  hearFrames,
  isAllowed,
  isIpv4,
  macOf,
  makeVpn,
  OR_PORT,
  RELAYS,
  SERVER,
  startInside,
  TAP,
  TUN,
  torNetwork,
  VPN_SERVER,
  WEB,
  WEB_NAME,
  WORLD,
} from '../support/vpn-site.ts'

const TOP = join(import.meta.dirname, '..', '..')
const INSIDE = '10.9.0.2'
/** Card, source, target, port, protocol, and whether it may reach the tap. */
type HandMade = readonly [string, string, string, string, 'udp' | 'tcp', boolean]

/** A UDP packet or the first of TCP, sent from a bridge: interface, target and source MAC, source and target, port, payload. */
const PROBE = `
import socket, struct, sys
name, to, own, source, target, port, token, kind = sys.argv[1:]
mac = lambda text: bytes.fromhex(text.replace(':', ''))
def total(data):
    words = sum(struct.unpack('>%dH' % (len(data) // 2), data))
    words = (words >> 16) + (words & 0xffff)
    return ~(words + (words >> 16)) & 0xffff
ends = socket.inet_aton(source) + socket.inet_aton(target)
if kind == 'udp':
    part = struct.pack('>HHHH', 40000, int(port), 8 + len(token), 0) + token.encode()
else:
    part = struct.pack('>HHIIBBHHH', 40000, int(port), 1, 0, 0x50, 2, 64240, 0, 0) + token.encode()
    check = total(ends + struct.pack('>HH', 6, len(part)) + part)
    part = part[:16] + struct.pack('>H', check) + part[18:]
head = struct.pack('>BBHHHBBH', 0x45, 0, 20 + len(part), 7, 0x4000, 64, 17 if kind == 'udp' else 6, 0) + ends
head = head[:10] + struct.pack('>H', total(head)) + head[12:]
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((name, 0))
for _ in range(3): out.send(mac(to) + mac(own) + b'\\x08\\x00' + head + part)
`

describe('clients behind a VPN, and behind Tor behind that', {
  timeout: 1_800_000,
  skip: !existsSync('/usr/sbin/openvpn') || !existsSync('/usr/bin/tor'),
}, () => {
  let cli: Cli
  const inside: ChildProcessWithoutNullStreams[] = []
  const frames: Frame[] = []
  let vpn: ChildProcessWithoutNullStreams
  /** Comes up while the first routers do. */
  let relays: Promise<ChildProcessWithoutNullStreams>
  let client = ''
  /** The client behind Tor. */
  let deep = ''
  let profile = ''
  let connection = ''
  const at = (...parts: string[]): string => join(cli.folder, ...parts)

  /** Ends with its standard input. */
  const start = async (sign: RegExp, ...words: string[]): Promise<ChildProcessWithoutNullStreams> => {
    const child = await startInside(cli, 'e2e', sign, words)
    inside.push(child)
    return child
  }

  const say = async (router: string, what: 'tunnel' | 'tor'): Promise<{ readonly state: string } | undefined> => {
    const { machines } = (await cli.json(['status', router])) as { machines: Record<string, unknown>[] }
    return machines[0]?.[what] as { readonly state: string } | undefined
  }

  const until = async (router: string, what: 'tunnel' | 'tor', state: string): Promise<void> => {
    for (let tries = 0; tries < 60; tries++) {
      if ((await say(router, what))?.state === state) return
      await wait(2000)
    }
    const said = JSON.stringify(await say(router, what))
    assert.fail(`${router} never was ${state}: ${said}\n${await cli.ok(['logs', router])}`)
  }

  /** Frames from router-uni's WAN that are neither ARP, nor its DHCP, nor the tunnel's. */
  const strangers = (since: number): readonly string[] =>
    frames
      .slice(since)
      .filter(({ place, bytes }) => place === 'vmp-uplink' && !comesFrom(bytes, ENDPOINT) && !isAllowed(bytes))
      .map(({ bytes }) => bytes.toString('hex'))

  before(async () => {
    cli = await makeCli()
    await publishTemplates(cli, ['router-uni', 'router-gal', 'router-sol', 'app-console'])
    await cli.ok(['host', 'private', 'start', 'e2e'])
    connection = String((await cli.json(['status']))['connection'])
    relays = start(/^ready/m, ...torNetwork(at('tor')))
    relays.catch(() => {}) // whoever waits for it hears of it
  })

  after(async () => {
    for (const child of inside) child.stdin.end()
    await cli.close()
  })

  const uniRules = async (): Promise<{ recorded: readonly string[]; text: string }> => {
    const dump = (...more: readonly string[]): string =>
      execFileSync('virsh', ['-c', connection, 'dumpxml', 'router-uni', ...more], { encoding: 'utf8' })
    const recorded = [dump(), dump('--inactive')].map((xml) => / rules="([0-9a-f]{64})"/.exec(xml)?.[1] ?? '')
    return { recorded, text: await guestFile('router-uni') }
  }

  const guestFile = async (router: string, file = 'nftables.nft'): Promise<string> => {
    const { documents } = (await cli.json(['render', router, '--guest'])) as {
      documents: { name: string; text: string }[]
    }
    return documents.find(({ name }) => name === file)?.text ?? ''
  }

  const factOf = (machine: string, name: string): string => {
    const xml = execFileSync('virsh', ['-c', connection, 'dumpxml', machine, '--inactive'], { encoding: 'utf8' })
    return new RegExp(` ${name}="([^"]+)"`).exec(xml)?.[1] ?? ''
  }

  /** Each probe is seen at the tap or not, as it says. */
  const hold = async (bridge: string, tap: string, above: string, probes: readonly HandMade[]): Promise<void> => {
    const since = frames.length
    const seen: boolean[] = []
    for (const [card, source, target, port, protocol] of probes) {
      const token = randomBytes(16).toString('hex')
      const words = ['python3', '-c', PROBE, bridge, above, card, source, target, port, token, protocol]
      await cli.ok(['host', 'private', 'shell', 'e2e', '--', ...words])
      await wait(1500)
      seen.push(frames.slice(since).some(({ place, bytes }) => place === tap && bytes.includes(token)))
    }
    assert.deepEqual(
      seen,
      probes.map((probe) => probe[5]),
    )
  }

  /** Out of the tunnel: what is no TCP of router-gal's address to a relay. */
  const beyondRelays = (since: number): readonly string[] =>
    frames
      .slice(since)
      .filter(({ place, bytes }) => place === TUN && !toRelay(bytes, INSIDE))
      .map(({ bytes }) => bytes.toString('hex'))

  /** What Tor makes of that configuration in the network of the test, beside the guest. */
  const circuits = async (base: string, torrc: string): Promise<Record<string, unknown>> => {
    const folder = at(`tor-${base}`)
    await mkdir(folder, { mode: 0o700 })
    const text = torrc
      .replace(/^OutboundBindAddress .*$/m, '')
      .replaceAll('10.3.3.', `${base}.`)
      .replaceAll('/run/tor', folder)
    await writeFile(join(folder, 'torrc'), text)
    const script = join(TOP, 'test', 'support', 'tor-circuits.py')
    const targets = [`${base}.1:9050`, `${WEB}:8080`, `${RELAYS[0]}:53`]
    const words = [...WORLD, WEB, 'python3', script, join(folder, 'torrc'), join(folder, 'control'), ...targets]
    const said = await cli.ok(['host', 'private', 'shell', 'e2e', '--', ...words])
    return JSON.parse(said.slice(said.lastIndexOf('{'))) as Record<string, unknown>
  }

  const statusOf = async (): Promise<readonly unknown[]> => {
    const { machines } = (await cli.json(['status'])) as { machines: Record<string, unknown>[] }
    return machines.map(({ name, rules, lanLink }) => ({ name, rules, lanLink }))
  }

  test('a change of the router above that is killed after the guest took it is taken back, the guest’s rules too', async () => {
    profile = await makeVpn(at('vpn'))
    await cli.ok(['install', '-y', '--grant', 'network', 'router-uni'])
    const old = await uniRules()
    const install = cli.start(['install', '-y', 'router-gal', '--set', `vpn=${profile}`], '')
    install.onLine((line) => /lets through for router-gal/.test(line) && install.kill('SIGKILL'))
    assert.equal((await install.done).status, 128)
    const widened = await uniRules()
    assert.equal(new Set(widened.recorded).size, 1)
    assert.notEqual(widened.recorded[0], old.recorded[0])
    await cli.ok(['gc'])
    assert.deepEqual(await uniRules(), old)
    assert.deepEqual(await statusOf(), [{ name: 'router-uni', rules: 'attested', lanLink: 'up' }])
  })

  test('the router above lets it reach its server before it starts', async () => {
    const server = [...WORLD, ENDPOINT, 'sh', '-c', VPN_SERVER, 'sh', at('vpn', 'server.conf')]
    vpn = await start(/Initialization Sequence Completed/, ...server)
    while (!existsSync(at('tor', 'network'))) await wait(200)
    const files = [`router-gal:vpn=${profile}`, `router-gal:tor=${at('tor', 'network')}`]
    await cli.ok(['install', '-y', 'router-gal', 'app-console', ...files.flatMap((one) => ['--set', one])])
    assert.deepEqual(await statusOf(), [
      { name: 'router-gal', rules: 'attested', lanLink: 'up' },
      { name: 'router-uni', rules: 'attested', lanLink: 'up' },
    ])
    assert.match((await uniRules()).text, new RegExp(`daddr ${ENDPOINT} udp dport 1194 accept`))
    await until('router-gal', 'tunnel', 'up')
  })

  test('the client gets a page from inside the tunnel, and the server sees the tunnel’s address', async () => {
    for (const place of [[], [...WORLD, ENDPOINT]]) {
      hearFrames(await start(/ready/, ...place, 'python3', '-c', TAP), frames)
    }
    await start(/listening/, process.execPath, join(TOP, 'test', 'support', 'uplink-server.ts'), SERVER, '8080')
    const { net, address } = await cli.json([
      'clone',
      'app-console',
      '--name',
      'client',
      '--net',
      'gal0',
      '--ephemeral',
      '--wait',
    ])
    assert.equal(net, 'gal0')
    assert.match(String(address), /^10\.2\.2\.\d+$/)
    client = String(address)
    const said = await cli.ok(['console', 'client', '--silence', '15'], `fetch http://${SERVER}:8080/\n`)
    assert.match(said, /you came from (?:::ffff:)?10\.9\.0\.2/, said)
    assert.ok(frames.some(fromClient(client, SERVER)), 'seen at its source')
    assert.ok(
      frames.some(({ place, bytes }) => place === 'vmp-uplink' && goesTo(bytes, ENDPOINT)),
      'the tunnel is seen',
    )
    assert.deepEqual(strangers(0), [])
  })

  test('router-gal reads the consensus, lets router-sol reach the relays in it, and router-sol joins their network', async () => {
    await relays
    await cli.ok(['install', '-y', 'router-sol', '--set', `router-sol:tor=${at('tor', 'network')}`])
    const rules = await guestFile('router-gal')
    assert.match(rules, /ip saddr 10\.2\.2\.2 ip daddr \. tcp dport @relays accept/)
    for (const relay of RELAYS) assert.doesNotMatch(rules, new RegExp(relay))
    const { machines } = (await cli.json(['status', 'router-sol'])) as { machines: Record<string, unknown>[] }
    const [{ rules: attested, lanLink, ready } = {}] = machines
    assert.deepEqual({ attested, lanLink, ready }, { attested: 'attested', lanLink: 'up', ready: 'yes' })
    await until('router-sol', 'tor', 'up')
    // A consensus of this network is good for a minute, and a new one may be a moment late.
    let count: number | undefined
    for (let tries = 0; tries < 30 && count !== RELAYS.length; tries++) {
      if (tries > 0) await wait(2000)
      const above = (await cli.json(['status', 'router-gal'])) as { machines: { relays?: { count: number } }[] }
      count = above.machines[0]?.relays?.count
    }
    assert.equal(count, RELAYS.length)
  })

  test('its client gets a page from an exit, by a name that Tor looked up; all else that it sends ends there', async () => {
    const since = frames.length
    await start(/listening/, process.execPath, join(TOP, 'test', 'support', 'uplink-server.ts'), WEB, '8080')
    const made = await cli.json(['clone', 'app-console', '--name', 'deep', '--net', 'sol0', '--ephemeral', '--wait'])
    deep = String(made['address'])
    assert.match(deep, /^10\.3\.3\.\d+$/)
    const udp = "IO::Socket::INET->new(PeerAddr=>'198.51.100.20',PeerPort=>123,Proto=>'udp')->send('x')"
    const tries = [
      `ping -c 2 -w 3 ${WEB}`,
      `perl -MIO::Socket::INET -e "${udp}"`,
      `nslookup ${WEB_NAME} ${ENDPOINT}`,
      `nslookup ${'a'.repeat(56)}.onion`,
      `fetch http://${WEB_NAME}:8080/`,
    ]
    const said = await cli.ok(['console', 'deep', '--silence', '15'], `${tries.join('\n')}\n`)
    const from = /you came from (?:::ffff:)?([\d.]+)/.exec(said)?.[1] ?? ''
    assert.ok(
      RELAYS.some((exit) => exit === from),
      said,
    )
    assert.match(said, /Address(?: 1)?:\s+198\.1[89]\.\d+\.\d+/, said)
    assert.match(readFileSync(at('tor', 'names.log'), 'utf8'), new RegExp(`query\\[A\\] ${WEB_NAME} `, 'i'))
    for (const target of [WEB, ENDPOINT])
      assert.ok(frames.some(fromClient(deep, target)), `${target} seen at its source`)
    assert.deepEqual(strangers(since), [])
    assert.deepEqual(beyondRelays(since), [])
    assert.ok(
      frames.slice(since).some(({ place, bytes }) => place === TUN && toRelay(bytes, INSIDE)),
      'relays are seen',
    )
    const card = factOf('router-sol', 'wanMac')
    const own = frames.slice(since).filter(({ place, bytes }) => place !== 'vmp-uplink' && macOf(bytes) === card)
    assert.ok(own.length > 0)
    const others = own.filter(({ bytes }) => bytes.readUInt16BE(12) !== 0x0806 && !toRelay(bytes, '10.2.2.2'))
    assert.deepEqual(
      others.map(({ bytes }) => bytes.toString('hex')),
      [],
    )
    const network = await relays
    network.stdin.write('leave\n') // seen to further down
  })

  test('new circuits are made when they are asked for, and not twice in ten seconds', async () => {
    const { router, tor } = await cli.json(['router', 'newnym'])
    assert.equal(router, 'router-sol')
    assert.equal((tor as { state: string }).state, 'up')
    const { status, stderr } = await cli.run(['router', 'newnym', 'router-sol'])
    assert.equal(status, 100)
    assert.match(stderr, /less than ten seconds ago/)
    const wrong = await cli.run(['router', 'newnym', 'router-gal'])
    assert.equal(wrong.status, 2)
  })

  test('with its configuration clients and targets have circuits of their own, and new ones when asked for', async () => {
    const torrc = await guestFile('router-sol', 'torrc')
    const [apart, together] = await Promise.all([
      circuits('127.3.3', torrc),
      circuits('127.3.4', withoutIsolation(torrc)),
    ])
    assert.equal(apart['again'], apart['first'])
    assert.equal(new Set([apart['first'], apart['client'], apart['target'], apart['renewed']]).size, 4)
    assert.ok(Number(apart['seconds']) < 1)
    assert.equal(new Set([together['first'], together['again'], together['client'], together['target']]).size, 1)
    assert.notEqual(together['renewed'], together['first'])
  })

  test('frames in the name of router-sol reach its relays through the tunnel, and nothing else', async () => {
    const [above, own, address] = [factOf('router-gal', 'lanMac'), factOf('router-sol', 'wanMac'), '10.2.2.2']
    const other = '02:00:00:00:00:99'
    const [relay] = RELAYS
    await hold('vmp-gal0', TUN, above, [
      [own, address, relay, `${OR_PORT}`, 'tcp', true],
      [own, address, relay, `${OR_PORT}`, 'udp', false],
      [own, address, relay, '7001', 'tcp', false],
      [own, address, WEB, '8080', 'tcp', false],
      [own, address, SERVER, '53', 'udp', false],
      [other, address, relay, `${OR_PORT}`, 'tcp', false],
      [other, '10.2.2.78', WEB, '8080', 'tcp', true],
    ])
  })

  test('a relay that the consensus no longer names is closed for router-sol, and for nobody else', async () => {
    const { machines } = await waitFor(
      async () => (await cli.json(['status', 'router-gal'])) as { machines: { relays?: { count: number } }[] },
      ({ machines: [gal] }) => gal?.relays?.count === RELAYS.length - 1,
    )
    assert.equal(machines[0]?.relays?.count, RELAYS.length - 1, 'the consensus names one less')
    const [above, own] = [factOf('router-gal', 'lanMac'), factOf('router-sol', 'wanMac')]
    const [stays, , , left] = RELAYS
    await hold('vmp-gal0', TUN, above, [
      [own, '10.2.2.2', stays, `${OR_PORT}`, 'tcp', true],
      [own, '10.2.2.2', left, `${OR_PORT}`, 'tcp', false],
      ['02:00:00:00:00:99', '10.2.2.79', left, `${OR_PORT}`, 'tcp', true],
    ])
  })

  test('without the tunnel nothing of the clients is seen beyond the router, however they try', async () => {
    const since = frames.length
    vpn.stdin.end()
    await until('router-gal', 'tunnel', 'connecting')
    const tries = [
      `fetch http://${SERVER}:8080/`,
      `fetch http://${ENDPOINT}:8080/`,
      `nslookup example.org ${ENDPOINT}`,
      `ping -c 2 -w 4 ${ENDPOINT}`,
    ]
    let said = ''
    for (const one of tries) said += await cli.ok(['console', 'client', '--silence', '8'], `${one}\n`)
    said += await cli.ok(['console', 'deep', '--silence', '8'], `fetch http://${WEB}:8080/\n`)
    assert.doesNotMatch(said, /you came from/)
    assert.ok(frames.slice(since).some(fromClient(client, ENDPOINT)), 'seen at its source')
    assert.ok(frames.slice(since).some(fromClient(deep, WEB)), 'seen at its source, behind Tor')
    assert.deepEqual(strangers(since), [])
  })

  test('a hostile router in its place reaches its endpoint through the router above, and nothing else', async () => {
    await cli.ok(['stop', 'client', 'deep', 'router-sol', 'router-gal'])
    const [above, own, address] = [
      factOf('router-uni', 'lanMac'),
      factOf('router-gal', 'wanMac'),
      factOf('router-gal', 'wanAddress'),
    ]
    const other = '02:00:00:00:00:99'
    await hold('vmp-uni0', 'vmp-uplink', above, [
      [own, address, ENDPOINT, '1194', 'udp', true],
      [own, address, ENDPOINT, '8080', 'udp', false],
      [own, address, ENDPOINT, '1195', 'udp', false],
      [own, address, '198.51.100.2', '1194', 'udp', false],
      [own, '10.1.1.77', ENDPOINT, '8080', 'udp', false],
      [other, address, ENDPOINT, '1194', 'udp', false],
      [other, '10.1.1.78', ENDPOINT, '8080', 'udp', true],
    ])
    await cli.ok(['start', 'router-gal'])
  })

  test('the router above is not stopped under it, and both stop in order', async () => {
    const { status, stderr } = await cli.run(['stop', 'router-uni'])
    assert.equal(status, 100)
    assert.match(stderr, /router-gal runs behind router-uni/)
    assert.match(await cli.ok(['stop', '--cascade', 'router-uni']), /Stopped router-gal\s+Stopped router-uni/)
  })
})

/** Asks every two seconds, two minutes long. */
async function waitFor<T>(ask: () => Promise<T>, isDone: (said: T) => boolean): Promise<T> {
  for (let tries = 0; tries < 60; tries++) {
    const said = await ask()
    if (isDone(said)) return said
    await wait(2000)
  }
  return ask()
}

function isTcp(frame: Buffer): boolean {
  return isIpv4(frame) && frame[23] === 6
}

function toRelay(frame: Buffer, source: string): boolean {
  const isThere = isTcp(frame) && frame.readUInt16BE(36) === OR_PORT && comesFrom(frame, source)
  return isThere && RELAYS.some((relay) => goesTo(frame, relay))
}

function withoutIsolation(torrc: string): string {
  return torrc.replaceAll(/ Isolate\w+/g, '').replaceAll(/^(?:Socks|Trans|DNS)Port .*$/gm, '$& NoIsolateClientAddr')
}
