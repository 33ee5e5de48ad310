/**
 * Passwords of servers, apart from the sources so that those can be shown and shared: `auth.conf` and `auth.conf.d/*.conf`
 * beside them, for their owner's eyes only.
 *
 *     machine packages.example.org login ada password secret
 *     machine mirror.example.net:8443/vmpkg login ada password other
 *     machine http://proxy.example.org:3128 login ada password third     # only proxies are spoken to without TLS
 *
 * Source: apt_auth.conf(5) and the netrc format; the first entry that fits counts, as there. Test oracle: those pages.
 */
import { constants } from 'node:fs'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { systemErrorCode, VmpkgError } from '../errors.ts'

export interface AuthEntry {
  /** With the colon; `https:` unless the file says otherwise. */
  readonly protocol: 'https:' | 'http:'
  readonly hostname: string
  /** Any where it is not given. */
  readonly port: string | undefined
  /** What the path must begin with, as whole parts. */
  readonly path: string
  readonly login: string
  readonly password: string
}

const MAX_BYTES = 256 * 1024

/** @throws {VmpkgError} `SOURCE_INVALID`; its message never holds what the file says */
export function parseAuthFile(text: string, path: string): readonly AuthEntry[] {
  const words = text
    .split('\n')
    .map((line) => line.replace(/(?:^|\s)#.*$/, ''))
    .join('\n')
    .split(/\s+/)
    .filter((word) => word !== '')
  const entries: AuthEntry[] = []
  let at = 0
  const invalid = (fact: string): VmpkgError =>
    new VmpkgError('SOURCE_INVALID', `${path}: ${fact}, in entry ${entries.length + 1}`, {
      hint: 'Write each entry as: machine HOST[:PORT][/PATH] login NAME password SECRET',
    })
  while (at < words.length) {
    if (words[at] !== 'machine') throw invalid('it does not begin with the word machine')
    const place = parsePlace(words[at + 1] ?? '')
    if (place === undefined) throw invalid('the word after machine is no host')
    at += 2
    const fields = new Map<string, string>()
    while (at < words.length && words[at] !== 'machine') {
      const [name = '', value] = [words[at], words[at + 1]]
      if (!['login', 'password'].includes(name) || fields.has(name))
        throw invalid('a word is not known or stands twice')
      if (value === undefined) throw invalid('its last word lacks a value')
      fields.set(name, value)
      at += 2
    }
    entries.push({ ...place, login: fields.get('login') ?? '', password: fields.get('password') ?? '' })
  }
  return entries
}

function parsePlace(text: string): Pick<AuthEntry, 'protocol' | 'hostname' | 'port' | 'path'> | undefined {
  const hasScheme = text.includes('://')
  const href = hasScheme ? text : `https://${text}`
  if (text === '' || !URL.canParse(href)) return undefined
  const { protocol, hostname, port, pathname, username, search, hash } = new URL(href)
  if ((protocol !== 'https:' && protocol !== 'http:') || `${username}${search}${hash}` !== '') return undefined
  // A default port that is spelled out is gone from the parsed address.
  const spelled = /:(\d+)(?:\/|$)/.exec(href.slice(href.indexOf('://') + 3))?.[1]
  return { protocol, hostname, port: port === '' ? spelled : port, path: pathname.replace(/\/+$/, '') }
}

/** The first entry for that address. Credentials for `http:` are those of a proxy: a registry gets none without TLS. */
export function findAuth(entries: readonly AuthEntry[], url: URL): AuthEntry | undefined {
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port
  return entries.find(
    (entry) =>
      entry.protocol === url.protocol &&
      entry.hostname === url.hostname &&
      (entry.port === undefined || entry.port === port) &&
      (entry.path === '' || url.pathname === entry.path || url.pathname.startsWith(`${entry.path}/`)),
  )
}

/**
 * Every entry of `file` and then of `<file>.d/*.conf`; none where there are no such files.
 *
 * @throws {VmpkgError} `SOURCE_INVALID` also for a file that others may read, or that is a link
 */
export async function readAuthFiles(file: string): Promise<readonly AuthEntry[]> {
  const folder = `${file}.d`
  const names = (await readdir(folder).catch(absent)) ?? []
  const more = names.filter((name) => name.endsWith('.conf')).toSorted()
  const entries: AuthEntry[] = []
  for (const path of [file, ...more.map((name) => join(folder, name))]) entries.push(...(await readAuthFile(path)))
  return entries
}

async function readAuthFile(path: string): Promise<readonly AuthEntry[]> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const handle = await open(path, flags).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ELOOP') throw unusable(path, 'is a symbolic link')
    return absent(error)
  })
  if (handle === undefined) return []
  await using file = handle
  const { mode, size } = await file.stat()
  if ((mode & constants.S_IFMT) !== constants.S_IFREG || size > MAX_BYTES)
    throw unusable(path, 'is not a file of entries')
  if ((mode & 0o077) !== 0) throw unusable(path, 'can be read by others')
  return parseAuthFile(await file.readFile('utf8'), path)
}

function unusable(path: string, fact: string): VmpkgError {
  return new VmpkgError('SOURCE_INVALID', `${path} holds passwords, but ${fact}`, { hint: `Run: chmod 600 ${path}` })
}

function absent(error: unknown): undefined {
  const code = systemErrorCode(error)
  if (code === 'ENOENT') return undefined
  throw error
}
