/**
 * From a URI to a target: which transport leads to which daemon, what that needs to know, and the name the daemon is
 * opened by. Rules are libvirt's (docs/uri and its remote driver). Pure: the surroundings are handed in.
 */
import { type ClientConfig, readClientConfig } from './client-config.ts'
import {
  type DaemonPlace,
  MODES,
  type Mode,
  placeOf,
  type Surroundings,
  systemSocket,
  userConfigFolder,
} from './daemon-sockets.ts'
import { refuse } from './error.ts'
import { formatQuery, parseUri, quote, type UriParts } from './uri-syntax.ts'

interface Common {
  /** As given, or the default or what its alias stands for. */
  readonly uri: string
  /** What CONNECT_OPEN gets: without transport, host and our own parameters. */
  readonly name: string
  /** True for a unix socket of this machine: no keepalive is needed, since the kernel tells when the other end is gone. */
  readonly isLocal: boolean
  /** True when nobody else can read along, so that a password may be sent. */
  readonly isSecure: boolean
  /** False when the URI forgoes to check who answers: then a password may not be shown to them unless it is asked for. */
  readonly isVerified: boolean
  /** True when a missing daemon may be started: the user's own, at its usual place. */
  readonly spawn: boolean
  /** Where the daemon is, for certificates and for the auth file; `localhost` without one. */
  readonly host: string
  /** `sasl`, `sasl.MECHANISM` or `polkit`, when only that will do. */
  readonly auth: string | undefined
  readonly authFile: string | undefined
}

export interface UnixTarget extends Common, DaemonPlace {
  readonly transport: 'unix'
}

export interface SshTarget extends Common {
  readonly transport: 'ssh'
  /** The program to run instead of `ssh`. */
  readonly command: string
  readonly user: string | undefined
  readonly port: number | undefined
  readonly keyfile: string | undefined
  readonly knownHosts: string | undefined
  /** ssh's StrictHostKeyChecking, where the URI says something about it. */
  readonly hostKeyChecking: 'accept-new' | 'no' | undefined
  /** ssh may ask at the terminal. */
  readonly tty: boolean
  readonly proxy: Proxy
  /** The netcat program of the far machine. */
  readonly netcat: string
  /** The daemon's socket on the far machine, for netcat. */
  readonly socket: string
  /** What virt-ssh-helper gets. */
  readonly helperUri: string
  readonly readonly: boolean
}

interface ExtTarget extends Common {
  readonly transport: 'ext'
  readonly command: string
}

interface TcpTarget extends Common {
  readonly transport: 'tcp'
  readonly port: number
}

export interface TlsTarget extends Common {
  readonly transport: 'tls'
  readonly port: number
  /** The one folder of all files, instead of the usual places. */
  readonly pkiPath: string | undefined
  /** Check the server's certificate. */
  readonly verify: boolean
  /** Check our own certificates before they are used. */
  readonly sanity: boolean
  readonly priority: string | undefined
}

export type Target = UnixTarget | SshTarget | ExtTarget | TcpTarget | TlsTarget

const PROXIES = ['auto', 'netcat', 'native'] as const
type Proxy = (typeof PROXIES)[number]

/** Drivers that libvirt runs inside the program that uses it, so that there is no daemon to speak to. */
const DRIVERS_WITHOUT_DAEMON = new Set([
  'esx',
  'gsx',
  'vpx',
  'hyperv',
  'openvz',
  'vmwareplayer',
  'vmwarews',
  'vmwarefusion',
])
/** Parameters that are for the client. */
const OURS = new Set(
  'name command socket auth sshauth netcat keyfile pkipath known_hosts known_hosts_verify tls_priority mode proxy no_sanity no_verify no_tty authfile'.split(
    ' ',
  ),
)
const TLS_PORT = 16_514
const TCP_PORT = 16_509

/**
 * Resolves a URI or an alias; without one `LIBVIRT_DEFAULT_URI`, else `uri_default` of libvirt.conf, else the system's
 * daemon for root and the session's for others.
 * @throws {LibvirtError} `invalidArg`, `confSyntax` for libvirt.conf, `noSupport` for what no daemon is behind.
 */
export function resolveUri(given: string | undefined, around: Surroundings, readonly: boolean): Target {
  const { uid, env } = around
  const file = uid === 0 ? '/etc/libvirt/libvirt.conf' : `${userConfigFolder(around)}/libvirt.conf`
  const config = readClientConfig(around.read(file), file)
  const probed = uid === 0 ? 'qemu:///system' : 'qemu:///session'
  const text = given || env['LIBVIRT_DEFAULT_URI'] || config.uriDefault || probed
  const uri = config.aliases.get(text) ?? text
  const parts = parseUri(/^xen(?::\/\/)?$/i.test(uri) ? 'xen:///system' : uri)
  return targetOf(uri, parts, config, around, readonly)
}

function targetOf(uri: string, parts: UriParts, config: ClientConfig, around: Surroundings, readonly: boolean): Target {
  const { driver, transport, path, host, port, user } = parts
  const params = new OwnParameters(parts)
  const rest = parts.params.filter(([name]) => !OURS.has(name.toLowerCase()))
  const name = params.get('name') ?? (driver === 'remote' ? '' : `${driver}://${path}${formatQuery(rest)}`)
  const mode = params.oneOf('mode', MODES) ?? oneOf('libvirt.conf: remote_mode', config.remoteMode, MODES) ?? 'auto'
  const isSession = around.uid !== 0 && (path === '/session' || driver === 'test')
  const socket = params.get('socket')
  const auth = params.get('auth')
  if (auth !== undefined && !/^(?:sasl|sasl\..+|polkit)$/i.test(auth))
    throw refuse('invalidArg', `libvirt URI: auth is ${quote(auth)}; it may be sasl, sasl.MECHANISM or polkit`)
  // Checked also where the transport does not use them, as libvirt does.
  for (const flag of ['no_verify', 'no_sanity', 'no_tty']) params.isSet(flag)
  params.oneOf('proxy', PROXIES)
  const common = {
    uri,
    name,
    isLocal: transport === 'unix',
    isSecure: transport !== 'tcp' && transport !== 'ext',
    isVerified: true,
    spawn: transport === 'unix' && socket === undefined && isSession && around.env['LIBVIRT_AUTOSTART'] !== '0',
    host: host ?? 'localhost',
    auth,
    authFile: params.get('authfile'),
  }
  if (/^[a-z0-9]+:/i.test(uri)) refuseWithoutDaemon(driver, path)
  switch (transport) {
    case 'unix': {
      const place = placeOf(driver, mode, isSession, readonly, around)
      return { ...common, transport, ...place, ...(socket === undefined ? {} : { sockets: [socket] }) }
    }
    case 'ssh': {
      const ssh = sshParts(parts, params, config)
      return {
        ...common,
        ...ssh,
        transport,
        isVerified: ssh.hostKeyChecking !== 'no',
        user,
        port,
        readonly,
        socket: socket ?? systemSocket(driver, mode, readonly),
        helperUri:
          params.get('name') ?? `${driver}://${path}${formatQuery([...rest, ...helperParameters(mode, socket)])}`,
      }
    }
    case 'ext': {
      const command = params.get('command')
      if (command) return { ...common, transport, command }
      throw refuse('invalidArg', 'libvirt URI: the transport ext needs command=, the program to run')
    }
    case 'tcp':
      return { ...common, transport, port: port ?? TCP_PORT }
    case 'tls':
      return {
        ...common,
        transport,
        port: port ?? TLS_PORT,
        pkiPath: params.get('pkipath'),
        verify: !params.isSet('no_verify'),
        isVerified: !params.isSet('no_verify'),
        sanity: !params.isSet('no_sanity'),
        priority: params.get('tls_priority') ?? config.tlsPriority,
      }
    case 'libssh':
    case 'libssh2':
      throw refuse(
        'noSupport',
        `libvirt URI: the transport ${transport} is a library of libvirt's own client; use +ssh, which runs the ssh program`,
      )
  }
}

function sshParts(
  { driver, path }: UriParts,
  params: OwnParameters,
  config: ClientConfig,
): Pick<SshTarget, 'command' | 'keyfile' | 'knownHosts' | 'hostKeyChecking' | 'tty' | 'proxy' | 'netcat'> {
  const [socket, netcat] = [params.get('socket'), params.get('netcat')]
  const isSession = path === '/session'
  const asked = params.oneOf('proxy', PROXIES) ?? oneOf('libvirt.conf: remote_proxy', config.remoteProxy, PROXIES)
  // The helper finds a session's socket, netcat takes one that is given, and only the old name serves every driver.
  const usual = socket !== undefined || driver === 'remote' ? 'netcat' : isSession ? 'native' : 'auto'
  const proxy = asked === undefined || asked === 'auto' ? usual : asked
  if (proxy === 'native' && netcat !== undefined)
    throw refuse('invalidArg', 'libvirt URI: netcat= is not used where virt-ssh-helper is (proxy=native, or a session)')
  if (proxy !== 'native' && isSession && socket === undefined)
    throw refuse(
      'invalidArg',
      'libvirt URI: netcat cannot find the socket of a session on another machine; give socket=, or proxy=native',
    )
  const verify = params.oneOf('known_hosts_verify', ['normal', 'auto', 'ignore'])
  return {
    command: params.get('command') || 'ssh',
    keyfile: params.get('keyfile'),
    knownHosts: params.get('known_hosts'),
    // libvirt promises that no_verify still refuses a host key that has changed.
    hostKeyChecking:
      verify === 'ignore' ? 'no' : params.isSet('no_verify') || verify === 'auto' ? 'accept-new' : undefined,
    tty: !params.isSet('no_tty'),
    proxy: proxy === 'auto' && netcat !== undefined ? 'netcat' : proxy,
    netcat: netcat || 'nc',
  }
}

/** What the far helper must know too; helpers before libvirt 9.1 do not look at them. */
function helperParameters(mode: Mode, socket: string | undefined): [string, string][] {
  const pairs: [string, string | undefined][] = [
    ['mode', mode === 'auto' ? undefined : mode],
    ['socket', socket],
  ]
  return pairs.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))
}

function refuseWithoutDaemon(driver: string, path: string): void {
  if (DRIVERS_WITHOUT_DAEMON.has(driver) || path === '/embed')
    throw refuse(
      'noSupport',
      `libvirt URI: ${driver}://${path} runs inside libvirt's library; there is no daemon to speak to`,
    )
}

/** The client's own parameters; their names are matched in any case, and the last of a name counts, as in libvirt. */
class OwnParameters {
  readonly #values: ReadonlyMap<string, string>

  constructor({ params }: UriParts) {
    this.#values = new Map(params.map(([name, value]) => [name.toLowerCase(), value]))
  }

  get(name: string): string | undefined {
    return this.#values.get(name)
  }

  /** libvirt takes a number here and any but 0 for yes. */
  isSet(name: string): boolean {
    const value = this.get(name)
    if (value === undefined) return false
    if (/^[+-]?\d{1,9}$/.test(value)) return Number(value) !== 0
    throw refuse('invalidArg', `libvirt URI: ${name} is ${quote(value)}; it must be 0 or 1`)
  }

  oneOf<V extends string>(name: string, known: readonly V[]): V | undefined {
    return oneOf(`libvirt URI: ${name}`, this.get(name), known)
  }
}

function oneOf<V extends string>(label: string, value: string | undefined, known: readonly V[]): V | undefined {
  const found = known.find((one) => one === value)
  if (value === undefined || found !== undefined) return found
  throw refuse('invalidArg', `${label} is ${quote(value)}, which is none of ${known.join(', ')}`)
}
