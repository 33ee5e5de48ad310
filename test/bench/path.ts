/**
 * What a client behind three routers gets: the time of a request and of a download through Tor inside a VPN, against the same
 * chain in plain network namespaces with the same rules, tunnel and Tor configuration (`plain-chain.sh`). Both go to the same
 * servers, one after the other; the same program asks, and the time that it takes to start is taken off.
 */
import { execFileSync } from 'node:child_process'
import { chmod, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Cli } from '../support/cli.ts'
import { ENDPOINT, OR_PORT, RELAYS, WEB } from '../support/vpn-site.ts'
import { makeChain } from './chain-site.ts'
import { untilAnswered } from './layers.ts'
import { formatTable, type Report } from './measure.ts'

const TOP = join(import.meta.dirname, '..', '..')
const HOST = 'bench-path'
const FETCH = join(TOP, 'templates', 'app-console', 'image', 'usr', 'bin', 'fetch')
const REQUESTS = 20
const BYTES = 2 * 1024 ** 2
const INSIDE = '10.9.0.2'
const LEASE = `#!/bin/sh
[ "$1" = bound ] || exit 0
ip address add "$ip/$mask" dev wan
ip route add default via "$router"
`

interface Figures {
  /** Milliseconds of one request, without its program's start. */
  readonly request: number
  /** MiB a second. */
  readonly speed: number
}

export async function measurePath(): Promise<Report> {
  const { cli, profile, close } = await makeChain(HOST)
  try {
    await cli.ok(['start', 'router-sol', 'client'])
    await untilAnswered(cli)
    const said = await cli.ok(['console', 'client', '--silence', '120'], `${measureWith('fetch')}exit\n`)
    const guests = figuresOf(said)
    await cli.ok(['stop', 'client', 'router-sol', 'router-gal', 'router-uni'])
    const plain = await measurePlain(cli, profile)
    const row = (name: string, { request, speed }: Figures): readonly string[] => [
      name,
      `${request.toFixed(0)} ms`,
      `${speed.toFixed(2)} MiB/s`,
    ]
    const ratio = [
      'guests against namespaces',
      (guests.request / plain.request).toFixed(1),
      (guests.speed / plain.speed).toFixed(2),
    ]
    return {
      title: 'A client’s way through three routers',
      about:
        `${REQUESTS} requests in turn, each a new connection, and a download of ${BYTES / 1024 ** 2} MiB, by Tor (three hops, all of them ` +
        'on this machine) inside an OpenVPN tunnel. Guests run with TCG where KVM does not work, which makes every packet dear: the namespaces have the same rule files, ' +
        'OpenVPN profile and torrc on this machine’s own processors.',
      table: formatTable(
        ['', 'a request', 'a download'],
        [row('four guests', guests), row('plain namespaces', plain), ratio],
      ),
    }
  } finally {
    await close()
  }
}

/** Times are of the kernel that runs it. */
function measureWith(fetch: string): string {
  const loop = (words: string): string =>
    `i=0; while [ $i -lt ${REQUESTS} ]; do ${words} >/dev/null 2>&1; i=$((i+1)); done; read -r at rest </proc/uptime; echo "at $at"\n`
  return [
    'read -r at rest </proc/uptime; echo "at $at"\n',
    loop(fetch),
    loop(`${fetch} http://${WEB}:8080/`),
    `${fetch} http://${WEB}:8080/bytes/${BYTES} 2>/dev/null | wc -c; read -r at rest </proc/uptime; echo "at $at"\n`,
  ].join('')
}

function figuresOf(said: string): Figures {
  const [begun = 0, started = 0, asked = 0, fetched = 0] = [...said.matchAll(/^at ([\d.]+)\r?$/gm)].map(([, at]) =>
    Number(at),
  )
  if (!said.includes(`${BYTES}`) || fetched <= asked) throw new Error(`not everything was fetched: ${said.slice(-500)}`)
  const start = (started - begun) / REQUESTS
  return {
    request: ((asked - started) / REQUESTS - start) * 1000,
    speed: BYTES / 1024 ** 2 / (fetched - asked - start),
  }
}

async function measurePlain(cli: Cli, profile: string): Promise<Figures> {
  const folder = join(cli.folder, 'plain')
  await mkdir(folder)
  const write = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text, { mode: 0o644 })
  const connection = String((await cli.json(['status']))['connection'])
  const macs: string[] = []
  for (const layer of ['uni', 'gal', 'sol']) {
    const router = `router-${layer}`
    const { documents } = (await cli.json(['render', router, '--guest'])) as {
      documents: { name: string; text: string }[]
    }
    const text = (name: string): string => documents.find((one) => one.name === name)?.text ?? ''
    await write(`${layer}.nft`, text('nftables.nft'))
    await write(`${layer}.env`, text('vmpkg.env'))
    if (layer === 'sol') await write('torrc', text('torrc'))
    const xml = execFileSync('virsh', ['-c', connection, 'dumpxml', router, '--inactive'], { encoding: 'utf8' })
    const lan = / lanMac="([^"]+)"/.exec(xml)?.[1] ?? ''
    const wan = [...xml.matchAll(/<mac address='([^']+)'/g)].map(([, mac]) => mac).find((mac) => mac !== lan)
    macs.push(`${layer} ${wan} ${lan}`)
  }
  await write('macs', `${macs.join('\n')}\n`)
  await write('vpn.conf', await readFile(profile, 'utf8'))
  await write('relays', RELAYS.map((relay) => `${relay} . ${OR_PORT} timeout 1h`).join(', '))
  await write('inside', INSIDE)
  await write('endpoint', ENDPOINT)
  await copyFile(FETCH, join(folder, 'fetch'))
  await write('measure', measureWith(`perl ${join(folder, 'fetch')}`))
  await write('lease', LEASE)
  await chmod(join(folder, 'lease'), 0o755)
  const words = ['sh', join(TOP, 'test', 'support', 'plain-chain.sh'), folder, 'vmp-uplink']
  return figuresOf(await cli.ok(['host', 'private', 'shell', HOST, '--', ...words]))
}
