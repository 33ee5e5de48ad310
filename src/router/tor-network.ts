/**
 * Which Tor network a router enters, and by which relays: the few lines of a torrc that say so, with ours for the rules of
 * the router above. Nothing of it can run a program, open a file or send a packet anywhere but to what it names: a
 * template writes Tor's configuration anew from these facts.
 *
 * Source: tor(1), DirAuthority, Bridge, UseBridges, TestingTorNetwork. Test oracle: `tor --verify-config`.
 */
import { VmpkgError } from '../errors.ts'
import { parsePort, parseServer } from './vpn/address.ts'
import { ProfileProblem, quote } from './vpn/problem.ts'
import type { Endpoint } from './vpn-profile.ts'

interface TorAuthority {
  readonly nickname: string
  readonly address: string
  readonly orPort: number
  readonly dirPort: number
  /** 40 upper-case hexadecimal digits, as the fingerprint. */
  readonly v3Ident: string
  readonly fingerprint: string
}

interface TorBridge {
  readonly address: string
  readonly port: number
  readonly fingerprint?: string
}

export interface TorNetwork {
  /** `[a-z0-9][a-z0-9-]{0,30}` */
  readonly name: string
  readonly kind: 'bridges' | 'private'
  readonly isTesting: boolean
  /** Relays are not named: the router above finds them in the consensus. */
  readonly usesConsensus: boolean
  readonly authorities: readonly TorAuthority[]
  readonly bridges: readonly TorBridge[]
  /** All that Tor may connect to by name: the bridges, or authorities and relays; nothing where it uses the consensus. */
  readonly endpoints: readonly Endpoint[]
}

/** Characters of the file. */
const MAX_LENGTH = 64 * 1024
/** Lines that become rules of two routers. */
const MAX_ENDPOINTS = 256
const NICKNAME = /^[A-Za-z0-9]{1,19}$/
const IDENTITY = /^[0-9A-Fa-f]{40}$/
/** `relay consensus`, in place of addresses. */
const CONSENSUS = 'consensus'

interface Line {
  readonly line: number
  readonly directive: string
  readonly words: readonly string[]
}

/** @throws {VmpkgError} `TOR_NETWORK_INVALID`, naming line and directive */
export function parseTorNetwork(name: string, text: string): TorNetwork {
  try {
    return { name, ...readNetwork(readLines(text)) }
  } catch (error) {
    if (!(error instanceof ProfileProblem)) throw error
    const { line, directive, hint } = error
    const where = [...(line > 0 ? [`line ${line}`] : []), ...(directive === '' ? [] : [directive])].join(', ')
    throw new VmpkgError('TOR_NETWORK_INVALID', `Tor network ${name}${where && `, ${where}`}: ${error.message}`, {
      ...(hint === undefined ? {} : { hint }),
      details: { network: name, line, directive },
    })
  }
}

function readLines(text: string): readonly Line[] {
  if (text.length > MAX_LENGTH) throw new ProfileProblem(0, '', `it is longer than ${MAX_LENGTH} characters`)
  const plain = text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n')
  return plain.split('\n').flatMap((whole, index) => {
    const line = index + 1
    if (/[^\x20-\x7e\t]/.test(whole)) throw new ProfileProblem(line, '', 'it has a character that is not plain ASCII')
    const words = whole.trim().split(/[ \t]+/)
    const [directive = ''] = words.splice(0, 1)
    if (directive === '' || directive.startsWith('#')) return []
    return [{ line, directive: directive.toLowerCase(), words }]
  })
}

function readNetwork(lines: readonly Line[]): Omit<TorNetwork, 'name'> {
  const authorities: TorAuthority[] = []
  const bridges: TorBridge[] = []
  const relays: Endpoint[] = []
  const flags = new Map<string, Line>()
  for (const one of lines) {
    if (one.directive === 'dirauthority') authorities.push(readAuthority(one))
    else if (one.directive === 'bridge') bridges.push(readBridge(one))
    else if (one.directive === 'relay' && one.words.join(' ') === CONSENSUS) flags.set(CONSENSUS, one)
    else if (one.directive === 'relay') relays.push(readPlace(one.words, { line: one.line, directive: 'relay' }))
    else if (one.directive === 'usebridges' || one.directive === 'testingtornetwork') flags.set(one.directive, one)
    else {
      const message = `${quote(one.directive)} does not belong there`
      throw new ProfileProblem(
        one.line,
        '',
        message,
        'Only DirAuthority, TestingTorNetwork, UseBridges, Bridge and relay do.',
      )
    }
  }
  const isTesting = readFlag(flags.get('testingtornetwork'), 'TestingTorNetwork')
  const usesBridges = bridges.length > 0
  const asked = flags.get('usebridges')
  if (asked !== undefined && readFlag(asked, 'UseBridges') !== usesBridges) {
    throw new ProfileProblem(
      asked.line,
      'UseBridges',
      'it says another thing than the Bridge lines',
      'Take it out: bridges that are named are used.',
    )
  }
  if (isTesting && authorities.length === 0) {
    const { line = 0 } = flags.get('testingtornetwork') ?? {}
    throw new ProfileProblem(
      line,
      'TestingTorNetwork',
      'a test network has authorities of its own',
      'Add its DirAuthority lines.',
    )
  }
  if (!usesBridges && authorities.length === 0) {
    throw new ProfileProblem(
      0,
      '',
      'it names neither a bridge nor an authority',
      'For the public network without bridges give no file.',
    )
  }
  const usesConsensus = flags.has(CONSENSUS)
  if (usesConsensus && relays.length > 0) {
    const { line = 0 } = flags.get(CONSENSUS) ?? {}
    const hint = 'Take the addresses out, or this line.'
    throw new ProfileProblem(line, 'relay', 'the relays are those of the consensus, or those that are named', hint)
  }
  if (usesBridges && (relays.length > 0 || usesConsensus)) {
    throw new ProfileProblem(
      0,
      'relay',
      'with bridges Tor connects to no other relay',
      'Take the relay lines out, or the bridges.',
    )
  }
  const entries = usesBridges
    ? bridges.map(({ address, port }) => endpoint(address, port))
    : usesConsensus
      ? [] // the authorities are in it too
      : [...authorities.map(({ address, orPort }) => endpoint(address, orPort)), ...relays]
  if (entries.length > MAX_ENDPOINTS) throw new ProfileProblem(0, '', `it names more than ${MAX_ENDPOINTS} relays`)
  const endpoints = [...new Map(entries.map((one) => [`${one.address}:${one.port}`, one])).values()]
  return { kind: usesBridges ? 'bridges' : 'private', isTesting, usesConsensus, authorities, bridges, endpoints }
}

function endpoint(address: string, port: number): Endpoint {
  return { address, protocol: 'tcp', port }
}

function readFlag(line: Line | undefined, directive: string): boolean {
  if (line === undefined) return false
  const [value, ...more] = line.words
  if ((value !== '0' && value !== '1') || more.length > 0)
    throw new ProfileProblem(line.line, directive, 'it is 0 or 1')
  return value === '1'
}

/** `DirAuthority NICKNAME orport=PORT v3ident=IDENTITY ADDRESS:PORT FINGERPRINT`, the last in groups of four or whole. */
function readAuthority({ line, words }: Line): TorAuthority {
  const place = { line, directive: 'DirAuthority' }
  const [nickname = '', ...rest] = words
  if (!NICKNAME.test(nickname)) throw new ProfileProblem(line, place.directive, `${quote(nickname)} is not a nickname`)
  const options = rest.slice(
    0,
    Math.max(
      0,
      rest.findIndex((word) => !word.includes('=')),
    ),
  )
  const given = new Map(options.map((word) => [word.split('=')[0], word.slice(word.indexOf('=') + 1)]))
  const unknown = [...given.keys()].find((key) => key !== 'orport' && key !== 'v3ident')
  if (unknown !== undefined || given.size !== options.length || given.size !== 2) {
    const message = `it needs orport= and v3ident=, each once${unknown === undefined ? '' : `, and no ${quote(unknown)}`}`
    throw new ProfileProblem(line, place.directive, message)
  }
  const [where = '', ...groups] = rest.slice(options.length)
  const { address, port } = readPlace([where], place)
  return {
    nickname,
    address,
    orPort: parsePort(given.get('orport') ?? '', place),
    dirPort: port,
    v3Ident: readIdentity(given.get('v3ident') ?? '', place),
    fingerprint: readIdentity(groups.join(''), place),
  }
}

function readBridge({ line, words }: Line): TorBridge {
  const place = { line, directive: 'Bridge' }
  const [first = '', ...rest] = words
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(first)) {
    const hint = 'Ask for bridges without a transport.'
    throw new ProfileProblem(
      line,
      'Bridge',
      `the transport ${quote(first)} needs a program that the router does not have`,
      hint,
    )
  }
  const { address, port } = readPlace([first], place)
  if (rest.length === 0) return { address, port }
  return { address, port, fingerprint: readIdentity(rest.join(''), place) }
}

function readPlace(words: readonly string[], place: { readonly line: number; readonly directive: string }): Endpoint {
  const [word = '', ...more] = words
  const [, host = word, port = ''] = /^(.*):([^:]*)$/.exec(word) ?? []
  if (more.length > 0 || port === '') {
    throw new ProfileProblem(place.line, place.directive, `${quote(words.join(' '))} is not ADDRESS:PORT`)
  }
  return endpoint(parseServer(host, place), parsePort(port, place))
}

function readIdentity(
  text: string,
  { line, directive }: { readonly line: number; readonly directive: string },
): string {
  if (IDENTITY.test(text)) return text.toUpperCase()
  throw new ProfileProblem(line, directive, `${quote(text)} is not a fingerprint of 40 hexadecimal digits`)
}
