/**
 * Where packages come from: an address, and the root file that everything from there must lead back to. A source without
 * a pinned root cannot be written down (threats M01). One YAML file each, for people to read.
 */
import { isAbsolute, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import { VmpkgError } from '../errors.ts'
import type { Fingerprint } from '../model/fingerprint.ts'
import { isOciUrl, readOciUrl } from '../model/oci.ts'
import { count, fingerprint, formatTime, parseShape, sha256Text, time } from '../model/shape.ts'
import type { ProxyChoice } from '../ports.ts'
import type { FreshnessPolicy } from '../trust/freshness.ts'
import type { RootPin } from '../trust/root-chain.ts'

export interface Source {
  /** Lower-case letters, digits, dots and hyphens; the file's name. */
  readonly name: string
  /** `https:`, `http:`, `file:`, `oci:` or `oci+http:`, with a final slash. */
  readonly url: URL
  /** Other places with the same files, in the order in which they are asked; `url` comes first. */
  readonly mirrors: readonly URL[]
  /** Through which proxy its servers are reached; as the environment says by default. */
  readonly proxy: ProxyChoice
  /** The root file that the user accepted. */
  readonly pin: RootPin
  readonly registryId: string
  /** Of the root keys in that file, for people; the pin decides. */
  readonly rootKeys: readonly Fingerprint[]
  readonly expiry: FreshnessPolicy
  /** Where two sources offer a name, the higher one wins; 500 by default. */
  readonly priority: number
  readonly addedAt: Date
  /** Envelopes below this version are refused even where the state was wiped (threats M06). */
  readonly minimumVersion?: number
}

export const DEFAULT_PRIORITY = 500
const DAY_MS = 24 * 60 * 60 * 1000
const DEFAULT_GRACE_DAYS = 7
const MAX_MIRRORS = 32
const MAX_FILE_CHARACTERS = 64 * 1024
const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,46}[a-z0-9])?$/

const shape = z.strictObject({
  url: z.string().max(2000),
  mirrors: z.array(z.string().max(2000)).max(MAX_MIRRORS).default([]),
  proxy: z.string().max(2000).default('environment'),
  root: z.strictObject({ version: count.min(1), sha256: sha256Text }),
  registryId: z.string().regex(/^[0-9a-f]{32}$/, 'not 32 hexadecimal digits'),
  rootKeys: z.array(fingerprint).min(1).max(64),
  expiry: z.string().max(100),
  priority: z.int().min(0).max(1000),
  addedAt: time,
  minimumVersion: count.min(1).exactOptional(),
})

/** @throws {VmpkgError} `SOURCE_INVALID` */
export function parseSourceName(text: string): string {
  if (NAME.test(text) && !text.includes('..')) return text
  throw new VmpkgError('SOURCE_INVALID', `Not a name for a source: ${JSON.stringify(text.slice(0, 80))}`, {
    hint: 'Use at most 48 lower-case letters, digits, dots and hyphens.',
  })
}

/** A web address, an OCI registry's, a `file:` address or the path of a folder, relative to `folder`. @throws {VmpkgError} `SOURCE_INVALID` */
export function parseSourceUrl(text: string, folder: string): URL {
  const isUrl = /^[a-z][a-z0-9+.-]*:\/\//i.test(text)
  const href = isUrl ? text : pathToFileURL(isAbsolute(text) ? text : resolve(folder, text)).href
  const url = URL.canParse(href) ? new URL(href) : undefined
  const isOci = url !== undefined && isOciUrl(url) && typeof readOciUrl(url) !== 'string' && url.search === ''
  const isKnown = url !== undefined && (isOci || ['https:', 'http:', 'file:'].includes(url.protocol))
  if (text === '' || !isKnown || url.hash !== '' || (url.protocol === 'file:' && url.host !== '')) {
    throw new VmpkgError('SOURCE_INVALID', `Not the address of a registry: ${JSON.stringify(text.slice(0, 200))}`, {
      hint: 'Give an address with https:, the path of a folder, or oci://HOST/REPOSITORY.',
    })
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  return url
}

/** `environment`, `none`, or the address of a proxy (`http:` or `https:`). @throws {VmpkgError} `SOURCE_INVALID` */
export function parseProxy(text: string): ProxyChoice {
  if (text === 'environment' || text === 'none') return text
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isProxy = url !== undefined && ['http:', 'https:'].includes(url.protocol)
  if (isProxy && url.pathname === '/' && url.search === '' && url.hash === '') return url
  throw new VmpkgError('SOURCE_INVALID', 'Not the address of a proxy', {
    hint: 'Use environment, none, or an address like http://proxy.example.org:3128.',
  })
}

/** `strict`, `grace` (a week), `grace 3 days`, or `snapshot 2026-11-21T00:00:00Z`. @throws {VmpkgError} `SOURCE_INVALID` */
export function parseExpiry(text: string): FreshnessPolicy {
  const [, days] = /^grace(?: (\d{1,3}) days?)?$/.exec(text) ?? []
  if (text === 'strict') return { kind: 'strict' }
  if (text.startsWith('grace') && (days !== undefined || text === 'grace')) {
    return { kind: 'grace', graceMs: Number(days ?? DEFAULT_GRACE_DAYS) * DAY_MS }
  }
  const [, at] = /^snapshot (\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z)$/.exec(text) ?? []
  if (at !== undefined && !Number.isNaN(Date.parse(at))) return { kind: 'snapshot', at: new Date(at) }
  throw new VmpkgError('SOURCE_INVALID', `Not a rule for expired registries: ${JSON.stringify(text.slice(0, 80))}`, {
    hint: "Use strict, grace, 'grace 3 days' or 'snapshot 2026-11-21T00:00:00Z'.",
  })
}

export function formatExpiry(policy: FreshnessPolicy): string {
  if (policy.kind === 'grace') return `grace ${Math.round(policy.graceMs / DAY_MS)} days`
  return policy.kind === 'snapshot' ? `snapshot ${formatTime(policy.at)}` : 'strict'
}

/** @throws {VmpkgError} `SOURCE_INVALID` */
export function parseSource(name: string, text: string): Source {
  const failure = { code: 'SOURCE_INVALID', subject: `The definition of source ${parseSourceName(name)}` } as const
  const { root, url, mirrors, proxy, expiry, ...rest } = parseShape(shape, readYaml(name, text), {
    ...failure,
    hint: `Correct it, or remove the source and add it again.`,
  })
  return {
    ...rest,
    name,
    url: parseSourceUrl(url, '/'),
    mirrors: mirrors.map((one) => parseSourceUrl(one, '/')),
    proxy: parseProxy(proxy),
    pin: root,
    expiry: parseExpiry(expiry),
  }
}

/** Every place that has the source's files, in the user's order, none twice. */
export function placesOf({ url, mirrors }: Pick<Source, 'url' | 'mirrors'>): readonly [URL, ...URL[]] {
  const others = mirrors.filter(
    ({ href }, at) => href !== url.href && mirrors.findIndex((one) => one.href === href) === at,
  )
  return [url, ...others]
}

/** True where the definition holds something that others must not read. */
export function hasSecret({ url, mirrors, proxy }: Pick<Source, 'url' | 'mirrors' | 'proxy'>): boolean {
  const addresses = [url, ...mirrors, ...(proxy instanceof URL ? [proxy] : [])]
  return addresses.some(({ username, password, search }) => `${username}${password}${search}` !== '')
}

export function formatSource(source: Source): string {
  const { url, mirrors, proxy, pin, registryId, rootKeys, expiry, priority, addedAt, minimumVersion } = source
  return stringify({
    url: url.href,
    ...(mirrors.length === 0 ? {} : { mirrors: mirrors.map(({ href }) => href) }),
    ...(proxy === 'environment' ? {} : { proxy: String(proxy) }),
    root: { version: pin.version, sha256: pin.sha256 },
    registryId,
    rootKeys,
    expiry: formatExpiry(expiry),
    priority,
    addedAt: formatTime(addedAt),
    ...(minimumVersion === undefined ? {} : { minimumVersion }),
  })
}

function readYaml(name: string, text: string): unknown {
  try {
    if (text.length > MAX_FILE_CHARACTERS) throw new RangeError(`more than ${MAX_FILE_CHARACTERS} characters`)
    return parse(text, { maxAliasCount: 0, schema: 'core', uniqueKeys: true, logLevel: 'error' }) // warnings would be printed
  } catch (cause) {
    throw new VmpkgError('SOURCE_INVALID', `The definition of source ${name} is not readable YAML`, { cause })
  }
}
