/** Network cards by the `type` of their other end. Planned cards are held to the plan in `judge-cards.ts`. */
import { getAttribute } from '../../xml/find.ts'
import type { XmlElement } from '../../xml/tree.ts'
import type { Gate, Need } from '../gate.ts'
import {
  asking,
  type Check,
  chosen,
  either,
  given,
  never,
  neverValue,
  oneOf,
  type Rule,
  rule,
  unless,
} from '../policy.ts'
import { device, virtioDriver } from './device.ts'
import { pciAddress, pciSource } from './host-device.ts'
import {
  attributes,
  each,
  ipAddress,
  large,
  line,
  loopback,
  macAddress,
  no,
  number,
  onOff,
  word,
  yesNo,
} from './values.ts'

const notUsb = neverValue('a card by USB is a USB device')
const PORT_PARAMETERS = ['managerid', 'typeid', 'typeidversion', 'instanceid', 'profileid', 'interfaceid'] as const
/** Those that libvirt brings and that only drop packets; others are the host's own (libvirt's nwfilter format). */
const FILTERS = [
  'clean-traffic',
  'clean-traffic-gateway',
  'no-mac-spoofing',
  'no-mac-broadcast',
  'no-ip-spoofing',
  'no-ip-multicast',
  'no-arp-spoofing',
  'no-arp-mac-spoofing',
  'no-arp-ip-spoofing',
  'no-other-l2-traffic',
  'no-other-rarp-traffic',
] as const
const libvirtOnly = neverValue('only libvirt says this')

/** Ports of switches and their networks (VLANs) are a matter of the host's own network. */
function ofSwitches(need: Need): Rule {
  return {
    children: {
      vlan: {
        needs: need,
        attributes: { trunk: yesNo },
        children: { tag: { attributes: { id: number, nativeMode: word }, many: true } },
      },
      virtualport: {
        needs: need,
        attributes: { type: oneOf('802.1Qbg', '802.1Qbh', 'openvswitch', 'midonet') },
        children: {
          parameters: attributes(chosen, ...PORT_PARAMETERS),
        },
      },
    },
    attributes: { trustGuestRxFilters: unless(no, need, yesNo) },
  }
}

/** Limits: they can only slow the guest down. `floor` would hold back others. */
export const bandwidth: Rule = {
  attributes: { classID: libvirtOnly },
  children: {
    inbound: {
      attributes: { ...each(number, 'average', 'peak', 'burst'), floor: neverValue('would hold back others') },
    },
    outbound: attributes(number, 'average', 'peak', 'burst', 'floor'),
  },
}

const guestRoute: Rule = {
  many: true,
  attributes: {
    family: oneOf('ipv4', 'ipv6'),
    ...each<Check>(ipAddress, 'address', 'gateway', 'netmask'),
    ...each<Check>(number, 'prefix', 'metric'),
  },
}
const guestAddress: Rule = {
  many: true,
  attributes: { family: oneOf('ipv4', 'ipv6'), address: ipAddress, prefix: number, peer: ipAddress },
}

const offloads = attributes(onOff, 'csum', 'gso', 'tso4', 'tso6', 'ecn', 'ufo', 'mrg_rxbuf')

/** A port of the host that leads to the guest: on loopback, else only where the user said so. */
const portForward: Rule = {
  many: true,
  attributes: { proto: oneOf('tcp', 'udp'), address: either(loopback, chosen), dev: chosen },
  children: {
    range: { attributes: { ...each(number, 'start', 'end', 'to'), exclude: yesNo }, many: true },
  },
  judge: isForwardSaid,
}

/** Cards that libvirt connects to a network or a bridge. */
const onNetwork: Rule = rule(ofSwitches('host-bridge'), {
  children: {
    source: {
      attributes: {
        network: either(given('a network of this domain', 'network'), asking('network:uplink', chosen)),
        portgroup: asking('host-bridge', chosen),
        portid: libvirtOnly,
        bridge: libvirtOnly,
        macTableManager: libvirtOnly,
      },
    },
  },
})
const onBridge: Rule = rule(ofSwitches('host-bridge'), {
  children: {
    source: {
      attributes: { bridge: either(given('a bridge of this domain', 'bridge'), asking('host-bridge', chosen)) },
    },
  },
})

const user: Rule = {
  needs: 'user-network',
  children: {
    source: attributes(chosen, 'dev'),
    backend: { attributes: { type: oneOf('default', 'passt'), logFile: chosen } },
    ip: guestAddress,
    route: guestRoute,
    portForward,
  },
}

const tunnelEnd: Rule = {
  needs: 'tunnel',
  children: {
    source: {
      attributes: { address: chosen, port: chosen },
      required: ['port'],
      children: { local: attributes(chosen, 'address', 'port') },
    },
  },
}

const direct: Rule = rule(ofSwitches('direct-network'), {
  needs: 'direct-network',
  children: {
    source: {
      attributes: { dev: chosen, mode: oneOf('vepa', 'bridge', 'private', 'passthrough') },
      required: ['dev'],
    },
  },
})

const vhostUser: Rule = {
  children: {
    source: {
      attributes: {
        type: oneOf('unix'),
        path: asking('direct-network', chosen),
        mode: oneOf('client', 'server'),
        dev: asking('user-network', chosen),
      },
      children: { reconnect: { attributes: { enabled: yesNo, timeout: number, delay: number } } },
    },
    backend: { attributes: { type: asking('user-network', oneOf('passt')), logFile: asking('user-network', chosen) } },
    ip: { ...guestAddress, needs: 'user-network' },
    route: { ...guestRoute, needs: 'user-network' },
    portForward: { ...portForward, needs: 'user-network' },
  },
  judge: isVhostUserNamed,
}

const notForQemu = (what: string, ...names: readonly string[]): Rule => ({
  never: `only ${what} has it`,
  children: { source: { attributes: each<Check>(neverValue(`only ${what} has it`), ...names) } },
})

export const networkCard: Rule = rule(device, {
  required: ['type'],
  attributes: { managed: yesNo, trustGuestRxFilters: no },
  variants: {
    by: 'type',
    cases: {
      network: onNetwork,
      bridge: onBridge,
      user,
      ...each(tunnelEnd, 'mcast', 'server', 'client', 'udp'),
      direct,
      ethernet: {
        needs: 'direct-network',
        children: {
          target: { attributes: { dev: chosen, managed: yesNo } },
          source: {
            children: {
              ...each(never('would set addresses of the host'), 'ip', 'route'),
            },
          },
          ...each(never('would set addresses of the host'), 'ip', 'route'),
        },
      },
      vhostuser: vhostUser,
      vdpa: {
        needs: 'direct-network',
        children: { source: { attributes: { dev: chosen }, required: ['dev'] } },
      },
      hostdev: rule(ofSwitches('direct-network'), {
        children: {
          source: rule(pciSource, {
            attributes: { missing: libvirtOnly },
            children: {
              address: { ...pciAddress, attributes: { ...pciAddress.attributes, device: notUsb } },
              vendor: never('a card by USB is a USB device'),
              product: never('a card by USB is a USB device'),
            },
          }),
          driver: { attributes: { name: oneOf('vfio'), model: word } },
        },
      }),
      null: {},
      internal: notForQemu('VirtualBox', 'name'),
      vds: notForQemu('ESX', 'switchid', 'portgroupid', 'connectionid'),
    },
  },
  children: {
    mac: {
      attributes: {
        address: macAddress,
        type: oneOf('generated', 'static'),
        check: libvirtOnly,
        currentAddress: libvirtOnly,
      },
      required: ['address'],
    },
    model: { attributes: { type: word }, required: ['type'] },
    mtu: attributes(number, 'size'),
    link: { attributes: { state: oneOf('up', 'down') }, required: ['state'] },
    port: { attributes: { isolated: yesNo }, required: ['isolated'] },
    driver: rule(virtioDriver, {
      attributes: {
        name: oneOf('qemu', 'vhost'),
        txmode: word,
        ...each<Check>(onOff, 'ioeventfd', 'event_idx', 'rss', 'rss_hash_report'),
        ...each<Check>(number, 'queues', 'rx_queue_size', 'tx_queue_size'),
      },
      children: { host: offloads, guest: offloads },
    }),
    backend: { attributes: { tap: asking('direct-network', chosen), vhost: asking('direct-network', chosen) } },
    bandwidth,
    coalesce: { children: { rx: { children: { frames: attributes(number, 'max') } } } },
    tune: { children: { sndbuf: { text: large } } },
    rom: { attributes: { bar: onOff, enabled: yesNo, file: asking('host-file:read', chosen) } },
    teaming: { attributes: { type: oneOf('persistent', 'transient'), persistent: word } },
    target: { attributes: { dev: asking('direct-network', chosen) } },
    filterref: {
      attributes: { filter: oneOf(...FILTERS) },
      required: ['filter'],
      children: { parameter: { attributes: { name: word, value: line }, many: true } },
    },
    script: never('would run a program of this host'),
    downscript: never('would run a program of this host'),
    guest: never('only containers have it'),
    backenddomain: never('only Xen has it'),
  },
})

/** The rules of switches, for networks. */
export const switchPort = ofSwitches

function isForwardSaid(forward: XmlElement, gate: Gate): string | undefined {
  const address = getAttribute(forward, 'address')
  if (address !== undefined) return undefined
  const ports = forward.children.flatMap((node) =>
    node.type === 'element' && node.name === 'range' ? [getAttribute(node, 'start') ?? ''] : [],
  )
  return ports.length > 0 && ports.every((port) => gate.isChosen(port))
    ? undefined
    : 'opens a port on every address of this host that the user did not give; name the address'
}

function isVhostUserNamed(card: XmlElement): string | undefined {
  const named = card.children.some(
    (node) =>
      node.type === 'element' &&
      ((node.name === 'source' && getAttribute(node, 'path') !== undefined) ||
        (node.name === 'backend' && getAttribute(node, 'type') === 'passt')),
  )
  return named ? undefined : 'a socket or passt is named'
}
