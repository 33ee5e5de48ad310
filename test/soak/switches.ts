/**
 * Changes under load, in a chain of real guests: router-uni, router-gal with two VPN profiles behind it, router-sol with a Tor
 * network of our own behind that, and a client of each of the last two that never stops trying to get out. The VPN is
 * switched, new circuits are asked for, rules of the first router are changed. Each time counts from the start of the command
 * until it says that the guest attested; all frames since the last change are judged.
 */
import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { type Cli, makeCli } from '../support/cli.ts'
import { publishTemplates } from '../support/publish-templates.ts'
import { Random } from '../support/random.ts'
import {
  ENDPOINT,
  type Frame,
  fromClient,
  goesTo,
  HOME_VPN,
  hearFrames,
  isAllowed,
  isIpv4,
  macOf,
  makeVpn,
  OR_PORT,
  RELAYS,
  startInside,
  TAP,
  torNetwork,
  VPN_SERVER,
  type VpnPlan,
  WEB,
  WORLD,
} from '../support/vpn-site.ts'

const TOP = join(import.meta.dirname, '..', '..')
const HOST = 'switches'
const PACKAGES = ['router-uni', 'router-gal', 'router-sol', 'app-console'] as const
const WORK_VPN: VpnPlan = { name: 'work', port: 1195, device: 'tun8', inside: '10.9.1' }
const VPNS = [HOME_VPN, WORK_VPN] as const
const PORTS = VPNS.map(({ port }) => port)
/** Tor makes new circuits every ten seconds at most. */
const NEWNYM_PAUSE_MS = 10_500
/** Each loop is a way out that a client could try. */
const noise = (...targets: readonly string[]): string => {
  const loops = targets.flatMap((target) => [
    `ping ${target}`,
    `while :; do nslookup example.org ${target}; sleep 1; done`,
    `while :; do fetch http://${target}:8080/; sleep 1; done`,
  ])
  return loops.map((loop) => `(${loop}) >/dev/null 2>&1 &`).join(' ')
}

export interface SwitchesSoak {
  readonly seed: number
  readonly from: number
  readonly cases: number
  /** Milliseconds since the epoch; no further case begins after it. */
  readonly until: number
}

type Kind = 'switch' | 'circuits' | 'rules'
const NAMES: Readonly<Record<Kind, string>> = {
  switch: '`router vpn use`: three attested steps on two routers',
  circuits: '`router newnym`',
  rules: '`vpn-server init`, `vpn-server remove`: the rules of router-uni',
}

export async function soakSwitches({ seed, from, cases, until }: SwitchesSoak): Promise<string> {
  const site = new Site()
  const times: Record<Kind, number[]> = { switch: [], circuits: [], rules: [] }
  const up: number[] = []
  let [done, seen] = [0, 0]
  try {
    await site.build()
    while (done < cases && Date.now() < until) {
      const random = new Random((seed << 16) + from + done)
      const kind = random.pick(['switch', 'switch', 'circuits', 'rules'] as const)
      await wait(random.below(1500))
      const began = performance.now()
      await site.change(kind)
      const took = performance.now() - began
      times[kind].push(took)
      if (kind === 'switch') {
        await site.untilUp()
        up.push(performance.now() - began)
      }
      seen += site.judge(`case ${from + done} of seed ${seed}, ${kind}`)
      done++
      console.log(`case ${from + done - 1} of seed ${seed}, ${kind}: ${(took / 1000).toFixed(1)} s`)
    }
  } finally {
    await site.close()
  }
  const rows = (Object.keys(NAMES) as Kind[]).map((kind) => row(NAMES[kind], times[kind]))
  return [
    `Cases ${from} to ${from + done - 1} of seed ${seed}; the next run goes on with \`--seed ${seed} --from ${from + done}\`.`,
    `${done} changes, ${seen.toLocaleString('en')} frames judged. Unexpected: 0.`,
    [
      '| change | times | median | p99 | most |',
      '| --- | ---: | ---: | ---: | ---: |',
      ...rows,
      row('a switch until the new tunnel is up', up),
    ].join('\n'),
  ].join('\n\n')
}

function row(name: string, values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): string => {
    const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
    return value === undefined ? '' : `${(value / 1000).toFixed(1)} s`
  }
  return `| ${name} | ${values.length} | ${at(0.5)} | ${at(0.99)} | ${at(1)} |`
}

class Site {
  cli!: Cli
  readonly #inside: ChildProcessWithoutNullStreams[] = []
  readonly #frames: Frame[] = []
  #connection = ''
  #used: VpnPlan = HOME_VPN
  #asked = 0
  #hasServer = false
  readonly #clients: { client: string; deep: string } = { client: '', deep: '' }

  async build(): Promise<void> {
    this.cli = await makeCli(`private:${HOST}`)
    const { cli } = this
    await publishTemplates(cli, PACKAGES)
    await cli.ok(['host', 'private', 'start', HOST])
    this.#connection = String((await cli.json(['status']))['connection'])
    const at = (name: string): string => join(cli.folder, name)
    const profiles: string[] = []
    for (const plan of VPNS) {
      profiles.push(await makeVpn(at(plan.name), plan))
      const words = [...WORLD, ENDPOINT, 'sh', '-c', VPN_SERVER, 'sh', join(at(plan.name), 'server.conf')]
      await this.#start(/Initialization Sequence Completed/, ...words)
    }
    await this.#start(/^ready/m, ...torNetwork(at('tor')))
    const page = join(TOP, 'test', 'support', 'uplink-server.ts')
    await this.#start(/listening/, process.execPath, page, WEB, '8080')
    hearFrames(await this.#start(/ready/, 'python3', '-c', TAP), this.#frames)
    const network = join(at('tor'), 'network')
    const sets = [`router-gal:vpn=${profiles[0]}`, `router-gal:tor=${network}`, `router-sol:tor=${network}`]
    await cli.ok(['install', '-y', '--grant', 'network', ...PACKAGES, ...sets.flatMap((one) => ['--set', one])])
    await cli.ok(['router', 'vpn', 'add', profiles[1] ?? ''])
    for (const [name, net, targets] of [
      ['client', 'gal0', [ENDPOINT, WEB]],
      ['deep', 'sol0', [WEB]],
    ] as const) {
      const { address } = await cli.json(['clone', 'app-console', '--name', name, '--net', net, '--wait'])
      this.#clients[name] = String(address)
      await cli.ok(['console', name, '--silence', '2'], `${noise(...targets)}\n`)
    }
    await this.untilUp()
    this.judge('the first start')
  }

  async #start(sign: RegExp, ...words: string[]): Promise<ChildProcessWithoutNullStreams> {
    const child = await startInside(this.cli, HOST, sign, words)
    this.#inside.push(child)
    return child
  }

  async change(kind: Kind): Promise<void> {
    if (kind === 'switch') {
      const next = this.#used === HOME_VPN ? WORK_VPN : HOME_VPN
      await this.cli.ok(['router', 'vpn', 'use', next.name])
      this.#used = next
    } else if (kind === 'circuits') {
      await wait(Math.max(0, this.#asked + NEWNYM_PAUSE_MS - Date.now()))
      await this.cli.ok(['router', 'newnym'])
      this.#asked = Date.now()
    } else {
      const words = this.#hasServer ? ['remove', '-y'] : ['init', '--endpoint', 'home.example.org']
      await this.cli.ok(['vpn-server', ...words])
      this.#hasServer = !this.#hasServer
    }
  }

  /** The tunnel of the profile in use, and Tor inside it. */
  async untilUp(): Promise<void> {
    for (let tries = 0; tries < 600; tries++) {
      const { machines } = (await this.cli.json(['status'])) as { machines: Record<string, { state?: string }>[] }
      if (machines.some(({ tunnel }) => tunnel?.state === 'up') && machines.some(({ tor }) => tor?.state === 'up'))
        return
      await wait(200)
    }
    throw new Error(`the tunnel does not come up: ${await this.cli.ok(['logs', 'router-gal'])}`)
  }

  #fact(machine: string, name: string): string {
    const xml = execFileSync('virsh', ['-c', this.#connection, 'dumpxml', machine, '--inactive'], { encoding: 'utf8' })
    return new RegExp(` ${name}="([^"]+)"`).exec(xml)?.[1] ?? ''
  }

  #wanOf(machine: string): string {
    const xml = execFileSync('virsh', ['-c', this.#connection, 'dumpxml', machine, '--inactive'], { encoding: 'utf8' })
    const cards = [...xml.matchAll(/<mac address='([^']+)'/g)].map(([, mac = '']) => mac)
    return cards.find((mac) => mac !== this.#fact(machine, 'lanMac')) ?? ''
  }

  /** @returns how many frames there were */
  judge(where: string): number {
    const frames = this.#frames.splice(0)
    const { client, deep } = this.#clients
    const uni = this.#wanOf('router-uni').replaceAll(':', '')
    const [gal, sol] = [this.#fact('router-gal', 'wanMac'), this.#fact('router-sol', 'wanMac')]
    assert.ok(
      frames.some(fromClient(client, ENDPOINT)),
      `${where}: the card of the client behind the VPN never saw it try`,
    )
    assert.ok(frames.some(fromClient(deep, WEB)), `${where}: the card of the client behind Tor never saw it try`)
    const wrong = frames.filter(({ place, bytes }) => {
      // What is for the router came from the other side: the endpoint's answers, and the host's question whether a lease is free.
      if (place === 'vmp-uplink') return bytes.toString('hex', 0, 6) !== uni && !isAllowed(bytes, PORTS)
      if (macOf(bytes) === gal) return !isAllowed(bytes, PORTS)
      return macOf(bytes) === sol && bytes.readUInt16BE(12) !== 0x0806 && !isToRelay(bytes)
    })
    const texts = wrong.slice(0, 5).map(({ place, bytes }) => `${place} ${bytes.toString('hex')}`)
    assert.deepEqual(texts, [], where)
    return frames.length
  }

  async close(): Promise<void> {
    for (const child of this.#inside) child.stdin.end()
    await this.cli?.close()
  }
}

function isToRelay(frame: Buffer): boolean {
  const isTcp = isIpv4(frame) && frame[23] === 6 && frame.readUInt16BE(36) === OR_PORT
  return isTcp && RELAYS.some((relay) => goesTo(frame, relay))
}
