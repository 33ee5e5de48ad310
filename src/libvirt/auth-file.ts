/**
 * libvirt's file of credentials, auth.conf (docs/auth): groups `[credentials-NAME]` with `authname` or `username` and
 * `password`, and groups `[auth-SERVICE-HOST]` that say which of them a host gets, or `default`. The syntax is GLib's
 * key file. No value of it is ever in a message. Pure.
 */
import type { Surroundings } from './daemon-sockets.ts'
import { userConfigFolder } from './daemon-sockets.ts'
import { refuse } from './error.ts'

const SERVICE = 'libvirt'

export interface StoredLogin {
  readonly username: string | undefined
  readonly password: string | undefined
}

/**
 * What the auth file holds for a host: of `LIBVIRT_AUTH_FILE`, else of `authfile=` of the URI, else of the user's
 * auth.conf, else of the system's.
 * @throws {LibvirtError} `confSyntax`, or `systemError` when a file that was named is missing.
 */
export function storedLogin(host: string, named: string | undefined, around: Surroundings): StoredLogin | undefined {
  const given = around.env['LIBVIRT_AUTH_FILE'] ?? named
  const candidates = given === undefined ? usualAuthFiles(around) : [given]
  for (const file of candidates) {
    const text = around.read(file)
    if (text !== undefined) return lookup(parseKeyFile(text, file), host, file)
  }
  if (given !== undefined) throw refuse('systemError', `the auth file ${given} is missing`)
  return undefined
}

export function usualAuthFiles(around: Surroundings): string[] {
  return [`${userConfigFolder(around)}/auth.conf`, '/etc/libvirt/auth.conf']
}

type Groups = ReadonlyMap<string, ReadonlyMap<string, string>>

function lookup(groups: Groups, host: string, file: string): StoredLogin | undefined {
  const name = [`auth-${SERVICE}-${host}`, `auth-${SERVICE}-default`].find((group) => groups.has(group))
  if (name === undefined) return undefined
  const reference = groups.get(name)?.get('credentials')
  if (reference === undefined) throw refuse('confSyntax', `${file}: the group [${name}] has no "credentials"`)
  const group = groups.get(`credentials-${reference}`)
  if (group === undefined)
    throw refuse('confSyntax', `${file}: [${name}] refers to [credentials-${reference}], which is not there`)
  return { username: group.get('authname') ?? group.get('username'), password: group.get('password') }
}

export function parseKeyFile(text: string, file: string): Groups {
  const groups = new Map<string, Map<string, string>>()
  let group: Map<string, string> | undefined
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const place = `${file}:${index + 1}`
    if (/^\s*(?:#|$)/.test(line)) continue
    const [, header] = /^\s*\[([^[\]\0-\x1f]+)\]\s*$/.exec(line) ?? []
    if (header !== undefined) {
      group = groups.get(header) ?? new Map<string, string>()
      groups.set(header, group)
      continue
    }
    const [, key, value] = /^\s*([^=[\]\s][^=]*?)\s*=\s*(.*)$/.exec(line) ?? []
    if (key === undefined || value === undefined)
      throw refuse('confSyntax', `${place}: neither a [group] nor key=value`)
    if (group === undefined) throw refuse('confSyntax', `${place}: a key before the first [group]`)
    group.set(key, unescape(value, place))
  }
  return groups
}

const ESCAPES: Readonly<Record<string, string>> = { s: ' ', n: '\n', t: '\t', r: '\r', '\\': '\\' }

function unescape(value: string, place: string): string {
  return value.replace(/\\(.?)/gu, (_, sign: string) => {
    const plain = ESCAPES[sign]
    if (plain === undefined) throw refuse('confSyntax', `${place}: a "\\" that is none of \\s \\n \\t \\r \\\\`)
    return plain
  })
}
