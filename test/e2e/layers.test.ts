/**
 * Two layers, end to end, with nothing replaced: router-uni, router-gal behind it, a client behind that, and a real OpenVPN
 * server on the uplink. What the client asks for comes from inside the tunnel, and never leaves router-uni in the clear.
 */
import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { type Cli, makeCli } from '../support/cli.ts'

const TOP = join(import.meta.dirname, '..', '..')
const ENDPOINT = '198.51.100.1'
/** Inside the tunnel. */
const SERVER = '10.9.0.1'
const TUNNEL_MTU = 1400

/** A frame as the tap writes it: interface, then hexadecimal digits. What guests say to each other is on their own taps. */
interface Frame {
  readonly place: string
  readonly bytes: Buffer
}

const TAP = `
import select, socket, sys
taps = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
print('ready', flush=True)
while True:
    ready, _, _ = select.select([taps, sys.stdin], [], [])
    if sys.stdin in ready: break
    frame, place = taps.recvfrom(65535)
    if place[0] == 'vmp-uplink' or place[0].startswith('vnet'): print(place[0], frame.hex(), flush=True)
`

/** One UDP packet over Ethernet, sent from a bridge: interface, target and source MAC, source and target, port, payload. */
const PROBE = `
import socket, struct, sys
name, to, own, source, target, port, token = sys.argv[1:]
mac = lambda text: bytes.fromhex(text.replace(':', ''))
def total(data):
    words = sum(struct.unpack('>%dH' % (len(data) // 2), data))
    words = (words >> 16) + (words & 0xffff)
    return ~(words + (words >> 16)) & 0xffff
udp = struct.pack('>HHHH', 40000, int(port), 8 + len(token), 0) + token.encode()
head = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 7, 0x4000, 64, 17, 0, socket.inet_aton(source), socket.inet_aton(target))
head = head[:10] + struct.pack('>H', total(head)) + head[12:]
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((name, 0))
for _ in range(3): out.send(mac(to) + mac(own) + b'\\x08\\x00' + head + udp)
`

describe('a client behind a VPN behind a router', {
  timeout: 1_800_000,
  skip: !existsSync('/usr/sbin/openvpn'),
}, () => {
  let cli: Cli
  const inside: ChildProcessWithoutNullStreams[] = []
  const frames: Frame[] = []
  let vpn: ChildProcessWithoutNullStreams
  let client = ''
  let profile = ''
  const at = (...parts: string[]): string => join(cli.folder, ...parts)

  /** A process in the private host's namespaces, which ends with its standard input. */
  const start = async (sign: RegExp, ...words: string[]): Promise<ChildProcessWithoutNullStreams> => {
    const bin = join(TOP, 'src', 'bin.ts')
    const child = spawn(process.execPath, [bin, 'host', 'private', 'shell', 'e2e', '--', ...words], { env: cli.env })
    inside.push(child)
    let said = ''
    await new Promise<void>((resolve, reject) => {
      const hear = (chunk: Buffer): void => {
        said += chunk.toString()
        if (sign.test(said)) resolve()
      }
      child.stdout.on('data', hear)
      child.stderr.on('data', hear)
      child.once('exit', () => reject(new Error(`${words.join(' ')} ended: ${said}`)))
    })
    return child
  }

  const tunnel = async (): Promise<unknown> => {
    const { machines } = (await cli.json(['status', 'router-gal'])) as { machines: Record<string, unknown>[] }
    return machines[0]?.['tunnel']
  }

  const untilTunnel = async (state: string): Promise<void> => {
    for (let tries = 0; tries < 60; tries++) {
      if (((await tunnel()) as { state: string } | undefined)?.state === state) return
      await wait(2000)
    }
    assert.fail(
      `the tunnel never was ${state}: ${JSON.stringify(await tunnel())}\n${await cli.ok(['logs', 'router-gal'])}`,
    )
  }

  /** Frames from router-uni's WAN that are neither ARP, nor its DHCP, nor the tunnel's. */
  const strangers = (since: number): readonly string[] =>
    frames
      .slice(since)
      .filter(({ place, bytes }) => place === 'vmp-uplink' && !comesFrom(bytes, ENDPOINT) && !isAllowed(bytes))
      .map(({ bytes }) => bytes.toString('hex'))

  before(async () => {
    cli = await makeCli()
    for (const name of ['root', 'publisher', 'promoter', 'timestamp']) {
      await cli.ok(['key', 'generate', name, '--keys', at('keys'), '--no-passphrase'])
    }
    const roles = ['--publisher', 'publisher=*', '--promoter', 'promoter', '--timestamp', 'timestamp']
    const roots = ['--root-key', 'root', '--threshold', '1']
    await cli.ok(['repo', 'init', at('registry'), '--keys', at('keys'), ...roots, ...roles])
    const templates = ['router-uni', 'router-gal', 'app-console'].map((name) => join(TOP, 'templates', name))
    await cli.ok(['build', ...templates, '--out', at('built')])
    const built = (await readdir(at('built'))).map((name) => at('built', name))
    await cli.ok(['publish', at('registry'), ...built, '--keys', at('keys')])
    await cli.ok(['source', 'add', 'example', at('registry'), '--root-file', at('registry', 'root', '1.json')])
    await cli.ok(['update'])
    await cli.ok(['host', 'private', 'start', 'e2e'])
  })

  after(async () => {
    for (const child of inside) child.stdin.end()
    await cli.close()
  })

  const uniRules = async (): Promise<{ recorded: readonly string[]; text: string }> => {
    const { connection } = await cli.json(['status'])
    const dump = (...more: readonly string[]): string =>
      execFileSync('virsh', ['-c', String(connection), 'dumpxml', 'router-uni', ...more], { encoding: 'utf8' })
    const recorded = [dump(), dump('--inactive')].map((xml) => / rules="([0-9a-f]{64})"/.exec(xml)?.[1] ?? '')
    const { documents } = (await cli.json(['render', 'router-uni', '--guest'])) as {
      documents: { name: string; text: string }[]
    }
    return { recorded, text: documents.find(({ name }) => name === 'nftables.nft')?.text ?? '' }
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
    const world = join(TOP, 'test', 'support', 'outside-world.sh')
    const server = ['sh', world, ENDPOINT, 'sh', '-c', VPN_SERVER, 'sh', at('vpn', 'server.conf')]
    vpn = await start(/Initialization Sequence Completed/, ...server)
    await cli.ok(['install', '-y', 'router-gal', 'app-console', '--set', `router-gal:vpn=${profile}`])
    assert.deepEqual(await statusOf(), [
      { name: 'router-gal', rules: 'attested', lanLink: 'up' },
      { name: 'router-uni', rules: 'attested', lanLink: 'up' },
    ])
    assert.match((await uniRules()).text, new RegExp(`daddr ${ENDPOINT} udp dport 1194 accept`))
    await untilTunnel('up')
  })

  test('the client gets a page from inside the tunnel, and the server sees the tunnel’s address', async () => {
    await start(/ready/, 'python3', '-c', TAP).then((tap) => hearFrames(tap, frames))
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

  test('without the tunnel nothing of the client is seen beyond the router, however it tries', async () => {
    const since = frames.length
    vpn.stdin.end()
    await untilTunnel('connecting')
    const tries = [
      `fetch http://${SERVER}:8080/`,
      `fetch http://${ENDPOINT}:8080/`,
      `nslookup example.org ${ENDPOINT}`,
      `ping -c 2 -w 4 ${ENDPOINT}`,
    ]
    let said = ''
    for (const one of tries) said += await cli.ok(['console', 'client', '--silence', '8'], `${one}\n`)
    assert.doesNotMatch(said, /you came from/)
    assert.ok(frames.slice(since).some(fromClient(client, ENDPOINT)), 'seen at its source')
    assert.deepEqual(strangers(since), [])
  })

  test('a hostile router in its place reaches its endpoint through the router above, and nothing else', async () => {
    await cli.ok(['stop', 'client', 'router-gal'])
    const { connection } = await cli.json(['status'])
    const fact = (machine: string, name: string): string => {
      const xml = execFileSync('virsh', ['-c', String(connection), 'dumpxml', machine, '--inactive'], {
        encoding: 'utf8',
      })
      return new RegExp(` ${name}="([^"]+)"`).exec(xml)?.[1] ?? ''
    }
    const [above, own, address] = [
      fact('router-uni', 'lanMac'),
      fact('router-gal', 'wanMac'),
      fact('router-gal', 'wanAddress'),
    ]
    const other = '02:00:00:00:00:99'
    /** Card, source, target, port, and whether it may reach the world. */
    const probes = [
      [own, address, ENDPOINT, '1194', true],
      [own, address, ENDPOINT, '8080', false],
      [own, address, ENDPOINT, '1195', false],
      [own, address, '198.51.100.2', '1194', false],
      [own, '10.1.1.77', ENDPOINT, '8080', false],
      [other, address, ENDPOINT, '1194', false],
      [other, '10.1.1.78', ENDPOINT, '8080', true],
    ] as const
    const since = frames.length
    const seen: boolean[] = []
    for (const [card, source, target, port] of probes) {
      const token = randomBytes(16).toString('hex')
      const words = ['python3', '-c', PROBE, 'vmp-uni0', above, card, source, target, port, token]
      await cli.ok(['host', 'private', 'shell', 'e2e', '--', ...words])
      await wait(1500)
      seen.push(frames.slice(since).some(({ place, bytes }) => place === 'vmp-uplink' && bytes.includes(token)))
    }
    assert.deepEqual(
      seen,
      probes.map((probe) => probe[4]),
    )
    await cli.ok(['start', 'router-gal'])
  })

  test('the router above is not stopped under it, and both stop in order', async () => {
    const { status, stderr } = await cli.run(['stop', 'router-uni'])
    assert.equal(status, 100)
    assert.match(stderr, /router-gal runs behind router-uni/)
    assert.match(await cli.ok(['stop', '--cascade', 'router-uni']), /Stopped router-gal\s+Stopped router-uni/)
  })
})

function hearFrames({ stdout }: ChildProcessWithoutNullStreams, frames: Frame[]): void {
  let rest = ''
  stdout.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const [place = '', hex = ''] = line.split(' ')
      frames.push({ place, bytes: Buffer.from(hex, 'hex') })
    }
  })
}

const isIpv4 = (frame: Buffer): boolean => frame.length >= 34 && frame.readUInt16BE(12) === 0x0800

function goesTo(frame: Buffer, address: string): boolean {
  return isIpv4(frame) && [...frame.subarray(30, 34)].join('.') === address
}

function comesFrom(frame: Buffer, address: string): boolean {
  return isIpv4(frame) && [...frame.subarray(26, 30)].join('.') === address
}

/** At the client's own card: a probe that never left proves nothing. */
function fromClient(client: string, target: string): (frame: Frame) => boolean {
  return ({ place, bytes }) => place !== 'vmp-uplink' && comesFrom(bytes, client) && goesTo(bytes, target)
}

/** ARP, DHCP of router-uni, and UDP to or from the endpoint's port. */
function isAllowed(frame: Buffer): boolean {
  if (frame.readUInt16BE(12) === 0x0806) return true
  if (!isIpv4(frame) || frame[23] !== 17) return false
  const ports = [frame.readUInt16BE(34), frame.readUInt16BE(36)]
  if (ports.every((port) => port === 67 || port === 68)) return true
  const addresses = [26, 30].map((start) => [...frame.subarray(start, start + 4)].join('.'))
  return addresses.includes(ENDPOINT) && ports.includes(1194)
}

/** Ends with its standard input. */
const VPN_SERVER = `
openvpn --config "$1" &
server=$!
cat >/dev/null
kill $server
wait
`

/** Keys of both sides, the server's configuration and the client's profile. @returns path of the profile */
async function makeVpn(folder: string): Promise<string> {
  await mkdir(folder)
  const own: Record<string, { key: string; certificate: string; print: string }> = {}
  for (const side of ['server', 'client']) {
    const [key, certificate] = [join(folder, `${side}.key`), join(folder, `${side}.crt`)]
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30']
    execFileSync('openssl', ['req', '-x509', ...curve, '-subj', `/CN=${side}`, '-keyout', key, '-out', certificate], {
      stdio: 'ignore',
    })
    const said = execFileSync('openssl', ['x509', '-in', certificate, '-noout', '-fingerprint', '-sha256']).toString()
    const [, print = ''] = /=(.*)/.exec(said) ?? []
    own[side] = { key: readFileSync(key, 'utf8'), certificate: readFileSync(certificate, 'utf8'), print }
  }
  const blocks = (side: string, other: string): string =>
    [
      `<peer-fingerprint>\n${own[other]?.print}\n</peer-fingerprint>`,
      `<cert>\n${own[side]?.certificate}</cert>`,
      `<key>\n${own[side]?.key}</key>\n`,
    ].join('\n')
  const server = [
    'dev tun9',
    'dev-type tun',
    'proto udp4',
    `local ${ENDPOINT}`,
    'port 1194',
    'topology subnet',
    'server 10.9.0.0 255.255.255.0',
    `push "dhcp-option DNS ${SERVER}"`,
    'push "redirect-gateway def1"',
    'keepalive 2 8',
    'dh none',
    `tun-mtu ${TUNNEL_MTU}`,
  ]
  await writeFile(join(folder, 'server.conf'), `${server.join('\n')}\n${blocks('server', 'client')}`, { mode: 0o600 })
  const profile = join(folder, 'home.ovpn')
  await writeFile(profile, `client\ndev tun\nremote ${ENDPOINT} 1194 udp\n${blocks('client', 'server')}`, {
    mode: 0o600,
  })
  return profile
}
