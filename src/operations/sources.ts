/** The registries this host trusts, as files and as places to fetch from. */
import { join } from 'node:path'
import { showUrl } from '../fetch/locate.ts'
import type { Mirror, MirrorSet } from '../fetch/mirror.ts'
import { OciSession } from '../fetch/oci-session.ts'
import { basicAuth } from '../fetch/open-file.ts'
import { filePenalties } from '../fetch/penalties.ts'
import { type OciPlace, readOciUrl } from '../model/oci.ts'
import { type AuthEntry, findAuth, readAuthFiles } from '../sources/auth-file.ts'
import { formatExpiry, placesOf, type Source } from '../sources/source.ts'
import { SourceStore } from '../sources/store.ts'
import type { Workspace } from './workspace.ts'

export interface SourceRow {
  readonly name: string
  /** Without user and password. */
  readonly url: string
  readonly mirrors: readonly string[]
  /** `environment`, `none` or an address. */
  readonly proxy: string
  readonly expiry: string
  readonly priority: number
  readonly registryId: string
  readonly rootKeys: readonly string[]
  readonly minimumVersion?: number
}

export function sourceStore({ paths }: Workspace): SourceStore {
  return new SourceStore(paths)
}

/** Where a source's files are fetched from. @throws {VmpkgError} `SOURCE_UNKNOWN` `SOURCE_INVALID` */
export async function mirrorsOf(workspace: Workspace, name: string): Promise<MirrorSet> {
  return mirrorsOfSource(workspace, await sourceStore(workspace).get(name))
}

/** @throws {VmpkgError} `SOURCE_INVALID` where the file with the passwords is not as it should be */
export async function mirrorsOfSource(
  { outside, paths, instead }: Workspace,
  source: Pick<Source, 'url' | 'mirrors' | 'proxy'> & Partial<Pick<Source, 'name'>>,
): Promise<MirrorSet> {
  const auth = await readAuthFiles(paths.auth)
  const proxy = source.proxy instanceof URL ? withAuth(auth, source.proxy) : source.proxy
  const standIn = source.name === undefined ? undefined : instead.get(source.name)
  const [first, ...others] = standIn === undefined ? placesOf(source) : [standIn]
  const mirror = (base: URL): Mirror => {
    const place = readOciUrl(base)
    if (typeof place !== 'string') {
      const login = loginFrom(auth, base, place)
      return { http: outside.http, base, proxy, oci: new OciSession({ place, http: outside.http, proxy, login }) }
    }
    const entry = findAuth(auth, base)
    const isPlain = entry === undefined || base.protocol !== 'https:'
    const credentials = isPlain ? {} : { credentials: { authorization: basicAuth(entry.login, entry.password) } }
    return { http: outside.http, base, proxy, ...credentials }
  }
  const penalties = filePenalties(join(paths.cache, 'mirrors.json'), outside.clock)
  return { mirrors: [mirror(first), ...others.map(mirror)], penalties }
}

/**
 * What an OCI registry and its token server are told: what stands in the address itself, else the entry of auth.conf. A
 * registry on this host counts as one with TLS: nobody else is on that line.
 */
function loginFrom(
  auth: readonly AuthEntry[],
  { username, password }: URL,
  { server, repository }: OciPlace,
): (url: URL) => string | undefined {
  return (url) => {
    const isOwn = url.origin === server.origin
    if (isOwn && username !== '') return basicAuth(decodeURIComponent(username), decodeURIComponent(password))
    const secure = new URL(`https://${url.host}${isOwn ? `/${repository}` : url.pathname}`)
    const entry = findAuth(auth, secure)
    return entry === undefined ? undefined : basicAuth(entry.login, entry.password)
  }
}

/** Where a registry's files are that is no source: one address, with the passwords and proxy of this host. */
export async function registryMirrors(workspace: Workspace, url: URL): Promise<MirrorSet> {
  return mirrorsOfSource(workspace, { url, mirrors: [], proxy: 'environment' })
}

/** The proxy with the user and password that the file has for it; what stands in the address itself goes first. */
function withAuth(auth: readonly AuthEntry[], proxy: URL): URL {
  const entry = proxy.username === '' && proxy.password === '' ? findAuth(auth, proxy) : undefined
  if (entry === undefined) return proxy
  const full = new URL(proxy)
  full.username = encodeURIComponent(entry.login)
  full.password = encodeURIComponent(entry.password)
  return full
}

export function sourceRow(source: Source): SourceRow {
  const { name, mirrors, proxy, expiry, priority, registryId, rootKeys, minimumVersion } = source
  return {
    name,
    url: shownUrl(source),
    mirrors: mirrors.map(showUrl),
    proxy: proxy instanceof URL ? showUrl(proxy) : proxy,
    expiry: formatExpiry(expiry),
    priority,
    registryId,
    rootKeys,
    ...(minimumVersion === undefined ? {} : { minimumVersion }),
  }
}

/** Without user, password and query. */
export function shownUrl({ url }: Pick<Source, 'url'>): string {
  return showUrl(url)
}
