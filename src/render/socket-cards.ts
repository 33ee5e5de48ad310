/**
 * Cards of a host whose libvirt makes no bridges (`qemu:///session`): put in the place of the planned ones once those have
 * passed the gate. A LAN is a folder of Unix datagram sockets, two for each machine on it, which the router's QEMU joins by
 * a hub of its own; an uplink is QEMU's user-mode network. Pure.
 *
 * libvirt 9.0 knows no such card, so it is told of one that leads nowhere (UDP to port 1 of the loopback, which only root
 * could listen on), and `qemu:override` puts the card on the socket: link, MAC and name stay libvirt's to handle, and a
 * definition that lost the override is cut off rather than connected to anything.
 *
 * Source: QEMU 7.2, qapi/net.json (`dgram`, `hubport`); libvirt, docs/drvqemu.rst (overriding properties of devices).
 */
import { VmpkgError } from '../errors.ts'
import { insertElement, removeElement, setAttribute } from '../xml/edit.ts'
import { childElements, findElement, findElements, getAttribute } from '../xml/find.ts'
import { escapeXml } from '../xml/lexical.ts'
import { parseXml } from '../xml/parse.ts'
import type { XmlElement } from '../xml/tree.ts'

/** Machines that can stand on one LAN of sockets beside its router: each costs the router a copy of every frame. */
export const LAN_PORTS = 16

/** sun_path of unix(7) has 108 bytes, one of them for the end. */
const LONGEST_PATH = 107

export interface SocketCard {
  readonly mac: string
  /** Name of its LAN, or of the uplink. */
  readonly network: string
  /** Of the LAN's ports; 0 is its router. Absent for the uplink. */
  readonly port?: number
}

export interface SocketCards {
  /** Holds a folder for each LAN. */
  readonly folder: string
  readonly cards: readonly SocketCard[]
}

const NAMESPACE = 'http://libvirt.org/schemas/domain/qemu/1.0'
/** What libvirt could only do as root. */
const PRIVILEGED = new Set(['network', 'bridge', 'direct', 'ethernet', 'hostdev', 'vdpa', 'vhostuser'])

/** Nobody else's files come into a session, and its libvirt knows no owner of files to keep: it refuses to be told of one. */
export function dropLabels(root: XmlElement): void {
  for (const child of childElements(root)) {
    if (child.name === 'seclabel' && getAttribute(child, 'model') === 'dac') removeElement(root, child)
    else dropLabels(child)
  }
}

/** @throws {VmpkgError} `HOST_UNSUPPORTED` for a card that needs a bridge and is none of these, and for too long a path */
export function joinBySockets(root: XmlElement, { folder, cards }: SocketCards): void {
  dropLabels(root)
  const joined: { readonly alias: string; readonly netdev: string; readonly backends: readonly object[] }[] = []
  for (const card of findElements(root, 'devices/interface')) {
    const mac = read(card, 'mac', 'address')?.toLowerCase()
    const own = cards.find((one) => one.mac === mac && one.network === read(card, 'source', 'network'))
    if (own === undefined) {
      refuse(card)
      continue
    }
    for (const name of ['filterref', 'port', 'alias', 'source', 'virtualport'])
      for (const child of findElements(card, name)) removeElement(card, child)
    if (own.port === undefined) {
      setAttribute(card, 'type', 'user')
      insertElement(card, `<alias name='ua-uplink-${escapeXml(own.network)}'/>`)
      continue
    }
    setAttribute(card, 'type', 'udp')
    const nowhere = "<source address='127.0.0.1' port='1'>\n  <local address='127.0.0.1' port='0'/>\n</source>"
    const address = findElement(card, 'mac')
    insertElement(card, nowhere, address === undefined ? {} : { after: address })
    const alias = `ua-lan${own.port}-${own.network}`
    insertElement(card, `<alias name='${escapeXml(alias)}'/>`)
    joined.push({ alias, netdev: `net-${own.network}`, backends: backendsOf(`${folder}/${own.network}`, own) })
  }
  if (joined.length === 0) return
  const words = joined.flatMap(({ backends }) => backends.flatMap((one) => ['-netdev', JSON.stringify(one)]))
  const args = words.map((word) => `  <qemu:arg value='${escapeXml(word)}'/>`)
  insertElement(root, inNamespace('commandline', args))
  const devices = joined.map(
    ({ alias, netdev }) => `  <qemu:device alias='${escapeXml(alias)}'>
    <qemu:frontend>
      <qemu:property name='netdev' type='string' value='${escapeXml(netdev)}'/>
    </qemu:frontend>
  </qemu:device>`,
  )
  insertElement(root, inNamespace('override', devices))
}

/** Whose `port` is absent stands on an uplink; `undefined` for a card that no socket joins to anything. */
export function readSocketCard(card: XmlElement): Omit<SocketCard, 'mac'> | undefined {
  const alias = read(card, 'alias', 'name') ?? ''
  const [, port, network = ''] = /^ua-(?:lan(\d+)|uplink)-(.+)$/.exec(alias) ?? []
  const type = getAttribute(card, 'type')
  if (network === '' || type !== (port === undefined ? 'user' : 'udp')) return undefined
  return port === undefined ? { network } : { network, port: Number(port) }
}

/** Of all cards of a definition. */
export function listSocketCards(xml: string): readonly Omit<SocketCard, 'mac'>[] {
  return findElements(parseXml(xml).root, 'devices/interface').flatMap((card) => readSocketCard(card) ?? [])
}

/** Puts the cards of a machine that is to run beside the one it was made from on other ports of their LANs. */
export function renumberPorts(root: XmlElement, numbers: ReadonlyMap<string, number>): void {
  const words = new Map<string, string>()
  for (const card of findElements(root, 'devices/interface')) {
    const { network = '', port } = readSocketCard(card) ?? {}
    const now = numbers.get(network)
    if (port === undefined || now === undefined) continue
    words.set(`ua-lan${port}-${network}`, `ua-lan${now}-${network}`)
    for (const end of ['up', 'down']) words.set(`/${network}/${port}.${end}"`, `/${network}/${now}.${end}"`)
  }
  for (const path of ['devices/interface/alias', 'qemu:commandline/qemu:arg', 'qemu:override/qemu:device']) {
    for (const element of findElements(root, path)) {
      for (const name of ['name', 'value', 'alias']) {
        let text = getAttribute(element, name)
        if (text === undefined) continue
        for (const [old, word] of words)
          text = name === 'value' ? text.replaceAll(old, word) : text === old ? word : text
        setAttribute(element, name, text)
      }
    }
  }
}

/** The router joins all ports by a hub, so that whoever is there hears everybody. */
function backendsOf(folder: string, { network, port }: SocketCard): readonly object[] {
  if (port !== 0) return [socket(`net-${network}`, `${folder}/${port}.down`, `${folder}/${port}.up`)]
  const ports = Array.from({ length: LAN_PORTS }, (_, index) => index + 1)
  return [
    ...ports.flatMap((number) => [
      socket(`net-${network}-${number}`, `${folder}/${number}.up`, `${folder}/${number}.down`),
      { type: 'hubport', id: `hub-${network}-${number}`, hubid: 1, netdev: `net-${network}-${number}` },
    ]),
    { type: 'hubport', id: `net-${network}`, hubid: 1 },
  ]
}

function socket(id: string, own: string, other: string): object {
  const longest = Math.max(Buffer.byteLength(own), Buffer.byteLength(other))
  if (longest > LONGEST_PATH) {
    throw new VmpkgError('HOST_UNSUPPORTED', `The path of a LAN’s socket has ${longest} bytes: ${own}`, {
      hint: `A socket’s path has at most ${LONGEST_PATH}: choose a shorter XDG_RUNTIME_DIR or --root.`,
    })
  }
  return { type: 'dgram', id, local: { type: 'unix', path: own }, remote: { type: 'unix', path: other } }
}

function inNamespace(name: string, lines: readonly string[]): string {
  return `<qemu:${name} xmlns:qemu='${NAMESPACE}'>\n${lines.join('\n')}\n</qemu:${name}>`
}

function refuse(card: XmlElement): void {
  const type = getAttribute(card, 'type') ?? ''
  if (!PRIVILEGED.has(type)) return
  throw new VmpkgError(
    'HOST_UNSUPPORTED',
    `Under qemu:///session no card can be of type ${type}: libvirt has no rights there`,
    {
      hint: 'Use --connect private or --connect qemu:///system for this machine.',
    },
  )
}

function read(card: XmlElement, path: string, name: string): string | undefined {
  const element = findElement(card, path)
  return element && getAttribute(element, name)
}
