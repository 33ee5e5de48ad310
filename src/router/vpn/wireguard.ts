/**
 * WireGuard profiles as `wg-quick` takes them. What only `wg-quick` understands becomes facts or is refused: its hooks are
 * shell commands. What comes out is a file for `wg setconf`.
 *
 * Source: wg(8), wg-quick(8).
 */
import { formatSubnet, type Subnet } from '../../model/subnet.ts'
import type { Endpoint, ProfileFacts } from '../vpn-profile.ts'
import {
  findAddress,
  findInterface,
  findSubnet,
  looksLikeIpv6,
  type Place,
  parseMtu,
  parsePort,
  parseServer,
} from './address.ts'
import { Notes, ProfileProblem, quote } from './problem.ts'

interface Entry extends Place {
  readonly value: string
}

interface Section {
  readonly line: number
  readonly kind: 'interface' | 'peer'
  readonly entries: Entry[]
}

const HOOKS = new Set(['preup', 'postup', 'predown', 'postdown'])
const KEYS: Readonly<Record<Section['kind'], ReadonlyMap<string, string>>> = {
  interface: spelled(['PrivateKey', 'Address', 'DNS', 'MTU', 'ListenPort', 'FwMark']),
  peer: spelled(['PublicKey', 'PresharedKey', 'Endpoint', 'AllowedIPs', 'PersistentKeepalive']),
}
const LISTS = new Set(['Address', 'DNS', 'AllowedIPs'])
const NO_IPV6 = 'the routers carry no IPv6'

/** @throws {ProfileProblem} */
export function parseWireguard(text: string): ProfileFacts {
  const notes = new Notes()
  const sections = parseSections(text)
  const [own, ...others] = sections.filter(({ kind }) => kind === 'interface')
  if (own === undefined) throw new ProfileProblem(0, '[Interface]', 'it is missing')
  if (others[0] !== undefined) throw new ProfileProblem(others[0].line, '[Interface]', 'it is there twice')
  for (const { directive } of own.entries) {
    if (directive === 'ListenPort' || directive === 'FwMark') notes.drop('the router sets it itself', directive)
  }
  const mtu = find(own, 'MTU')
  const peers = sections.filter(({ kind }) => kind === 'peer').map((section) => parsePeer(section, notes))
  if (peers.length === 0) throw new ProfileProblem(0, '[Peer]', 'it is missing, so there is no server')
  verifyPeers(peers, notes)
  const lines = [
    '[Interface]',
    `PrivateKey = ${parseKey(own, 'PrivateKey')}`,
    ...peers.flatMap(({ lines: more }) => more),
  ]
  return {
    endpoints: peers.map(({ endpoint }) => endpoint),
    dns: readDns(own, notes),
    addresses: readAddresses(own, notes),
    ...(mtu === undefined ? {} : { mtu: parseMtu(mtu.value, mtu) }),
    file: `${lines.join('\n')}\n`,
    notes: notes.list(),
  }
}

function spelled(names: readonly string[]): ReadonlyMap<string, string> {
  return new Map(names.map((name) => [name.toLowerCase(), name]))
}

/** As `wg` reads: comments from `#` on, no white space, keys in any case. */
function parseSections(text: string): readonly Section[] {
  const sections: Section[] = []
  for (const [index, raw] of text.split('\n').entries()) {
    const line = index + 1
    const plain = raw.replace(/#.*$/, '').replaceAll(/[ \t]/g, '')
    if (plain === '') continue
    const kind = plain.toLowerCase()
    if (kind === '[interface]' || kind === '[peer]') {
      sections.push({ line, kind: kind === '[peer]' ? 'peer' : 'interface', entries: [] })
      continue
    }
    const section = sections.at(-1)
    const [, key = '', value = ''] = /^([A-Za-z]+)=(.*)$/.exec(plain) ?? []
    if (section === undefined || key === '') throw new ProfileProblem(line, '', `${quote(plain)} does not belong there`)
    section.entries.push(parseEntry(section, line, key, value))
  }
  return sections
}

function parseEntry({ kind, entries }: Section, line: number, key: string, value: string): Entry {
  const lower = key.toLowerCase()
  if (HOOKS.has(lower)) throw new ProfileProblem(line, key, 'it is a shell command', 'Take the line out.')
  if (lower === 'table' || lower === 'saveconfig') {
    throw new ProfileProblem(line, key, 'the router takes care of routes and files itself', 'Take the line out.')
  }
  const directive = KEYS[kind].get(lower)
  if (directive === undefined) throw new ProfileProblem(line, '', `${quote(key)} does not belong into [${kind}]`)
  if (value === '') throw new ProfileProblem(line, directive, 'it has no value')
  if (!LISTS.has(directive) && entries.some((one) => one.directive === directive)) {
    throw new ProfileProblem(line, directive, 'it is there twice')
  }
  return { line, directive, value }
}

function find({ entries }: Section, directive: string): Entry | undefined {
  return entries.find((one) => one.directive === directive)
}

function items({ entries }: Section, directive: string): readonly Entry[] {
  return entries
    .filter((one) => one.directive === directive)
    .flatMap((one) => one.value.split(',').map((value) => ({ ...one, value })))
    .filter(({ value }) => value !== '')
}

/** 32 bytes in base64, in their one spelling. */
function parseKey(section: Section, directive: string): string {
  const found = find(section, directive)
  if (found === undefined) throw new ProfileProblem(section.line, directive, 'it is missing')
  const bytes = Buffer.from(found.value, 'base64')
  if (bytes.length === 32 && bytes.toString('base64') === found.value) return found.value
  throw new ProfileProblem(found.line, directive, 'it is not a key of 32 bytes in base64') // never with the key itself
}

interface Peer {
  readonly section: Section
  readonly endpoint: Endpoint
  readonly networks: readonly Subnet[]
  readonly lines: readonly string[]
}

function parsePeer(section: Section, notes: Notes): Peer {
  const server = find(section, 'Endpoint')
  if (server === undefined)
    throw new ProfileProblem(section.line, 'Endpoint', 'it is missing, so the peer is no server')
  const [, host = '', port = ''] = /^(.*?)(?::([^:\]]*))?$/.exec(server.value) ?? []
  const endpoint: Endpoint = {
    address: parseServer(host, server),
    protocol: 'udp',
    port: parsePort(port, server),
  }
  const networks = readNetworks(section, notes)
  const keepalive = find(section, 'PersistentKeepalive')
  return {
    section,
    endpoint,
    networks,
    lines: [
      '',
      '[Peer]',
      `PublicKey = ${parseKey(section, 'PublicKey')}`,
      ...(find(section, 'PresharedKey') === undefined ? [] : [`PresharedKey = ${parseKey(section, 'PresharedKey')}`]),
      `AllowedIPs = ${networks.map(formatSubnet).join(', ')}`,
      `Endpoint = ${endpoint.address}:${endpoint.port}`,
      ...(keepalive === undefined ? [] : [`PersistentKeepalive = ${parseKeepalive(keepalive)}`]),
    ],
  }
}

function parseKeepalive({ line, directive, value }: Entry): number {
  if (value === 'off') return 0
  const seconds = /^[0-9]{1,5}$/.test(value) ? Number(value) : -1
  if (seconds >= 0 && seconds <= 65_535) return seconds
  throw new ProfileProblem(line, directive, `${quote(value)} is not a number of seconds`)
}

function readNetworks(section: Section, notes: Notes): readonly Subnet[] {
  const found = new Map<string, Subnet>()
  for (const { line, directive, value } of items(section, 'AllowedIPs')) {
    const network = findSubnet(value)
    if (network !== undefined) found.set(formatSubnet(network), network)
    else if (looksLikeIpv6(value)) notes.drop(NO_IPV6, 'AllowedIPs of IPv6')
    else throw new ProfileProblem(line, directive, `${quote(value)} is not an IPv4 network`)
  }
  if (found.size === 0) throw new ProfileProblem(section.line, 'AllowedIPs', 'it names no IPv4 network')
  return [...found.values()]
}

function verifyPeers(peers: readonly Peer[], notes: Notes): void {
  const seen = new Set<string>()
  for (const { section, networks } of peers) {
    const key = find(section, 'PublicKey')
    for (const word of [`key ${key?.value ?? ''}`, ...networks.map(formatSubnet)]) {
      if (seen.has(word))
        throw new ProfileProblem(section.line, '[Peer]', 'it shares a key or a network with another peer')
      seen.add(word)
    }
  }
  if (!coversAll(peers.flatMap(({ networks }) => networks))) {
    notes.add('The tunnel does not take every address (AllowedIPs); what it does not take is dropped.')
  }
}

function coversAll(networks: readonly Subnet[]): boolean {
  let next = 0
  for (const { address, prefix } of networks.toSorted((a, b) => a.address - b.address)) {
    if (address > next) return false
    next = Math.max(next, address + 2 ** (32 - prefix))
  }
  return next === 2 ** 32
}

function readAddresses(section: Section, notes: Notes): readonly string[] {
  const found = new Set<string>()
  for (const { line, directive, value } of items(section, 'Address')) {
    const address = findInterface(value, 32)
    if (address !== undefined) found.add(address)
    else if (looksLikeIpv6(value)) notes.drop(NO_IPV6, 'Address of IPv6')
    else throw new ProfileProblem(line, directive, `${quote(value)} is not an IPv4 address`)
  }
  if (found.size === 0) throw new ProfileProblem(section.line, 'Address', 'it names no IPv4 address of the tunnel')
  return [...found]
}

function readDns(section: Section, notes: Notes): readonly string[] {
  const found = new Set<string>()
  for (const { value } of items(section, 'DNS')) {
    const address = findAddress(value)
    if (address !== undefined) found.add(address)
    else if (looksLikeIpv6(value)) notes.drop(NO_IPV6, 'DNS of IPv6')
    else notes.drop('search domains are not used', 'DNS of names')
  }
  return [...found]
}
