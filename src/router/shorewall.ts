/**
 * The policy of our nftables rules as files of Shorewall 5.2, for those who keep Shorewall (requirements SHW-U and SHW-G). uni
 * lets its LAN out, each lower router to its declared endpoints only; gal lets its LAN into the tunnel and nowhere else.
 * What is established counts only where it would be accepted anew: an old connection must not go on past a dead tunnel.
 *
 * Source: shorewall-zones(5), -interfaces, -hosts, -policy, -rules, -snat, shorewall.conf(5). Test oracle: `shorewall check`.
 */
import { VmpkgError } from '../errors.ts'
import type { Endpoint } from './vpn-profile.ts'

interface ShorewallSide {
  /** Name of the network device: letters, digits, `.`, `_` and `-`. */
  readonly device: string
}

/** A router below, at a fixed address of the LAN. */
interface ShorewallLower {
  readonly address: string
  readonly endpoints: readonly Endpoint[]
  /** Relays of Tor besides: Shorewall reads no consensus, so it is TCP, in the tunnel. */
  readonly reach?: 'tor'
}

export interface ShorewallPolicy {
  readonly wan: ShorewallSide
  readonly lan: ShorewallSide & {
    /** `10.1.1.0/24` */
    readonly cidr: string
    /** The router's own address there. */
    readonly address: string
  }
  readonly lowers: readonly ShorewallLower[]
  /** A network on the WAN's side that gets a zone of its own (uni only). */
  readonly house?: string
  /** gal: the tunnel, and where it leads. */
  readonly tunnel?: ShorewallSide & { readonly endpoints: readonly Endpoint[] }
}

type Row = readonly string[]

const PROTECTED = 'tcpflags,nosmurfs,routefilter,logmartians,sourceroute=0'

/** Files of a folder for `shorewall check` and `shorewall start`, by name. @throws {VmpkgError} `PARAMETER_INVALID` */
export function renderShorewall(policy: ShorewallPolicy): ReadonlyMap<string, string> {
  verifyDevices(policy)
  return new Map([
    ['shorewall.conf', formatSettings()],
    ['zones', formatRows('ZONE TYPE', zones(policy))],
    ['interfaces', `?FORMAT 2\n${formatRows('ZONE INTERFACE OPTIONS', interfaces(policy))}`],
    ['hosts', formatRows('ZONE HOSTS OPTIONS', hosts(policy))],
    ['policy', formatRows('SOURCE DEST POLICY', policies(policy))],
    ['rules', formatRules(policy)],
    ['snat', formatRows('ACTION SOURCE DEST', [['MASQUERADE', policy.lan.cidr, outside(policy).device]])],
  ])
}

/** A device name is the one free word in these files. @throws {VmpkgError} `PARAMETER_INVALID` */
function verifyDevices({ wan, lan, tunnel }: ShorewallPolicy): void {
  const names = [wan, lan, ...(tunnel === undefined ? [] : [tunnel])].map(({ device }) => device)
  const isPlain = names.every((name) => /^[A-Za-z][A-Za-z0-9._-]{0,14}$/.test(name))
  if (isPlain && new Set(names).size === names.length) return
  throw new VmpkgError('PARAMETER_INVALID', `Not the network devices of a router: ${JSON.stringify(names)}`, {
    hint: 'Each side has a device of its own: a letter, then at most 14 letters, digits, dots, lines and underlines.',
  })
}

/** The side that clients leave by. */
function outside({ wan, tunnel }: ShorewallPolicy): ShorewallSide {
  return tunnel ?? wan
}

/** Zones as the layers call them: `uni` and `gal` are the LANs of these routers, `lan` is the house's. */
function lanZone({ tunnel }: ShorewallPolicy): string {
  return tunnel === undefined ? 'uni' : 'gal'
}

function outsideZone({ tunnel }: ShorewallPolicy): string {
  return tunnel === undefined ? 'wan' : 'vpn'
}

function zones(policy: ShorewallPolicy): readonly Row[] {
  return [
    ['fw', 'firewall'],
    ['wan', 'ipv4'],
    ...(policy.house === undefined ? [] : [['lan:wan', 'ipv4']]),
    [lanZone(policy), 'ipv4'],
    ...(policy.tunnel === undefined ? [] : [['vpn', 'ipv4']]),
  ]
}

/** The LAN's zone is bound in `hosts`: a source that is not of its network belongs to no zone. */
function interfaces({ wan, lan, tunnel }: ShorewallPolicy): readonly Row[] {
  return [
    // Behind a tunnel nothing but its packets goes out, no request for a lease either: the address is fixed.
    ['wan', wan.device, tunnel === undefined ? `${PROTECTED},dhcp` : PROTECTED],
    ['-', lan.device, `${PROTECTED},dhcp`],
    ...(tunnel === undefined ? [] : [['vpn', tunnel.device, `${PROTECTED},optional`]]),
  ]
}

function hosts(policy: ShorewallPolicy): readonly Row[] {
  const { wan, lan, house } = policy
  return [
    [lanZone(policy), `${lan.device}:${lan.cidr}`],
    ...(house === undefined ? [] : [['lan', `${wan.device}:${house}`]]),
  ]
}

function policies(policy: ShorewallPolicy): readonly Row[] {
  const own = lanZone(policy)
  return [
    [own, outsideZone(policy), 'ACCEPT'],
    ...(policy.house === undefined ? [] : [[own, 'lan', 'ACCEPT']]),
    ...(policy.tunnel === undefined
      ? []
      : [
          [own, 'wan', 'DROP'],
          ['vpn', own, 'DROP'],
        ]),
    ['all', 'all', 'DROP'],
  ]
}

/** `ESTABLISHED` first: there Shorewall accepts everything unless it is told otherwise. */
function formatRules(policy: ShorewallPolicy): string {
  const own = lanZone(policy)
  const replies = [
    ...lowerRules(policy, 'replies'),
    ...(policy.tunnel === undefined
      ? []
      : [['DROP', own, 'wan'], ['DROP', 'wan', own], ...tunnelReplies(policy.tunnel.endpoints)]),
  ]
  const fresh = [
    ...lowerRules(policy, 'fresh'),
    ['ACCEPT', own, `fw:${policy.lan.address}`, 'udp,tcp', '53'],
    ['ACCEPT', 'fw', outsideZone(policy), 'udp,tcp', '53'],
    ...(policy.tunnel === undefined
      ? []
      : policy.tunnel.endpoints.map((one) => ['ACCEPT', 'fw', `wan:${one.address}`, one.protocol, String(one.port)])),
  ]
  const header = 'ACTION SOURCE DEST PROTO DPORT SPORT'
  return `?SECTION ESTABLISHED\n${formatRows(header, replies)}?SECTION RELATED\n${formatRows(
    header,
    replies.filter(([action]) => action === 'DROP'),
  )}?SECTION INVALID\n${formatRows(header, [['DROP', 'all', 'all']])}?SECTION NEW\n${formatRows(header, fresh)}`
}

/** A lower router reaches its endpoints, whatever was established with others before. */
function lowerRules(policy: ShorewallPolicy, kind: 'fresh' | 'replies'): readonly Row[] {
  const own = lanZone(policy)
  const out = outsideZone(policy)
  return policy.lowers.flatMap(({ address, endpoints, reach }) => [
    ...endpoints.flatMap((one) => [
      ['ACCEPT', `${own}:${address}`, `${out}:${one.address}`, one.protocol, String(one.port)],
      ...(kind === 'fresh'
        ? []
        : [['ACCEPT', `${out}:${one.address}`, `${own}:${address}`, one.protocol, '-', String(one.port)]]),
    ]),
    ...(reach === undefined || policy.tunnel === undefined
      ? []
      : [
          ['ACCEPT', `${own}:${address}`, out, 'tcp'],
          ...(kind === 'fresh' ? [] : [['ACCEPT', out, `${own}:${address}`, 'tcp']]),
        ]),
    ['DROP', `${own}:${address}`, 'all'],
    ...(kind === 'fresh' ? [] : [['DROP', 'all', `${own}:${address}`]]),
  ])
}

function tunnelReplies(endpoints: readonly Endpoint[]): readonly Row[] {
  return [
    ...endpoints.flatMap(({ address, protocol, port }) => [
      ['ACCEPT', 'fw', `wan:${address}`, protocol, String(port)],
      ['ACCEPT', `wan:${address}`, 'fw', protocol, '-', String(port)],
    ]),
    ['DROP', 'fw', 'wan'],
    ['DROP', 'wan', 'fw'],
  ]
}

function formatRows(header: string, rows: readonly Row[]): string {
  return `${[`#${header.replaceAll(' ', '\t')}`, ...rows.map((row) => row.join('\t'))].join('\n')}\n`
}

function formatSettings(): string {
  const settings = {
    STARTUP_ENABLED: 'Yes',
    VERBOSITY: '1',
    IP_FORWARDING: 'On',
    DISABLE_IPV6: 'Yes',
    ROUTE_FILTER: 'Yes',
    LOG_MARTIANS: 'Yes',
    CLAMPMSS: 'Yes',
    AUTOHELPERS: 'No',
    FASTACCEPT: 'No',
    ADMINISABSENTMINDED: 'No',
    IMPLICIT_CONTINUE: 'No',
    DETECT_DNAT_IPADDRS: 'No',
    ACCEPT_DEFAULT: 'none',
    DROP_DEFAULT: 'none',
    REJECT_DEFAULT: 'none',
    CONFIG_PATH: ':${CONFDIR}/shorewall:${SHAREDIR}/shorewall',
  }
  return `${Object.entries(settings)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n')}\n`
}
