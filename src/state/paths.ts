/**
 * Where everything lies on the host. Pure: the environment is handed in.
 *
 * Source: formats 6.1, decisions 16, the XDG base directory specification (relative values are ignored).
 */
import { isAbsolute, join, resolve } from 'node:path'
import { sha256 } from '../model/digest.ts'

export interface PathsRequest {
  /** True for uid 0. */
  readonly isRoot: boolean
  readonly home: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** From `--root`; `VMPKG_ROOT` otherwise. Moves everything below one folder. */
  readonly root?: string
}

/** Absolute folders and files; none need exist. */
export interface Paths {
  /** Source definitions, `<name>.yaml`. */
  readonly sources: string
  /** Pinned root files of the sources. */
  readonly roots: string
  /** Passwords of servers; `auth.conf.d/` lies beside it. */
  readonly auth: string
  /** Pins and channels. */
  readonly preferences: string
  /** The host's parameter values, `<package>.yaml`, and `_all.yaml` for every package that has the parameter. */
  readonly values: string
  /** Named sets of values, `<profile>.yaml`: values by package, `*` for every package that has the parameter. */
  readonly profiles: string
  readonly state: string
  readonly database: string
  readonly trustDatabase: string
  readonly lock: string
  /** Images, content-addressed, shared by all connections of the owner. */
  readonly images: string
  /** Unpacked packages by the digest of their archive. */
  readonly packages: string
  /** Locks and leases of running downloads. */
  readonly downloads: string
  /** Whatever can be fetched again. */
  readonly cache: string
  readonly catalogueDatabase: string
  /** Sockets and what a reboot may take; short, for a socket's path has at most 107 bytes. */
  readonly runtime: string
}

/** Folders of one libvirt connection. */
export interface ConnectionPaths {
  /** What database rows of the connection carry: `system`, `private`, `private-NAME`, else 16 hexadecimal digits. */
  readonly key: string
  readonly folder: string
  readonly overlays: string
  /** Data disks, by the name of the machine: they outlive it. */
  readonly data: string
  readonly mediums: string
  readonly logs: string
  /** What no disk shall hold; in memory where the runtime folder is. A private host sees it under the same path. */
  readonly memory: string
  /** A folder for each LAN of a libvirt that makes no bridges. */
  readonly sockets: string
  /** Keys of SSH sessions, by machine; in memory where the runtime folder is. */
  readonly ssh: string
  /** Where libvirt writes what QEMU says, in a file of the machine's name; absent where that is not known. */
  readonly qemuLogs?: string
  /** The durable part of a private host. */
  readonly privateHost: string
  /** The private host's sockets. */
  readonly privateRuntime: string
}

export function locatePaths({ isRoot, home, env, root = env['VMPKG_ROOT'] }: PathsRequest): Paths {
  if (root !== undefined && root !== '') {
    const below = (path: string) => join(resolve(root), path)
    return arrange(
      below('etc/vmpkg'),
      below('var/lib/vmpkg'),
      below('var/lib/vmpkg'),
      below('var/cache/vmpkg'),
      below('run/vmpkg'),
    )
  }
  if (isRoot) return arrange('/etc/vmpkg', '/var/lib/vmpkg', '/var/lib/vmpkg', '/var/cache/vmpkg', '/run/vmpkg')
  const xdg = (name: string, fallback: string) => {
    const value = env[name]
    return join(value !== undefined && isAbsolute(value) ? value : join(home, fallback), 'vmpkg')
  }
  const state = xdg('XDG_STATE_HOME', '.local/state')
  const runtime = env['XDG_RUNTIME_DIR']
  return arrange(
    xdg('XDG_CONFIG_HOME', '.config'),
    state,
    xdg('XDG_DATA_HOME', '.local/share'),
    xdg('XDG_CACHE_HOME', '.cache'),
    runtime !== undefined && isAbsolute(runtime) ? join(runtime, 'vmpkg') : join(state, 'run'),
  )
}

function arrange(config: string, state: string, data: string, cache: string, runtime: string): Paths {
  return {
    sources: join(config, 'sources'),
    roots: join(config, 'roots'),
    auth: join(config, 'auth.conf'),
    preferences: join(config, 'preferences.yaml'),
    values: join(config, 'values'),
    profiles: join(config, 'profiles'),
    state,
    database: join(state, 'state.db'),
    trustDatabase: join(state, 'trust.db'),
    lock: join(state, 'lock'),
    images: join(data, 'images'),
    packages: join(data, 'packages'),
    downloads: join(data, 'downloads'),
    cache,
    catalogueDatabase: join(cache, 'catalogue.db'),
    runtime,
  }
}

/** Folders of the connection with that URI, `private` and `private:NAME` included. */
export function connectionPaths(paths: Paths, uri: string): ConnectionPaths {
  const key = connectionKey(uri)
  const name = /^private(?:-(.+))?$/.exec(key)
  const host = name === null ? undefined : join('private', name[1] ?? 'default')
  const qemuLogs = host === undefined ? undefined : join(paths.state, host, 'log', 'qemu')
  const folder = join(paths.state, 'connections', key)
  return {
    key,
    folder,
    overlays: join(folder, 'overlays'),
    data: join(folder, 'data'),
    mediums: join(folder, 'mediums'),
    logs: join(folder, 'logs'),
    memory: join(paths.runtime, host ?? key, 'machines'),
    sockets: join(paths.runtime, key, 'lans'),
    ssh: join(paths.runtime, host ?? key, 'ssh'),
    ...(qemuLogs === undefined ? {} : { qemuLogs }),
    ...(key === 'system' ? { qemuLogs: '/var/log/libvirt/qemu' } : {}),
    privateHost: join(folder, 'host'),
    privateRuntime: join(paths.runtime, key),
  }
}

/** The same key for spellings of one connection. The usual connections have keys that people can read. */
export function connectionKey(uri: string): string {
  const text = normaliseConnectionUri(uri)
  if (text === 'qemu:///system') return 'system'
  if (/^private(:[a-z0-9][a-z0-9-]{0,31})?$/.test(text)) return text.replace(':', '-')
  return sha256(text).slice(0, 16)
}

/** Lower-case scheme and host, no trailing slash, parameters in order; `private:default` is `private`. */
export function normaliseConnectionUri(uri: string): string {
  const text = uri.trim()
  if (text === 'private' || text === 'private:default') return 'private'
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?/.exec(text)
  if (match === null) return text
  const [, scheme = '', authority = '', path = '', query = ''] = match
  const at = authority.lastIndexOf('@') + 1 // the user's name keeps its case
  const host = authority.slice(0, at) + authority.slice(at).toLowerCase()
  const parameters = query
    .split('&')
    .filter((part) => part !== '')
    .toSorted()
    .join('&')
  return `${scheme.toLowerCase()}://${host}${path.replace(/\/+$/, '')}${parameters === '' ? '' : `?${parameters}`}`
}
