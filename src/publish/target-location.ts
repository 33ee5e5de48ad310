/**
 * Where a registry is published to: a folder, `sftp://`, `rsync://`, `rsync+ssh://`, `s3://` or `oci://`. Pure. There is no
 * `host:path` form: it cannot be told from a folder whose name has a colon. Passwords have no place in an address, which
 * ends in shell histories and logs. Test oracle: the table in test/publish/target-location.test.ts.
 */
import { VmpkgError } from '../errors.ts'
import { type OciPlace, readOciUrl } from '../model/oci.ts'

export interface SshPlace {
  readonly host: string
  readonly user: string | undefined
  readonly port: number | undefined
  /** Absolute, or relative to the home folder; without a slash at its end. */
  readonly path: string
  /** `keyfile` and `known_hosts` as in libvirt's URIs; without them what ~/.ssh/config says. */
  readonly keyfile: string | undefined
  readonly knownHosts: string | undefined
}

export interface BucketPlace {
  readonly bucket: string
  /** Empty, or ends in a slash. */
  readonly prefix: string
  readonly endpoint: URL | undefined
  readonly region: string | undefined
}

export interface OciTargetPlace extends OciPlace {
  /** Another repository of that server: its blobs are taken over without an upload. */
  readonly mountFrom: string | undefined
}

export type TargetLocation =
  | { readonly kind: 'folder'; readonly name: string; readonly folder: string }
  | { readonly kind: 'sftp' | 'rsync+ssh'; readonly name: string; readonly place: SshPlace }
  /** A daemon: `url` is what rsync takes. */
  | { readonly kind: 'rsync'; readonly name: string; readonly url: string }
  | { readonly kind: 's3'; readonly name: string; readonly place: BucketPlace }
  | { readonly kind: 'oci'; readonly name: string; readonly place: OciTargetPlace }

const SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i
const USER = /^[A-Za-z0-9_][A-Za-z0-9_.@-]*$/
const HOST = /^(?:[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\])$/
/** What S3 allows and every server can tell apart. */
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
const KEY = /^[A-Za-z0-9!_.*'()/-]*$/

/** Whether the words name something else than a folder of this host. */
export function isRemoteTarget(text: string): boolean {
  return SCHEME.test(text)
}

/** @throws {VmpkgError} `USAGE` */
export function parseTarget(text: string): TargetLocation {
  const scheme = SCHEME.exec(text)?.[1]?.toLowerCase()
  if (scheme === undefined) return { kind: 'folder', name: text, folder: text }
  const url = parseUrl(text)
  if (url.password !== '' || (['s3', 'oci', 'oci+http'].includes(scheme) && url.username !== '')) {
    throw wrong(
      'it holds a password',
      'Use a key, an agent, RSYNC_PASSWORD, the AWS variables or docker login instead.',
    )
  }
  if (url.hash !== '') throw wrong('it has a fragment')
  switch (scheme) {
    case 'sftp':
    case 'rsync+ssh':
      return { kind: scheme, name: nameOf(url), place: parseSsh(url) }
    case 'rsync':
      return { kind: 'rsync', name: nameOf(url), url: parseDaemon(url) }
    case 's3':
      return { kind: 's3', name: nameOf(url), place: parseBucket(url) }
    case 'oci':
    case 'oci+http':
      return { kind: 'oci', name: nameOf(url), place: parseOci(url) }
    default:
      throw wrong(`${scheme}:// is none of folder, sftp://, rsync://, rsync+ssh://, s3:// and oci://`)
  }
}

function parseUrl(text: string): URL {
  try {
    return new URL(text)
  } catch {
    throw wrong('it is no URL')
  }
}

/** Without parameters: they name files of this host. */
function nameOf(url: URL): string {
  return `${url.protocol}//${url.username === '' ? '' : `${url.username}@`}${url.host}${url.pathname}`
}

function parseSsh(url: URL): SshPlace {
  const { keyfile, known_hosts: knownHosts } = parameters(url, ['keyfile', 'known_hosts'])
  return { ...parseHost(url), path: parsePath(url), keyfile, knownHosts }
}

function parseHost(url: URL): Pick<SshPlace, 'host' | 'user' | 'port'> {
  const user = url.username === '' ? undefined : decode(url.username)
  // They become words of a command line: nothing that could be an option or a second host.
  if (!HOST.test(url.hostname)) throw wrong('its host name is none')
  if (user !== undefined && !USER.test(user)) throw wrong('its user name is none')
  return { host: url.hostname, user, port: url.port === '' ? undefined : Number(url.port) }
}

/** `/srv/www` is absolute; `/~/www` is below the home folder, as curl has it. */
function parsePath(url: URL): string {
  const path = decode(url.pathname).replace(/\/+$/, '')
  // biome-ignore lint: control characters are what is looked for
  if (path === '' || /[\u0000-\u001f\u007f]/.test(path) || path.split('/').includes('..')) {
    throw wrong('its path is none', 'Write sftp://host/srv/www/vmpkg, or sftp://host/~/vmpkg below the home folder.')
  }
  return path === '/~' ? '.' : path.replace(/^\/~\//, '')
}

function parseDaemon(url: URL): string {
  parameters(url, [])
  const { host, user, port } = parseHost(url)
  const path = parsePath(url)
  if (!path.startsWith('/')) throw wrong('a daemon has modules, no home folder')
  return `rsync://${user === undefined ? '' : `${user}@`}${host}${port === undefined ? '' : `:${port}`}${path}`
}

function parseBucket(url: URL): BucketPlace {
  const { endpoint, region } = parameters(url, ['endpoint', 'region'])
  if (!BUCKET.test(url.hostname)) throw wrong('its bucket name is none', 'Write s3://bucket/prefix?endpoint=https://….')
  const path = decode(url.pathname).replaceAll(/^\/+|\/+$/g, '')
  if (!KEY.test(path) || path.split('/').includes('..'))
    throw wrong('its prefix has characters that not every server takes')
  return {
    bucket: url.hostname,
    prefix: path === '' ? '' : `${path}/`,
    endpoint: endpoint === undefined ? undefined : parseEndpoint(endpoint),
    region,
  }
}

function parseOci(url: URL): OciTargetPlace {
  const { mount } = parameters(url, ['mount'])
  const place = readOciUrl(url)
  if (typeof place === 'string') throw wrong(place, 'Write oci://host/repository, in lower-case letters and digits.')
  const other = mount === undefined ? undefined : readOciUrl(new URL(`${url.protocol}//${url.host}/${mount}`))
  if (typeof other === 'string') throw wrong('what it mounts from is no name of a repository')
  return { ...place, mountFrom: other?.repository }
}

/** @throws {VmpkgError} `USAGE` */
export function parseEndpoint(text: string): URL {
  const url = parseUrl(text)
  const isLoopback = ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname)
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback)) return url
  throw wrong('its endpoint is not https', 'Plain http is taken from this host only.')
}

function parameters<Name extends string>(url: URL, known: readonly Name[]): Partial<Record<Name, string>> {
  const values: Partial<Record<Name, string>> = {}
  for (const [name, value] of url.searchParams) {
    const key = known.find((one) => one === name)
    if (key === undefined) throw wrong(`it has no parameter ${JSON.stringify(name.slice(0, 40))}`)
    if (value !== '') values[key] = value
  }
  return values
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw wrong('its escapes are malformed')
  }
}

/** The address itself is not repeated: it may hold a password. */
function wrong(why: string, hint = 'See docs/publishing-remote.md for the addresses it takes.'): VmpkgError {
  return new VmpkgError('USAGE', `The address of the registry is not understood: ${why}`, { hint })
}
