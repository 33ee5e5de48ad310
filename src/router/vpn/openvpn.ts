/**
 * OpenVPN profiles: reads directives into settings by the tables, then writes a config of its own from the settings.
 * Nothing of the original text is copied. Routes, resolver, user and firewall are the router's.
 */
import type { Endpoint, FindFile, ProfileFacts } from '../vpn-profile.ts'
import { findAddress, looksLikeIpv6, parseMtu } from './address.ts'
import { BLOCKS } from './key-material.ts'
import { judgeCiphers, verifySettings } from './openvpn-checks.ts'
import { ALIASES, type Grammar, HINTS, KEPT, LEFT_OUT, REFUSED } from './openvpn-directives.ts'
import { type Directive, formatWord, parseLines } from './openvpn-lines.ts'
import { Remotes } from './openvpn-remotes.ts'
import { Notes, ProfileProblem, quote } from './problem.ts'

/** What a profile says, understood. */
export interface Settings {
  readonly kept: Map<string, readonly string[]>
  readonly blocks: Map<string, readonly string[]>
  readonly dns: Set<string>
  readonly remotes: Remotes
  readonly notes: Notes
  /** Names that are known to be ignored by versions without them. */
  readonly ignored: Set<string>
  isClient: boolean
}

/** What a server may not change. Where the router routes everything itself, a pushed route can only lead past the tunnel. */
const NOT_PUSHED = [
  'route ',
  'route-ipv6',
  'ifconfig-ipv6',
  'redirect-gateway',
  'redirect-private',
  'setenv-safe',
  'block-outside-dns',
]

/** @param findFile texts beside the profile. @throws {ProfileProblem} */
export function parseOpenvpn(text: string, findFile: FindFile): ProfileFacts {
  const settings: Settings = {
    kept: new Map(),
    blocks: new Map(),
    dns: new Set(),
    remotes: new Remotes(),
    notes: new Notes(),
    ignored: new Set(),
    isClient: false,
  }
  for (const directive of parseLines(text.split('\n'))) take(settings, directive, findFile)
  const endpoints = settings.remotes.endpoints()
  verifySettings(settings, endpoints)
  judgeCiphers(settings)
  const [mtu] = settings.kept.get('tun-mtu') ?? []
  return {
    endpoints,
    dns: [...settings.dns],
    addresses: [],
    ...(mtu === undefined ? {} : { mtu: Number(mtu) }),
    file: formatOpenvpn(settings, endpoints),
    notes: settings.notes.list(),
  }
}

function take(settings: Settings, directive: Directive, findFile: FindFile): void {
  const { line, args, block } = directive
  const name = ALIASES.get(directive.name) ?? directive.name
  const refused = REFUSED.get(name)
  if (refused !== undefined) throw new ProfileProblem(line, name, refused, HINTS.get(name) ?? 'Take the line out.')
  if (block !== undefined && !BLOCKS.has(name) && name !== 'connection') {
    throw new ProfileProblem(line, KEPT.has(name) || OWN.has(name) ? name : '', 'it cannot be an inline block')
  }
  const own = OWN.get(name)
  if (own !== undefined) return own(settings, { ...directive, name }, findFile)
  const grammar = KEPT.get(name)
  if (grammar !== undefined) {
    verifyArgs({ ...directive, name }, grammar)
    if (name === 'tun-mtu') parseMtu(args[0] ?? '', { line, directive: name })
    settings.kept.set(name, args)
  } else if (BLOCKS.has(name)) takeBlock(settings, { ...directive, name }, findFile)
  else if (LEFT_OUT.has(name)) settings.notes.drop(LEFT_OUT.get(name) ?? '', name)
  else if (settings.ignored.has(name)) settings.notes.drop('no OpenVPN has to know it', 'ignore-unknown-option')
  else throw unknown(directive)
}

function verifyArgs({ line, name, args }: Directive, { args: patterns, optional = patterns.length }: Grammar): void {
  const isFine =
    args.length >= optional &&
    args.length <= patterns.length &&
    args.every((arg, index) => patterns[index]?.test(arg) === true)
  if (isFine) return
  if (name === 'comp-lzo' || name === 'compress') throw compression(line, name)
  throw new ProfileProblem(line, name, `it cannot take ${args.length === 0 ? 'nothing' : args.map(quote).join(' ')}`)
}

function compression(line: number, name: string): ProfileProblem {
  return new ProfileProblem(
    line,
    name,
    'compression lets an onlooker guess what is encrypted (VORACLE)',
    'Take the line out, or ask the provider for a profile without compression.',
  )
}

function unknown({ line, name }: Directive): ProfileProblem {
  return new ProfileProblem(
    line,
    /^[a-z0-9-]{1,40}$/.test(name) ? name : '',
    `the directive ${quote(name)} is not one that a profile may have`,
    'Take the line out; docs/vpn-profiles.md lists those that are understood.',
  )
}

type Own = (settings: Settings, directive: Directive, findFile: FindFile) => void

const ITSELF = 'the router sets it itself'

/** Directives that are facts, or whose argument decides. */
const OWN: ReadonlyMap<string, Own> = new Map<string, Own>([
  ['remote', ({ remotes }, directive) => remotes.addRemote(directive)],
  ['port', ({ remotes }, directive) => remotes.setPort(directive)],
  ['rport', ({ remotes }, directive) => remotes.setPort(directive)],
  ['proto', ({ remotes }, directive) => remotes.setProtocol(directive)],
  ['connection', takeConnection],
  ['client', (settings) => void (settings.isClient = true)],
  ['pull', (settings) => void (settings.isClient = true)],
  ['tls-client', () => undefined],
  ['dev', takeDevice],
  ['dev-type', takeDevice],
  ['script-security', takeScriptSecurity],
  ['allow-compression', takeAllowCompression],
  ['dhcp-option', takeDhcpOption],
  ['setenv', takeSetenv],
  ['ignore-unknown-option', ({ ignored }, { args }) => args.forEach((arg) => void ignored.add(arg))],
])

function takeDevice({ notes }: Settings, { line, name, args: [device = '', ...rest] }: Directive): void {
  const isTun = name === 'dev' ? /^tun[0-9]{0,4}$/.test(device) : device === 'tun'
  if (!isTun || rest.length > 0)
    throw new ProfileProblem(line, name, `only a tun device is possible, not ${quote(device)}`)
  if (device !== 'tun' && device !== 'tun0') notes.drop(ITSELF, name)
}

function takeScriptSecurity({ notes }: Settings, { line, name, args: [level = ''] }: Directive): void {
  if (level !== '0' && level !== '1')
    throw new ProfileProblem(line, name, 'it lets OpenVPN run programs', 'Take the line out.')
  notes.drop(ITSELF, name)
}

function takeAllowCompression({ notes }: Settings, { line, name, args: [value = ''] }: Directive): void {
  if (value !== 'no') throw compression(line, name)
  notes.drop(ITSELF, name)
}

function takeDhcpOption({ dns, notes }: Settings, { line, name, args: [type = '', value = ''] }: Directive): void {
  const address = findAddress(value)
  if (type === 'DNS' && address !== undefined) dns.add(address)
  else if (type === 'DNS6' || looksLikeIpv6(value)) notes.drop('the routers carry no IPv6', name)
  else if (type === 'DNS') throw new ProfileProblem(line, name, `the resolver ${quote(value)} is not an IPv4 address`)
  else notes.drop(ITSELF, name)
}

/** `setenv opt X` means X, and would even where X runs a program. */
function takeSetenv(settings: Settings, directive: Directive, findFile: FindFile): void {
  const { line, name, args } = directive
  const [variable = '', option, ...rest] = args
  if (variable === 'opt') {
    if (option !== undefined) take(settings, { line, name: option, args: rest }, findFile)
  } else if (
    /^(?:CLIENT_CERT|FORWARD_COMPATIBLE|PUSH_PEER_INFO|FRIENDLY_NAME|(?:UV|IV)_[A-Z0-9_]{1,40})$/.test(variable)
  ) {
    settings.notes.drop('it is only a variable', name)
  } else {
    throw new ProfileProblem(
      line,
      name,
      `it would set the variable ${quote(variable)} of the router`,
      'Take the line out.',
    )
  }
}

/** One server with what is particular to it. */
function takeConnection({ remotes, notes }: Settings, { line, name, block }: Directive): void {
  if (block === undefined) throw new ProfileProblem(line, name, 'it is a block')
  const inner = remotes.beginConnection()
  for (const directive of parseLines(block, line + 1)) {
    if (directive.name === 'remote') inner.addRemote(directive)
    else if (directive.name === 'port' || directive.name === 'rport') inner.setPort(directive)
    else if (directive.name === 'proto') inner.setProtocol(directive)
    else if (REFUSED.has(directive.name)) {
      throw new ProfileProblem(directive.line, directive.name, REFUSED.get(directive.name) ?? '', 'Take the line out.')
    } else if (LEFT_OUT.has(directive.name) || KEPT.has(directive.name)) notes.drop(ITSELF, directive.name)
    else throw unknown(directive)
  }
  remotes.endConnection(inner, { line, directive: name })
}

function takeBlock({ kept, blocks, notes }: Settings, directive: Directive, findFile: FindFile): void {
  const { line, name, args, block } = directive
  const rewrite = BLOCKS.get(name)
  if (rewrite === undefined) throw unknown(directive)
  const place = { line, directive: name }
  const [file = '', direction, ...rest] = args
  if (block === undefined && name === 'tls-auth' && direction !== undefined) {
    if (!/^[01]$/.test(direction)) throw new ProfileProblem(line, name, `${quote(direction)} is not a direction`)
    kept.set('key-direction', [direction])
  } else if (block === undefined && direction !== undefined)
    throw new ProfileProblem(line, name, 'it has too many words')
  if (rest.length > 0) throw new ProfileProblem(line, name, 'it has too many words')
  if (block !== undefined) blocks.set(name, rewrite(block, place))
  else if (name === 'peer-fingerprint')
    blocks.set(name, [...new Set([...(blocks.get(name) ?? []), ...rewrite([file], place)])])
  else {
    blocks.set(name, rewrite(readBeside(file, place, findFile), place))
    notes.add(`Put into it as ${name}: the file ${quote(file)}.`)
  }
}

function readBeside(
  file: string,
  { line, directive }: { line: number; directive: string },
  findFile: FindFile,
): readonly string[] {
  if (file === '') {
    throw new ProfileProblem(
      line,
      directive,
      'it asks for something to be typed',
      `Nobody can on a router: write it into <${directive}>.`,
    )
  }
  const text = findFile(file.replace(/^\.\//, ''))
  if (text !== undefined) return text.replaceAll('\r\n', '\n').replace(/\n$/, '').split('\n')
  throw new ProfileProblem(
    line,
    directive,
    `the file ${quote(file)} is not there`,
    `Put its text between <${directive}> and </${directive}>, or keep it beside the profile.`,
  )
}

function formatOpenvpn({ kept, blocks, dns }: Settings, endpoints: readonly Endpoint[]): string {
  const lines = [
    'client',
    'dev tun0',
    'dev-type tun',
    'nobind',
    'persist-tun',
    'allow-compression no',
    ...NOT_PUSHED.map((prefix) => `pull-filter ignore "${prefix}"`),
    ...endpoints.map(({ address, port, protocol }) => `remote ${address} ${port} ${protocol}`),
    ...[...dns].map((address) => `dhcp-option DNS ${address}`), // does nothing without a program, and tells what was asked
  ]
  for (const name of KEPT.keys()) {
    const args = kept.get(name)
    if (args !== undefined) lines.push([name, ...args.map(formatWord)].join(' '))
  }
  for (const name of BLOCKS.keys()) {
    const block = blocks.get(name)
    if (block !== undefined) lines.push(`<${name}>`, ...block, `</${name}>`)
  }
  return `${lines.join('\n')}\n`
}
