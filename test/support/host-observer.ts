/**
 * What the host of a LAN gives away: it is asked for everything at once, from a machine on the LAN and from one on the
 * uplink, and what it answered, took, passed on or sent by itself is told.
 */
import { readFile } from 'node:fs/promises'
import { ANN, BOB, bare, countFrames, type HostLab, LAN, type LabMachine, newToken } from './host-lab.ts'
import { addressBytes, arp, dhcpMessage, dnsQuery, ip6, macBytes, ping, tcp, udp } from './leak-lab/frames.ts'
import type { Frame } from './leak-lab/pcapng.ts'
import { WORLD_ADDRESS } from './private-host.ts'

/** On the LAN without a filter of its own: what keeps the host silent has to do it alone. */
export const SNOOP: LabMachine = bare({ ...ANN, name: 'snoop' })
export const PEER: LabMachine = bare({ ...BOB, name: 'peer' })
export const WAN: LabMachine = {
  name: 'wan',
  mac: '6a:00:00:00:01:32',
  address: '192.168.130.50',
  filter: undefined,
  isolated: false,
  network: 'vmpkg-uplink',
}
const UPLINK_BRIDGE = 'vmp-uplink'
const GATEWAY = '192.168.130.1'
const FAR = '203.0.113.9'
/** Somebody on the uplink whom a router lets in: libvirt hides such senders behind the host. */
const GUEST = '192.168.130.77'
const ALL = 'ff:ff:ff:ff:ff:ff'
const ALL_NODES = 'ff020000000000000000000000000001'
const LOCAL = 'fe800000000000006800aafffe000028'

/** True for each that happened. */
export interface Observation {
  /** From the LAN: any frame of the host's own card. */
  readonly answersLan: boolean
  readonly hearsLan: boolean
  readonly answersLanByIpv6: boolean
  readonly passesOutOfLan: boolean
  readonly passesIntoLan: boolean
  readonly speaksIntoLan: boolean
  readonly asksIntoLan: boolean
  /** From the uplink: what is not for guests. */
  readonly hearsUplink: boolean
  readonly answersUplinkTcp: boolean
  readonly answersUplinkArp: boolean
  readonly answersUplinkByIpv6: boolean
  readonly speaksIpv6OnUplink: boolean
  /** From the uplink: what guests need. */
  readonly givesLeases: boolean
  readonly resolves: boolean
  readonly resolvesByTcp: boolean
  readonly isFoundOnUplink: boolean
  readonly masquerades: boolean
  readonly hearsItsAnswers: boolean
  /** What machines on the LAN say to each other. */
  readonly letsMachinesTalk: boolean
  /** With br_netfilter: the host's address stands where a sender's from beyond the router was. */
  readonly changesSenders: boolean
}

/** A server of the host on all its addresses, beside dnsmasq; it writes down each datagram, and speaks first on port 7000. */
const LISTENER = `
import select, socket, sys
out = open(sys.argv[1], 'a', buffering=1)
socks = []
for port in (53, 4000, 7000):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(('0.0.0.0', port))
    socks.append(sock)
server = socket.create_server(('0.0.0.0', 2222))
socks[2].sendto(b'first', ('${WAN.address}', 7001))
out.write('ready\\n')
while True:
    for sock in select.select(socks, [], [])[0]:
        out.write(sock.recvfrom(2048)[0].hex() + '\\n')
`

export class HostObserver {
  readonly #lab: HostLab
  readonly #log: string
  #lanMac = ''
  #uplinkMac = ''
  /** Whether frames between ports come by the host's rules. */
  isBridged = true

  constructor(lab: HostLab) {
    this.#lab = lab
    this.#log = `${lab.host.dir}/heard`
  }

  /** The host's other address, its way out, its servers, and what it would know of its neighbours. */
  async prepare(): Promise<void> {
    const { run, request } = this.#lab
    await run('ip', 'route', 'add', 'default', 'dev', 'world0')
    const sysctl = { 'net/ipv4/ip_forward': '1', 'net/ipv4/conf/all/rp_filter': '0' }
    await request('settings', { ns: 'host', values: sysctl })
    // As where Docker runs: frames between ports come by the rules of the host. Not every kernel has it.
    const bridged = { 'net/bridge/bridge-nf-call-iptables': '1' }
    await request('settings', { ns: 'host', values: bridged }).catch(() => {
      this.isBridged = false
    })
    this.#lanMac = (await run('cat', `/sys/class/net/${LAN}/address`)).trim()
    this.#uplinkMac = (await run('cat', `/sys/class/net/${UPLINK_BRIDGE}/address`)).trim()
    const neighbours = [
      [SNOOP.address, SNOOP.mac, LAN],
      [WAN.address, WAN.mac, UPLINK_BRIDGE],
      [FAR, '6a:00:00:00:02:09', 'world0'],
    ] as const
    for (const [address, mac, device] of neighbours) {
      await run('ip', 'neigh', 'replace', address, 'lladdr', mac, 'dev', device, 'nud', 'permanent')
    }
    await request('start', { id: 'listener', ns: 'host', argv: ['python3', '-c', LISTENER, this.#log] })
    for (let tries = 0; tries < 100 && !(await this.#heard()).includes('ready'); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  async #heard(): Promise<string> {
    return readFile(this.#log, 'utf8').catch(() => '')
  }

  async observe(): Promise<Observation> {
    const { request } = this.#lab
    const [snoop, wan, peer] = [SNOOP, WAN, PEER].map((one) => this.#lab.tapOf(one)) as [string, string, string]
    const lan = this.#lanFrames()
    const port = 20_000 + (newToken().readUInt16BE() % 20_000) // of this time: the host repeats old answers
    const uplink = this.#uplinkFrames(port)
    const [spoken, asked] = [newToken(), '10.1.1.77']
    await this.#lab.run('ip', 'neigh', 'flush', 'to', `${asked}/32`)
    const seen = await this.#lab.watch([snoop, wan, peer, 'world0'], async () => {
      await this.#lab.send(
        SNOOP,
        Object.values(lan).flatMap(({ frames }) => frames),
      )
      await this.#lab.send(
        WAN,
        Object.values(uplink).flatMap(({ frames }) => frames),
      )
      for (const [address, token] of [
        [SNOOP.address, spoken],
        [asked, newToken()],
      ] as const) {
        const payload = token.toString('base64')
        await request('local', { ns: 'host', kind: 'udp', source: null, target: [address, 9], payload, wait: 0 })
      }
      await request('local', {
        ns: 'host',
        kind: 'udp6',
        source: UPLINK_BRIDGE,
        target: ['ff02::1', 9],
        payload: '',
        wait: 0,
      })
      for (const token of uplink.needs.tokens) {
        await request('see', { id: wan, wanted: token.toString('base64'), timeout: 3, direction: 2 })
      }
    })
    const heard = await this.#heard()
    const hears = ({ tokens }: Sent): boolean => tokens.some((token) => heard.includes(token.toString('hex')))
    const out = (tap: string): readonly Frame[] => (seen.get(tap) ?? []).filter(({ isOutgoing }) => isOutgoing)
    const ofHost = (tap: string, mac: string): readonly Frame[] =>
      out(tap).filter(({ bytes }) => bytes.subarray(6, 12).equals(macBytes(mac)))
    const fromLan = ofHost(snoop, this.#lanMac)
    const fromUplink = ofHost(wan, this.#uplinkMac)
    const passed = (tap: string, { tokens }: Sent): boolean =>
      tokens.some((token) => countFrames(seen.get(tap), token, true) > 0)
    const isArp = ({ bytes }: Frame): boolean => bytes.readUInt16BE(12) === 0x0806
    const isIpv6 = ({ bytes }: Frame): boolean => bytes.readUInt16BE(12) === 0x86dd
    const isFrom = (address: string, from: number, protocol: number) => {
      return ({ bytes }: Frame): boolean =>
        bytes.readUInt16BE(12) === 0x0800 &&
        bytes[23] === protocol &&
        [...bytes.subarray(26, 30)].join('.') === address &&
        bytes.readUInt16BE(34) === from
    }
    const replies = fromUplink.filter((frame) => isArp(frame) && frame.bytes.readUInt16BE(20) === 2)
    const sender = ({ bytes }: Frame): string => [...bytes.subarray(28, 32)].join('.')
    const asks = (frame: Frame): boolean => isArp(frame) && frame.bytes.readUInt16BE(20) === 1
    return {
      answersLan: fromLan.some((frame) => !isIpv6(frame) && !asks(frame) && !frame.bytes.includes(spoken)),
      hearsLan: hears(lan.host),
      answersLanByIpv6: fromLan.some((frame) => answersIpv6(frame)),
      passesOutOfLan: passed('world0', lan.through),
      passesIntoLan: passed(snoop, uplink.intoLan),
      speaksIntoLan: fromLan.some(({ bytes }) => bytes.includes(spoken)),
      asksIntoLan: fromLan.some(asks),
      hearsUplink: hears(uplink.others),
      answersUplinkTcp: fromUplink.some((frame) =>
        [GATEWAY, WORLD_ADDRESS].some((own) => isFrom(own, 2222, 6)(frame) && frame.bytes.readUInt16BE(36) === port),
      ),
      answersUplinkArp: replies.some((frame) => sender(frame) !== GATEWAY),
      answersUplinkByIpv6: fromUplink.some((frame) => answersIpv6(frame)),
      speaksIpv6OnUplink: fromUplink.some((frame) => isIpv6(frame) && frame.bytes[20] === 17),
      givesLeases: fromUplink.some(isFrom(GATEWAY, 67, 17)),
      resolves: fromUplink.some(isFrom(GATEWAY, 53, 17)),
      resolvesByTcp: fromUplink.some(isFrom(GATEWAY, 53, 6)),
      isFoundOnUplink: replies.some((frame) => sender(frame) === GATEWAY),
      masquerades: passed('world0', uplink.through),
      hearsItsAnswers: hears(uplink.answers),
      changesSenders: (seen.get(peer) ?? []).some(
        ({ bytes, isOutgoing }) =>
          isOutgoing && lan.guest.tokens.some((token) => bytes.includes(token)) && !bytes.includes(addressBytes(GUEST)),
      ),
      letsMachinesTalk: lan.peer.tokens.every((token) => countFrames(seen.get(peer), token, true) > 0),
    }
  }

  #lanFrames(): Record<'host' | 'through' | 'peer' | 'guest', Sent> {
    const own = { mac: SNOOP.mac, address: SNOOP.address }
    const host = (address: string): typeof own => ({ mac: this.#lanMac, address })
    const tokens = [newToken(), newToken(), newToken(), newToken()]
    const [one = newToken(), two = newToken(), three = newToken(), four = newToken()] = tokens
    const [through, said, lease, letIn] = [newToken(), newToken(), newToken(), newToken()]
    return {
      guest: { tokens: [letIn], frames: [udp({ from: { ...own, address: GUEST }, to: PEER }, [5001, 9], letIn)] },
      peer: {
        tokens: [said, lease],
        frames: [
          udp({ from: own, to: PEER }, [5000, 9], said),
          udp({ from: { ...own, address: '0.0.0.0' }, to: { mac: ALL, address: '255.255.255.255' } }, [68, 67], lease),
        ],
      },
      host: {
        tokens,
        frames: [
          arp(own, WORLD_ADDRESS),
          arp(own, GATEWAY),
          udp({ from: own, to: host(WORLD_ADDRESS) }, [5000, 53], one),
          udp({ from: own, to: host(GATEWAY) }, [5000, 4000], two),
          udp({ from: own, to: { mac: ALL, address: '255.255.255.255' } }, [5000, 4000], three),
          udp({ from: { ...own, address: '198.51.100.77' }, to: host(WORLD_ADDRESS) }, [5000, 4000], four),
          tcp({ from: own, to: host(WORLD_ADDRESS) }, [5000, 2222], Buffer.alloc(0)),
          ping({ from: own, to: host(WORLD_ADDRESS) }, newToken()),
          pingAll(SNOOP.mac),
        ],
      },
      through: { tokens: [through], frames: [udp({ from: own, to: host(FAR) }, [5000, 9], through)] },
    }
  }

  #uplinkFrames(port: number): Record<'others' | 'needs' | 'intoLan' | 'through' | 'answers', Sent> {
    const own = { mac: WAN.mac, address: WAN.address }
    const host = (address: string): typeof own => ({ mac: this.#uplinkMac, address })
    const tokens = [newToken(), newToken(), newToken()]
    const [one = newToken(), two = newToken(), three = newToken()] = tokens
    const [into, through, answer] = [newToken(), newToken(), newToken()]
    // Asking for more than an address: no address is tried by ping first, which takes dnsmasq three seconds.
    const xid = newToken().subarray(0, 4)
    const dhcp = dhcpMessage(WAN.mac, 8, { xid, client: WAN.address })
    const question = dnsQuery(newToken().readUInt16BE(), 'x.invalid')
    const syn = (address: string, to: number): Buffer =>
      tcp({ from: own, to: host(address) }, [port, to], Buffer.alloc(0))
    return {
      others: {
        tokens,
        frames: [
          arp(own, WORLD_ADDRESS),
          udp({ from: own, to: host(WORLD_ADDRESS) }, [port, 53], one),
          udp({ from: own, to: host(GATEWAY) }, [port, 4000], two),
          udp({ from: own, to: host(WORLD_ADDRESS) }, [port, 4000], three),
          syn(GATEWAY, 2222),
          syn(WORLD_ADDRESS, 2222),
          pingAll(WAN.mac),
        ],
      },
      needs: {
        tokens: [xid, question.subarray(0, 2)],
        frames: [
          arp(own, GATEWAY),
          udp({ from: own, to: { mac: ALL, address: '255.255.255.255' } }, [68, 67], dhcp),
          udp({ from: own, to: host(GATEWAY) }, [port, 53], question),
          syn(GATEWAY, 53),
        ],
      },
      intoLan: { tokens: [into], frames: [udp({ from: own, to: host(SNOOP.address) }, [port, 9], into)] },
      through: { tokens: [through], frames: [udp({ from: own, to: host(FAR) }, [port, 9], through)] },
      answers: { tokens: [answer], frames: [udp({ from: own, to: host(GATEWAY) }, [7001, 7000], answer)] },
    }
  }
}

/** The answer itself, or the question where to send it. */
function answersIpv6({ bytes }: Frame): boolean {
  if (bytes.readUInt16BE(12) !== 0x86dd) return false
  return bytes[54] === 129 || (bytes[54] === 135 && bytes.subarray(62, 78).equals(Buffer.from(LOCAL, 'hex')))
}

interface Sent {
  readonly tokens: readonly Buffer[]
  readonly frames: readonly Buffer[]
}

function pingAll(mac: string): Buffer {
  return ip6([mac, '33:33:00:00:00:01'], [LOCAL, ALL_NODES], 58, Buffer.from('8000000012340001aabbccdd', 'hex'))
}
