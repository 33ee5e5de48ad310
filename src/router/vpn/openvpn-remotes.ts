/** The servers of an OpenVPN profile: `remote`, `port`, `proto` and `<connection>`, combined as OpenVPN combines them. */
import type { Endpoint } from '../vpn-profile.ts'
import { type Place, parsePort, parseServer } from './address.ts'
import type { Directive } from './openvpn-lines.ts'
import { ProfileProblem, quote } from './problem.ts'

interface Remote {
  readonly address: string
  readonly port: number | undefined
  readonly protocol: Endpoint['protocol'] | undefined
}

/** OpenVPN's own limit. */
const MAX_REMOTES = 64
const DEFAULT_PORT = 1194

export class Remotes {
  #port: number | undefined
  #protocol: Endpoint['protocol'] | undefined
  readonly #remotes: Remote[] = []
  readonly #connections: Endpoint[] = []

  addRemote({ line, name, args }: Directive): void {
    const place = { line, directive: name }
    const [server = '', port, protocol, ...rest] = args
    if (rest.length > 0) throw new ProfileProblem(line, name, 'it has too many words')
    this.#remotes.push({
      address: parseServer(server, place),
      port: port === undefined ? undefined : parsePort(port, place),
      protocol: protocol === undefined ? undefined : parseProtocol(protocol, place),
    })
  }

  setPort({ line, name, args: [port = '', ...rest] }: Directive): void {
    if (rest.length > 0) throw new ProfileProblem(line, name, 'it has too many words')
    this.#port = parsePort(port, { line, directive: name })
  }

  setProtocol({ line, name, args: [protocol = '', ...rest] }: Directive): void {
    if (rest.length > 0) throw new ProfileProblem(line, name, 'it has too many words')
    this.#protocol = parseProtocol(protocol, { line, directive: name })
  }

  /** What stands before a `<connection>` counts in it. */
  beginConnection(): Remotes {
    const inner = new Remotes()
    inner.#port = this.#port
    inner.#protocol = this.#protocol
    return inner
  }

  endConnection(inner: Remotes, { line, directive }: Place): void {
    if (inner.#remotes.length !== 1) throw new ProfileProblem(line, directive, 'it has to have exactly one remote')
    this.#connections.push(...inner.endpoints())
  }

  /** Without doubles, in their order. @throws {ProfileProblem} where there is none, or more than OpenVPN takes */
  endpoints(): readonly Endpoint[] {
    if (this.#connections.length > 0 && this.#remotes.length > 0) {
      throw new ProfileProblem(0, 'remote', 'it stands beside connection blocks, and OpenVPN would not use it')
    }
    const plain = this.#remotes.map(({ address, port, protocol }) => ({
      address,
      protocol: protocol ?? this.#protocol ?? 'udp',
      port: port ?? this.#port ?? DEFAULT_PORT,
    }))
    const all = [...this.#connections, ...plain]
    const found = [...new Map(all.map((one) => [`${one.address} ${one.port} ${one.protocol}`, one])).values()]
    if (found.length === 0) throw new ProfileProblem(0, 'remote', 'it names no server')
    if (found.length > MAX_REMOTES) throw new ProfileProblem(0, 'remote', `there are more than ${MAX_REMOTES} servers`)
    return found
  }
}

function parseProtocol(text: string, { line, directive }: Place): Endpoint['protocol'] {
  if (/^udp4?$/.test(text)) return 'udp'
  if (/^tcp4?(?:-client)?$/.test(text)) return 'tcp'
  if (/6/.test(text)) throw new ProfileProblem(line, directive, `routers carry no IPv6, so not ${quote(text)}`)
  throw new ProfileProblem(line, directive, `${quote(text)} is not udp or tcp`)
}
