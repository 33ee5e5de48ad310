/**
 * What a rendered network may hold. A router's LAN is a bridge without the host: no address, no forwarding, no DHCP or DNS
 * of libvirt. An uplink is NAT with the planned addresses, or what the user chose of the host's own network.
 */
import { findElement, getAttribute } from '../../xml/find.ts'
import type { XmlElement } from '../../xml/tree.ts'
import type { Gate } from '../gate.ts'
import {
  asking,
  type Check,
  chosen,
  either,
  given,
  never,
  neverValue,
  oneOf,
  type Refusal,
  type Rule,
  rule,
  unless,
} from '../policy.ts'
import { judgePci } from './host-device.ts'
import { bandwidth, switchPort } from './network-card.ts'
import { attributes, each, hexadecimal, line, no, number, onOff, textOf, word, yesNo } from './values.ts'

const libvirtOnly = neverValue('only libvirt says this')
const ours = never('vmpkg writes it, after the gate')
const nothingElse = never('an uplink gives the planned addresses and nothing else')
const withoutHost = never('a LAN of a router is without the host')

const bridgeOf = (name: Check, stp: Check, delay: Check): Rule => ({
  attributes: {
    name,
    stp,
    delay,
    zone: neverValue('would choose a zone of this host’s firewall'),
    macTableManager: oneOf('kernel', 'libvirt'),
  },
  required: ['name'],
  judge: (element, gate) =>
    gate.given['bridge']?.includes(getAttribute(element, 'name') ?? '') &&
    (getAttribute(element, 'stp') === undefined || getAttribute(element, 'delay') === undefined)
      ? 'says whether it has STP and what delay'
      : undefined,
})

const common: Rule = {
  attributes: {
    connections: libvirtOnly,
    ipv6: no,
    trustGuestRxFilters: unless(no, 'host-bridge', yesNo),
  },
  children: {
    name: textOf(given("the network's name", 'name')),
    uuid: textOf(given("the network's UUID", 'uuid')),
    title: ours,
    description: ours,
    metadata: ours,
    bridge: bridgeOf(given("the network's own bridge", 'bridge'), oneOf('off'), oneOf('0')),
    mac: { attributes: { address: given("the MAC of the network's bridge", 'mac') }, required: ['address'] },
    mtu: attributes(number, 'size'),
    port: attributes(yesNo, 'isolated'),
    bandwidth,
    ...switchPort('host-bridge').children,
    portgroup: rule(switchPort('host-bridge'), {
      needs: 'host-bridge',
      many: true,
      attributes: { name: word, default: yesNo },
      children: { bandwidth },
    }),
    route: never('would change where this host sends packets'),
    domain: {
      attributes: { name: word, localOnly: yesNo, register: neverValue('would change the names that this host knows') },
    },
    'dnsmasq:options': never('dnsmasq would read files and run programs of this host'),
  },
}

const names: Rule = {
  attributes: { enable: yesNo, forwardPlainNames: yesNo },
  children: each(nothingElse, 'forwarder', 'txt', 'srv', 'host'),
}

export const lanNetwork: Rule = rule(common, {
  children: {
    dns: rule(names, { attributes: { enable: no }, required: ['enable'] }),
    forward: withoutHost,
    ip: withoutHost,
  },
})

/** Records and reservations that the user gave; an uplink gives nothing of a template's own. */
const uplinkNames: Rule = {
  attributes: { enable: yesNo, forwardPlainNames: yesNo },
  children: {
    forwarder: { attributes: { addr: chosen, domain: word }, many: true },
    host: { attributes: { ip: chosen }, many: true, children: { hostname: { text: chosen, many: true } } },
    ...each(nothingElse, 'txt', 'srv'),
  },
}

const lease = attributes(word, 'expiry', 'unit')

const addresses: Rule = {
  attributes: {
    address: given('the planned address', 'address'),
    netmask: given('the planned netmask', 'netmask'),
    family: oneOf('ipv4'),
    prefix: neverValue('the netmask says it'),
    localPtr: yesNo,
  },
  required: ['address', 'netmask'],
  children: {
    dhcp: {
      children: {
        range: {
          attributes: {
            start: given('the planned first address', 'rangeFirst'),
            end: given('the planned last address', 'rangeLast'),
          },
          required: ['start', 'end'],
          children: { lease },
        },
        host: {
          many: true,
          attributes: { mac: chosen, ip: chosen, name: chosen, id: chosen },
          children: { lease },
        },
        bootp: { attributes: { file: line, server: chosen }, needs: 'host-folder:read' },
      },
    },
    tftp: { attributes: { root: chosen }, needs: 'host-folder:read' },
  },
}

const deviceOfHost: Rule = {
  needs: 'direct-network',
  attributes: { dev: chosen },
  children: {
    interface: { attributes: { dev: chosen, connections: libvirtOnly }, many: true },
    pf: { attributes: { dev: chosen } },
  },
}

const forward: Rule = {
  variants: {
    by: 'mode',
    absent: 'nat',
    cases: {
      nat: {
        attributes: { dev: asking('direct-network', chosen) },
        children: {
          interface: {
            needs: 'direct-network',
            attributes: { dev: chosen, connections: libvirtOnly },
            many: true,
          },
          nat: {
            attributes: { ipv6: no },
            children: {
              address: never('would send from addresses of this host that were not planned'),
              port: attributes(number, 'start', 'end'),
            },
          },
        },
      },
      // Without translation, and in "open" without libvirt's firewall: the guests are reached as the host is.
      route: deviceOfHost,
      open: deviceOfHost,
      bridge: {
        attributes: { dev: asking('direct-network', chosen) },
        children: { interface: { needs: 'direct-network', attributes: { dev: chosen }, many: true } },
        judge: judgeBridged,
      },
      ...each(deviceOfHost, 'private', 'vepa', 'passthrough'),
      hostdev: {
        attributes: { managed: yesNo },
        children: {
          driver: { attributes: { name: oneOf('vfio'), model: word } },
          pf: { needs: 'direct-network', attributes: { dev: chosen } },
          address: {
            many: true,
            attributes: {
              type: oneOf('pci'),
              ...each(hexadecimal, 'domain', 'bus', 'slot', 'function'),
              multifunction: onOff,
              connections: libvirtOnly,
            },
            judge: judgePci,
          },
        },
      },
    },
  },
}

export const uplinkNetwork: Rule = rule(common, {
  children: {
    bridge: bridgeOf(either(given("the network's own bridge", 'bridge'), asking('host-bridge', chosen)), onOff, number),
    dns: uplinkNames,
    forward,
    ip: { ...addresses, many: true },
    // Where this host sends packets is the user's to say.
    route: {
      many: true,
      attributes: {
        family: oneOf('ipv4', 'ipv6'),
        ...each<Check>(chosen, 'address', 'gateway'),
        ...each<Check>(number, 'prefix', 'metric'),
        netmask: chosen,
      },
    },
  },
})

/** Guests stand on a bridge of the host, or on an interface of it: with neither, libvirt would take what there is. */
function judgeBridged(element: XmlElement, gate: Gate): Refusal | undefined {
  if (findElement(element, 'interface') !== undefined || getAttribute(element, 'dev') !== undefined) return undefined
  const reason = gate.missing('host-bridge')
  return reason === undefined ? undefined : { reason, allowedBy: 'host-bridge' }
}
