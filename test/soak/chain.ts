/**
 * Real routers that are killed, reset, cut off and stopped at random, under a client that never stops trying to get out:
 * router-uni, router-gal behind it with a real OpenVPN server beyond the uplink. After each the chain is brought back by
 * `vmpkg start`, the client gets its page, and all frames since are judged: beyond the uplink nothing but ARP, the
 * router's DHCP and the tunnel, from router-gal's card nothing but ARP and the tunnel.
 */
import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { chmod, chown } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { type Cli, makeCli } from '../support/cli.ts'
import { publishTemplates } from '../support/publish-templates.ts'
import { Random } from '../support/random.ts'
import { startUserMachine, type UserMachine } from '../support/user-machine.ts'
import {
  comesFrom,
  ENDPOINT,
  type Frame,
  fromClient,
  hearFrames,
  isAllowed,
  macOf,
  makeVpn,
  SERVER,
  startInside,
  TAP,
  VPN_SERVER,
  WORLD,
} from '../support/vpn-site.ts'

export interface ChainSoak {
  readonly seed: number
  readonly from: number
  readonly cases: number
  /** Milliseconds since the epoch; no further case begins after it. */
  readonly until: number
  /** As an ordinary user of a machine that the run made (`user-machine.ts`). */
  readonly rootless?: boolean
}

const HOST = 'chain'
const TOP = join(import.meta.dirname, '..', '..')
/** Each loop is a way out that a client could try; /tmp is gone when it boots. */
const NOISE = [
  `ping ${ENDPOINT}`,
  `while :; do nslookup example.org ${ENDPOINT}; sleep 1; done`,
  `while :; do fetch http://${ENDPOINT}:8080/; sleep 1; done`,
  `while :; do fetch http://${SERVER}:8080/; sleep 1; done`,
]
const MAKE_NOISE = `[ -e /tmp/noise ] || { touch /tmp/noise; ${NOISE.map((loop) => `(${loop}) >/dev/null 2>&1 &`).join(' ')} }`

/** Of one case: what is done, and how many guests that ends. */
interface Fault {
  readonly name: string
  readonly kills: number
  readonly run: (house: House, random: Random) => Promise<void>
}

const kill = (machine: string): Fault => ({
  name: `kill -9 of the QEMU of ${machine}`,
  kills: 1,
  run: async (house) => house.killGuest(machine),
})
const reset = (machine: string): Fault => ({
  name: `reset of ${machine} behind vmpkg’s back`,
  kills: 1,
  run: async (house) => house.virsh('reset', machine),
})
const flap = (machine: string): Fault => ({
  name: `WAN of ${machine} flaps`,
  kills: 0,
  run: async (house, random) => {
    const card = house.wanCard(machine)
    for (let round = 0; round < 3; round++) {
      for (const link of ['down', 'up']) {
        house.virsh('domif-setlink', machine, card, link)
        await wait(random.below(400))
      }
    }
  },
})

const FAULTS: readonly Fault[] = [
  kill('router-uni'),
  kill('router-gal'),
  kill('client'),
  reset('router-uni'),
  reset('router-gal'),
  flap('router-uni'),
  flap('router-gal'),
  {
    name: 'kill -9 of both routers at once',
    kills: 2,
    run: async (house) => {
      for (const machine of ['router-gal', 'router-uni']) house.killGuest(machine)
    },
  },
  {
    name: 'stop of router-gal with the plug pulled',
    kills: 1,
    run: async (house) => void (await house.cli.ok(['stop', '--force', 'router-gal'])),
  },
  {
    name: 'stop --cascade',
    kills: 2,
    run: async (house) => void (await house.cli.ok(['stop', '--cascade', 'router-uni'])),
  },
  {
    name: 'kill -9 of vmpkg while it starts router-gal',
    kills: 1,
    run: async (house, random) => {
      house.killGuest('router-gal')
      const starting = house.cli.start(['start', 'router-gal'], '')
      await wait(200 + random.below(6000))
      starting.kill('SIGKILL')
      await starting.done
    },
  },
  {
    name: 'kill -9 of libvirtd',
    kills: 0,
    run: async (house) => {
      const script =
        'for one in /proc/[0-9]*; do read -r name <$one/comm && [ "$name" = libvirtd ] && kill -9 "${one#/proc/}"; done; :'
      await house.cli.ok(['host', 'private', 'shell', HOST, '--', 'sh', '-c', script])
      await wait(1500)
    },
  },
  {
    name: 'the VPN server is gone for a while',
    kills: 0,
    run: async (house, random) => {
      await house.stopVpn()
      await wait(random.below(10_000))
      await house.startVpn()
    },
  },
]

export async function soakChain({ seed, from, cases, until, rootless = false }: ChainSoak): Promise<string> {
  const house = new House()
  const tried = new Map<string, number>()
  let [done, kills, seen, recovery] = [0, 0, 0, 0]
  try {
    await house.build(rootless)
    while (done < cases && Date.now() < until) {
      const random = new Random((seed << 16) + from + done)
      const fault = random.pick(FAULTS)
      const where = `case ${from + done} of seed ${seed}, ${fault.name}`
      await wait(random.below(3000))
      await fault.run(house, random)
      await wait(random.below(2000))
      const startedAt = Date.now()
      await house.bringBack(where)
      recovery += Date.now() - startedAt
      seen += house.judge(where)
      tried.set(fault.name, (tried.get(fault.name) ?? 0) + 1)
      kills += fault.kills
      done++
      console.log(`${where}: back after ${((Date.now() - startedAt) / 1000).toFixed(1)} s`)
    }
  } finally {
    await house.close()
  }
  const rows = FAULTS.map(({ name }) => `| ${name} | ${tried.get(name) ?? 0} |`)
  return [
    `Cases ${from} to ${from + done - 1} of seed ${seed}; the next run goes on with \`--seed ${seed} --from ${from + done}\`.`,
    `${kills} guests killed, reset or stopped in ${done} cases; ${seen.toLocaleString('en')} frames judged. Unexpected: 0. ` +
      `Back to the client’s page in ${(recovery / 1000 / Math.max(1, done)).toFixed(1)} s on average.`,
    ['| what happened | times |', '| --- | ---: |', ...rows].join('\n'),
  ].join('\n\n')
}

class House {
  cli!: Cli
  readonly #inside: ChildProcessWithoutNullStreams[] = []
  readonly #frames: Frame[] = []
  #vpn: ChildProcessWithoutNullStreams | undefined
  #connection = ''
  #publisher: Cli | undefined
  #machine: UserMachine | undefined
  #client = ''

  async build(rootless: boolean): Promise<void> {
    await this.#makeCli(rootless)
    const { cli } = this
    this.#connection = String((await cli.json(['status']))['connection'])
    const profile = await makeVpn(join(cli.folder, 'vpn'))
    const { id } = this.#machine ?? {}
    if (id !== undefined) {
      for (const name of readdirSync(join(cli.folder, 'vpn'))) await chown(join(cli.folder, 'vpn', name), id, id)
    }
    await this.startVpn()
    await cli.ok([
      'install',
      '-y',
      '--grant',
      'network',
      'router-uni',
      'router-gal',
      'app-console',
      '--set',
      `router-gal:vpn=${profile}`,
    ])
    hearFrames(await this.#start(/ready/, 'python3', '-c', TAP), this.#frames)
    const server = join(TOP, 'test', 'support', 'uplink-server.ts')
    await this.#start(/listening/, process.execPath, server, SERVER, '8080')
    await this.#start(/listening/, process.execPath, server, ENDPOINT, '8080')
    const { address } = await cli.json(['clone', 'app-console', '--name', 'client', '--net', 'gal0', '--wait'])
    this.#client = String(address)
    await this.bringBack('the first start')
    this.judge('the first start')
  }

  /** Packages are built as root in any case: building needs the network. */
  async #makeCli(rootless: boolean): Promise<void> {
    const templates = ['router-uni', 'router-gal', 'app-console']
    if (!rootless) {
      this.cli = await makeCli(`private:${HOST}`)
      await publishTemplates(this.cli, templates)
      await this.cli.ok(['host', 'private', 'start', HOST])
      return
    }
    this.#publisher = await makeCli('private:unused')
    await publishTemplates(this.#publisher, templates)
    await chmod(this.#publisher.folder, 0o755)
    this.#machine = await startUserMachine()
    this.cli = await this.#machine.makeCli(`private:${HOST}`)
    const registry = join(this.#publisher.folder, 'registry')
    await this.cli.ok(['source', 'add', 'example', registry, '--root-file', join(registry, 'root', '1.json')])
    await this.cli.ok(['update'])
    await this.cli.ok(['host', 'private', 'start', HOST, '--uplink', 'slirp4netns'])
  }

  async #start(sign: RegExp, ...words: string[]): Promise<ChildProcessWithoutNullStreams> {
    const child = await startInside(this.cli, HOST, sign, words)
    this.#inside.push(child)
    return child
  }

  async startVpn(): Promise<void> {
    const words = [...WORLD, ENDPOINT, 'sh', '-c', VPN_SERVER, 'sh', join(this.cli.folder, 'vpn', 'server.conf')]
    this.#vpn = await this.#start(/Initialization Sequence Completed/, ...words)
  }

  async stopVpn(): Promise<void> {
    const vpn = this.#vpn
    if (vpn === undefined) return
    const ended = new Promise((resolve) => vpn.once('close', resolve))
    vpn.stdin.end()
    await ended
  }

  virsh(...words: readonly string[]): void {
    execFileSync('virsh', ['-q', '-c', this.#connection, ...words], { stdio: ['ignore', 'ignore', 'pipe'] })
  }

  factOf(machine: string, name: string): string {
    const xml = execFileSync('virsh', ['-c', this.#connection, 'dumpxml', machine, '--inactive'], { encoding: 'utf8' })
    return new RegExp(` ${name}="([^"]+)"`).exec(xml)?.[1] ?? ''
  }

  /** MAC of the card that is not on the router's own LAN. */
  wanCard(machine: string): string {
    const xml = execFileSync('virsh', ['-c', this.#connection, 'dumpxml', machine, '--inactive'], { encoding: 'utf8' })
    const lan = this.factOf(machine, 'lanMac')
    const cards = [...xml.matchAll(/<mac address='([^']+)'/g)].map(([, mac = '']) => mac)
    return cards.find((mac) => mac !== lan) ?? ''
  }

  /** By process number, as a crash does it. Its arguments name the folder of this run. */
  killGuest(machine: string): void {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      let words = ''
      try {
        words = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      } catch {
        continue // it has ended
      }
      if (words.includes(`guest=${machine},`) && words.includes(this.cli.folder)) {
        process.kill(Number(pid), 'SIGKILL')
        return
      }
    }
    throw new Error(`${machine} does not run`)
  }

  /** Until its client has its page again, and makes noise. */
  async bringBack(where: string): Promise<void> {
    let said = ''
    for (let tries = 0; tries < 3; tries++) {
      const { status, stderr } = await this.cli.run(['start', 'router-uni', 'router-gal', 'client'])
      said = stderr
      if (status === 0) break
    }
    for (let tries = 0; tries < 30; tries++) {
      const { stdout, stderr } = await this.cli.run(
        ['console', 'client', '--silence', '4'],
        `${MAKE_NOISE}\nfetch http://${SERVER}:8080/\n`,
      )
      if (/you came from (?:::ffff:)?10\.9\.0\.2/.test(stdout)) return
      said = `${stderr}${stdout.slice(-500)}`
      await wait(2000)
    }
    throw new Error(`${where}: the client does not get its page again\n${said}`)
  }

  /** @returns how many frames there were */
  judge(where: string): number {
    const frames = this.#frames.splice(0)
    const card = this.factOf('router-gal', 'wanMac')
    assert.ok(frames.some(fromClient(this.#client, ENDPOINT)), `${where}: the client’s own card never saw it try`)
    const wrong = frames.filter(
      ({ place, bytes }) =>
        !isAllowed(bytes) &&
        ((place === 'vmp-uplink' && !comesFrom(bytes, ENDPOINT)) || (place !== 'vmp-uplink' && macOf(bytes) === card)),
    )
    const texts = wrong.slice(0, 5).map(({ place, bytes }) => `${place} ${bytes.toString('hex')}`)
    assert.deepEqual(texts, [], where)
    return frames.length
  }

  async close(): Promise<void> {
    for (const child of this.#inside) child.stdin.end()
    await this.cli.close()
    await this.#machine?.stop()
    await this.#publisher?.close()
  }
}
