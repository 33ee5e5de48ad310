/** What a hostile machine may put on a LAN: the 18 kinds of leak-cases 4.3, and those that the filters are written against. */
import { ANN, BOB, type LabMachine, LOWER, newToken, ROUTER } from './host-lab.ts'
import { arp, dhcpMessage, ethernet, ip6, udp, uint16 } from './leak-lab/frames.ts'

const ALL = 'ff:ff:ff:ff:ff:ff'
const OTHER_MAC = '6a:00:00:00:00:99'
const LOCAL = 'fe800000000000006800aafffe000028'
const ALL_NODES = 'ff020000000000000000000000000001'

export interface Probe {
  readonly kind: string
  readonly frame: Buffer
  readonly token: Buffer
}

/** The kinds that 4.3 counts; the others are ours. */
export const EIGHTEEN = Array.from({ length: 18 }, (_, index) => String(index + 1).padStart(2, '0'))

type Maker = (token: Buffer) => Buffer

/** @param to the machine that it is meant for */
export function framesOf(from: LabMachine, to: LabMachine): readonly Probe[] {
  const own = { mac: from.mac, address: from.address }
  const target = { mac: to.mac, address: to.address }
  const all = { mac: ALL, address: '255.255.255.255' }
  const as = (address: string): { mac: string; address: string } => ({ mac: from.mac, address })
  const send = (source: typeof own, dest: typeof own, ports: readonly [number, number], token: Buffer): Buffer =>
    udp({ from: source, to: dest }, ports, token)
  // ARP has no room for a token; what follows it is padding to a bridge.
  const arpWith = (sender: typeof own, token: Buffer, more: { op?: number; to?: string } = {}): Buffer =>
    Buffer.concat([arp(sender, target.address, more), token])
  const dhcp = (token: Buffer, more: { client?: string } = {}): Buffer =>
    Buffer.concat([dhcpMessage(from.mac, 1, { xid: token, ...more }), token])
  const makers: Readonly<Record<string, Maker>> = {
    '01': (token) => send(own, target, [4000, 5000], token),
    '02': (token) => send(as('10.1.1.99'), target, [4000, 5000], token),
    '03': (token) => send(as('0.0.0.0'), target, [4000, 5000], token),
    '04': (token) => udp({ from: own, to: all }, [67, 68], dhcp(token)),
    '05': (token) => udp({ from: as('0.0.0.0'), to: all }, [68, 67], dhcp(token)),
    '06': (token) => send({ ...own, mac: OTHER_MAC }, target, [4000, 5000], token),
    '07': (token) => arpWith(own, token),
    '08': (token) => arpWith(as(ROUTER.address), token, { op: 2, to: to.mac }),
    '09': (token) => Buffer.concat([arp(as(ROUTER.address), ROUTER.address), token]),
    '10': (token) => {
      const frame = arpWith({ ...own, mac: OTHER_MAC }, token)
      Buffer.from(from.mac.replaceAll(':', ''), 'hex').copy(frame, 6)
      return frame
    },
    '11': (token) =>
      ip6([from.mac, to.mac], [LOCAL, ALL_NODES], 17, Buffer.concat([uint16(4000), uint16(5000), token])),
    '12': (token) =>
      ip6([from.mac, '33:33:00:00:00:01'], [LOCAL, ALL_NODES], 58, Buffer.concat([ADVERTISEMENT, token])),
    '13': (token) => {
      const frame = send(own, target, [4000, 5000], token)
      return Buffer.concat([frame.subarray(0, 12), Buffer.from([0x81, 0, 0, 5]), frame.subarray(12)])
    },
    '14': (token) => ethernet(from.mac, to.mac, 0x88b5, Buffer.concat([token, Buffer.alloc(40)])),
    '15': (token) => ethernet(from.mac, '01:80:c2:00:00:0e', 0x88cc, Buffer.concat([token, Buffer.alloc(40)])),
    '16': (token) =>
      ethernet(
        from.mac,
        '01:80:c2:00:00:00',
        38,
        Buffer.concat([Buffer.from('424203', 'hex'), token, Buffer.alloc(30)]),
      ),
    '17': (token) => send(own, { mac: '01:00:5e:00:00:fb', address: '224.0.0.251' }, [5353, 5353], token),
    '18': (token) => send(own, { mac: ALL, address: '10.1.1.255' }, [4000, 5000], token),
    'reply for its own address': (token) => arpWith(own, token, { op: 2, to: to.mac }),
    'asking whether an address is free': (token) => arpWith(as('0.0.0.0'), token),
    'saying that it has none': (token) => arpWith(as('0.0.0.0'), token, { op: 2, to: to.mac }),
    'a lease asked for again by all': (token) => udp({ from: own, to: all }, [68, 67], dhcp(token)),
    'a lease asked for by an address of nobody': (token) =>
      udp({ from: as('10.1.1.99'), to: all }, [68, 67], dhcp(token)),
    'as a DHCP server to one': (token) => send(own, target, [67, 68], token),
    'as the router': (token) => send(as(ROUTER.address), target, [4000, 5000], token),
    'as the lower router': (token) => send(as(LOWER.address), target, [4000, 5000], token),
    'as the lower router with its card': (token) => send(LOWER, target, [4000, 5000], token),
    'as another client': (token) => send(as(other(from).address), target, [4000, 5000], token),
    'from the world': (token) => send(as('198.51.100.9'), target, [4000, 5000], token),
    'ARP as the lower router': (token) => arpWith(as(LOWER.address), token, { op: 2, to: to.mac }),
    'ARP as another client': (token) => arpWith(as(other(from).address), token, { op: 2, to: to.mac }),
    'ARP question as another client': (token) => arpWith(as(other(from).address), token),
    'ARP as an address of nobody': (token) => arpWith(as('10.1.1.99'), token),
    'ARP as the world': (token) => arpWith(as('198.51.100.9'), token),
    'ARP of another kind of network': (token) => {
      const frame = arpWith(own, token)
      frame.writeUInt16BE(6, 14)
      return frame
    },
    RARP: (token) => {
      const frame = arpWith(own, token)
      frame.writeUInt16BE(0x8035, 12)
      frame.writeUInt16BE(3, 20)
      return frame
    },
  }
  return Object.entries(makers).map(([kind, make]) => {
    const token = newToken()
    return { kind, frame: make(token), token }
  })
}

const ADVERTISEMENT = Buffer.from('8600000040000708000000000000000003044040ffffffffffffffff00000000', 'hex')

function other(machine: LabMachine): LabMachine {
  return machine.name === BOB.name ? ANN : BOB
}
