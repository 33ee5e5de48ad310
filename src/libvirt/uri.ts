/**
 * Connection addresses: which daemon, over which socket, and the name that daemon is opened by.
 * Rules are libvirt's (docs/uri and its remote driver). Pure: the environment is handed in.
 */
import { refuse } from './error.ts'

/** What of the surroundings decides where a daemon is. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly uid: number
  readonly home: string
  readonly exists: (path: string) => boolean
}

export interface Target {
  /** As given. */
  readonly uri: string
  /** What CONNECT_OPEN gets: without transport, host and our own parameters. */
  readonly name: string
  /** Sockets to try in order. */
  readonly sockets: readonly string[]
  /** True for the socket of a daemon on this machine. */
  readonly isLocal: boolean
  /** True when a missing daemon may be started: the user's own, at its usual place. */
  readonly spawn: boolean
}

/** Parameters that are for the client. */
const OURS = new Set(
  'name command socket auth sshauth netcat keyfile pkipath known_hosts known_hosts_verify tls_priority mode proxy no_sanity no_verify no_tty authfile'.split(
    ' ',
  ),
)

/**
 * Resolves a URI; without one `LIBVIRT_DEFAULT_URI`, else the system's daemon for root and the session's for others.
 * @throws {LibvirtError} `invalidArg` for no URI, `noSupport` for a transport other than the unix socket.
 */
export function resolveUri(given: string | undefined, around: Surroundings, readonly: boolean): Target {
  const fallback = around.env['LIBVIRT_DEFAULT_URI'] || (around.uid === 0 ? 'qemu:///system' : 'qemu:///session')
  const text = given ?? fallback
  const uri = parse(text)
  const [driver = '', transport = uri.host === '' ? 'unix' : 'tls'] = uri.protocol.slice(0, -1).split('+')
  if (transport !== 'unix' || uri.host !== '')
    throw refuse(
      'noSupport',
      `libvirt URI ${quote(text)} names the transport ${quote(transport)}; only the local socket is spoken`,
    )
  const isSession = around.uid !== 0 && (uri.pathname === '/session' || driver === 'test')
  const socket = uri.searchParams.get('socket')
  return {
    uri: text,
    name: uri.searchParams.get('name') ?? nameFor(uri, driver),
    sockets: socket === null ? socketsFor(uri.searchParams.get('mode'), isSession, readonly, around) : [socket],
    isLocal: true,
    spawn: socket === null && isSession && around.env['LIBVIRT_AUTOSTART'] !== '0',
  }
}

/** `$XDG_RUNTIME_DIR`, else the cache folder, and in it `libvirt`. */
function sessionFolder(around: Surroundings): string {
  const { env, home } = around
  return `${env['XDG_RUNTIME_DIR'] || env['XDG_CACHE_HOME'] || `${home}/.cache`}/libvirt`
}

function parse(text: string): URL {
  const uri = URL.parse(text)
  if (uri === null || !/^[a-z]+(\+[a-z0-9]+)?:$/.test(uri.protocol) || !text.includes('://'))
    throw refuse('invalidArg', `${quote(text)} is not a libvirt URI`)
  return uri
}

function nameFor(uri: URL, driver: string): string {
  const kept = new URLSearchParams([...uri.searchParams].filter(([name]) => !OURS.has(name)))
  return `${driver}://${uri.pathname}${kept.size === 0 ? '' : `?${kept.toString()}`}`
}

/** The modular daemon's socket where it exists, else the monolithic one's, which also names the place for a new one. */
function socketsFor(mode: string | null, isSession: boolean, readonly: boolean, around: Surroundings): string[] {
  const folder = isSession ? sessionFolder(around) : '/var/run/libvirt'
  const suffix = readonly && !isSession ? '-sock-ro' : '-sock'
  const modular = `${folder}/virtqemud${suffix}`
  const monolithic = `${folder}/libvirt${suffix}`
  if (mode === 'direct') return [modular]
  if (mode === 'legacy') return [monolithic]
  if (mode !== null && mode !== 'auto')
    throw refuse('invalidArg', `libvirt URI: mode ${quote(mode)} is none of auto, direct, legacy`)
  return around.exists(modular) ? [modular, monolithic] : [monolithic, modular]
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 200))
}
