/**
 * A LAN of a router on a real libvirt, with machines that have no system: what their cards "send" is put into QEMU from
 * outside, behind the card and before the tap, so that it takes the way of a guest's frame. Taps see what each sends and
 * gets. All of it is in a private host's namespaces; nothing boots.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { newMac, newUuid } from '../../src/domain/identity.ts'
import { privateHostPrefix } from '../../src/host/private-host-run.ts'
import { Connect } from '../../src/libvirt/connect.ts'
import { formatNetworkFacts } from '../../src/render/facts-xml.ts'
import type { GuardedCard } from '../../src/render/guard-ports.ts'
import { guardPorts } from '../../src/render/guard-ports.ts'
import { renderNetwork } from '../../src/render/network.ts'
import { parseXml } from '../../src/xml/parse.ts'
import { formatXml } from '../../src/xml/tree.ts'
import { talkTo } from './leak-lab/namespace.ts'
import { type Frame, readCapture } from './leak-lab/pcapng.ts'
import { startTestHost, type TestHost } from './private-host.ts'
import { readPartials, readTemplate } from './render-contexts.ts'
import { lan, UPLINK } from './topologies.ts'

export interface LabMachine {
  readonly name: string
  readonly mac: string
  readonly address: string
  readonly filter: GuardedCard['filter'] | 'vmpkg-guest' | undefined
  readonly isolated: boolean
  /** The LAN where none is named. */
  readonly network?: string
}

const CIDR = '10.1.1.0/24'
export const LAN = 'vmp-uni0'

const at = (last: number, filter: LabMachine['filter'], name: string, isolated = true): LabMachine => ({
  name,
  mac: `6a:00:00:00:00:${last.toString(16).padStart(2, '0')}`,
  address: `10.1.1.${last}`,
  filter,
  isolated,
})

export const ROUTER = at(1, 'vmpkg-gateway', 'router', false)
export const LOWER = at(2, 'vmpkg-lower', 'lower')
export const ANN = at(40, 'vmpkg-client', 'ann')
export const BOB = at(41, 'vmpkg-client', 'bob')

/** As somebody would have them who has neither filters nor isolated ports. */
export function bare(machine: LabMachine): LabMachine {
  return { ...machine, filter: undefined, isolated: false }
}

export interface HostLab {
  readonly host: TestHost
  readonly connect: Connect
  /** Starts machines on the LAN, one after another. */
  start(machines: readonly LabMachine[]): Promise<void>
  stopMachine(machine: LabMachine): Promise<void>
  /** What was seen on the named interfaces while `send` ran. */
  watch(interfaces: readonly string[], send: () => Promise<void>): Promise<ReadonlyMap<string, readonly Frame[]>>
  /** The tap of a machine. */
  tapOf(machine: LabMachine): string
  /** Frames as if the machine's card had sent them; while it is watched, all of them are seen to leave. */
  send(machine: LabMachine, frames: readonly Buffer[]): Promise<void>
  readonly request: <T = Record<string, unknown>>(
    op: string,
    parameters?: Readonly<Record<string, unknown>>,
  ) => Promise<T>
  readonly run: (...argv: readonly [string, ...string[]]) => Promise<string>
  stop(): Promise<void>
}

export async function startHostLab(): Promise<HostLab> {
  const host = await startTestHost()
  const connect = await Connect.open(host.uri)
  const server = await startServer(host)
  const request = talkTo(server)
  const taps = new Map<string, string>()
  const watched = new Set<string>()
  const run: HostLab['run'] = async (...argv) => {
    const { exitCode, stdout, stderr } = await host.run(argv)
    if (exitCode !== 0) throw new Error(`${argv.join(' ')}: ${stderr.trim()}`)
    return stdout
  }
  for (const one of [UPLINK, lan('uni0', 'uni', CIDR)]) {
    const facts = one.facts && `<metadata>${formatNetworkFacts(one.facts)}</metadata>`
    const [kind, subnet] = one === UPLINK ? (['uplink', '192.168.130'] as const) : (['network', ''] as const)
    const xml = networkXml(kind, one.name, one.bridge ?? '', subnet).replace('<bridge', `${facts}<bridge`)
    await (await connect.networkDefineXML({ xml })).create()
  }
  return {
    host,
    connect,
    request,
    run,
    async start(machines) {
      for (const machine of machines) {
        await connect.domainCreateXML({ xml: domainXml(machine) })
        const list = await host.virsh('domiflist', machine.name)
        const tap = /^\s*(vnet\d+)/m.exec(list)?.[1] ?? ''
        taps.set(machine.name, tap)
        await openInjector(host, machine)
      }
    },
    async stopMachine({ name }) {
      await (await connect.domainLookupByName({ name })).destroy()
      taps.delete(name)
      await request('forget', { path: injectorOf(host, name) })
    },
    async watch(interfaces, send) {
      for (const iface of interfaces) await request('tap', { id: iface, ns: 'host', iface })
      for (const iface of interfaces) watched.add(iface)
      await send()
      await new Promise((resolve) => setTimeout(resolve, 150))
      const seen = new Map<string, readonly Frame[]>()
      for (const iface of interfaces) {
        const file = join(host.dir, `${iface}.pcapng`)
        const { dropped } = await request<{ dropped: number }>('untap', { id: iface, file })
        if (dropped > 0) throw new Error(`${iface} lost ${dropped} frames`)
        seen.set(iface, await readCapture(file))
        watched.delete(iface)
      }
      return seen
    },
    tapOf: ({ name }) => taps.get(name) ?? '',
    async send({ name }, frames) {
      const path = injectorOf(host, name)
      const tap = taps.get(name) ?? ''
      await request('inject', { path, frames: frames.map((frame) => frame.toString('base64')) })
      if (!watched.has(tap)) return
      const wanted = frames.at(-1)?.subarray(0, 100).toString('base64')
      const { frame } = await request<{ frame: string | null }>('see', { id: tap, wanted, timeout: 10 })
      if (frame === null) throw new Error(`${name} did not send all of its frames`)
    },
    async stop() {
      server.stdin?.end()
      await connect.close()
      await host.stop()
    },
  }
}

/** A network as router-uni's package has it. @param subnet the first three bytes of an uplink's */
export function networkXml(kind: 'network' | 'uplink', name: string, bridge: string, subnet: string): string {
  const randomness = { bytes: randomBytes }
  const identity = { name, bridge, uuid: newUuid(randomness), mac: newMac(randomness) }
  const addresses = { address: `${subnet}.1`, rangeFirst: `${subnet}.32`, rangeLast: `${subnet}.254` }
  const network = kind === 'network' ? identity : { ...identity, ...addresses, netmask: '255.255.255.0' }
  return renderNetwork({
    template: readTemplate(`router-uni/${kind}.xml.hbs`),
    partials: readPartials(),
    context: { network },
  })
}

async function startServer(host: TestHost): Promise<ChildProcess> {
  const text = await readFile(join(import.meta.dirname, 'leak-lab', 'server.py'), 'utf8')
  const [program, ...prefix] = privateHostPrefix(host.host)
  return spawn(program, [...prefix, '/usr/bin/python3', '-I', '-c', text], { stdio: ['pipe', 'pipe', 'inherit'] })
}

/** rtl8139: frames on its way carry no header of virtio. */
function domainXml({ name, mac, address, filter, isolated, network = 'uni0' }: LabMachine): string {
  const port = isolated ? "<port isolated='yes'/>" : ''
  const document = parseXml(`<domain type='qemu'><name>${name}</name><memory unit='MiB'>32</memory>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
  <interface type='network'><mac address='${mac}'/><source network='${network}'/><model type='rtl8139'/>${port}</interface>
  </devices></domain>`)
  const lans = [{ network: 'uni0', bridge: LAN, cidr: CIDR }]
  if (filter !== undefined) {
    guardPorts(document.root, { lans, cards: filter === 'vmpkg-guest' ? [] : [{ mac, filter, address }] })
  }
  return formatXml(document)
}

function injectorOf(host: TestHost, name: string): string {
  return join(host.dir, `send-${name}`)
}

async function openInjector(host: TestHost, { name }: LabMachine): Promise<void> {
  const monitor = (command: object): Promise<string> =>
    host.virsh('qemu-monitor-command', name, JSON.stringify(command))
  const addr = { type: 'unix', data: { path: injectorOf(host, name) } }
  await monitor({
    execute: 'chardev-add',
    arguments: { id: 'sender', backend: { type: 'socket', data: { addr, server: true, wait: false } } },
  })
  await monitor({
    execute: 'object-add',
    arguments: { 'qom-type': 'filter-redirector', id: 'send', netdev: 'hostnet0', indev: 'sender', queue: 'rx' },
  })
}

/** 16 random bytes, by which a tap finds a frame. */
export function newToken(): Buffer {
  return randomBytes(16)
}

/** How many frames in that direction, seen from the tap, have the bytes in them. */
export function countFrames(frames: readonly Frame[] | undefined, wanted: Buffer, isOutgoing: boolean): number {
  return (frames ?? []).filter((one) => one.isOutgoing === isOutgoing && one.bytes.includes(wanted)).length
}
