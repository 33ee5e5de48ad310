/**
 * Profiles for a tunnel by `ssh -w`. There is no file format for it, so this is ours (docs/vpn-profiles.md): the address as
 * a URL, the server's host keys, the addresses that both sides agreed on, and the key to log in with.
 *
 * Source: ssh(1), sshd(8) for host keys, PROTOCOL.key of OpenSSH.
 */
import type { ProfileFacts } from '../vpn-profile.ts'
import { findAddress, findInterface, type Place, parseMtu, parsePort, parseServer } from './address.ts'
import { pem } from './key-material.ts'
import { ProfileProblem, quote } from './problem.ts'

const USER = /^[a-z_][a-z0-9_-]{0,31}$/
const HOST_KEY = /^(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com)$/
const KEY_LABEL = 'OPENSSH PRIVATE KEY'
const DEFAULT_PORT = '22'

/** @throws {ProfileProblem} */
export function parseSsh(text: string): ProfileFacts {
  const all = text.split('\n').map((line) => line.trim())
  const start = all.findIndex((line) => line.startsWith('-----BEGIN '))
  const head = (start < 0 ? all : all.slice(0, start)).map((words, index) => ({ line: index + 1, words }))
  const [first, ...rest] = head.filter(({ words }) => words !== '' && !words.startsWith('#'))
  const { user, address, port } = parseUrl(first?.words ?? '', first?.line ?? 0)
  const hostKeys = new Set<string>()
  const dns = new Set<string>()
  const single = new Map<string, string>()
  for (const { line, words } of rest) {
    const [directive = '', value = '', more, ...others] = words.split(/[ \t]+/)
    if (others.length > 0 && directive !== 'host-key') throw new ProfileProblem(line, '', 'the line has too many words')
    const place = { line, directive }
    if (directive === 'host-key') hostKeys.add(parseHostKey(value, more ?? '', place))
    else if (more !== undefined) throw new ProfileProblem(line, '', 'the line has too many words')
    else if (directive === 'dns') dns.add(parseResolver(value, place))
    else if (directive === 'tunnel' && !single.has(directive)) single.set(directive, parseTunnel(value, place))
    else if (directive === 'mtu' && !single.has(directive)) single.set(directive, String(parseMtu(value, place)))
    else if (directive === 'device' && !single.has(directive)) single.set(directive, parseDevice(value, place))
    else throw new ProfileProblem(line, '', `${quote(directive)} does not belong there`, 'Take the line out.')
  }
  if (hostKeys.size === 0) {
    throw new ProfileProblem(
      0,
      'host-key',
      'nothing says which server is the right one',
      'Add host-key lines, as in known_hosts.',
    )
  }
  const tunnel = single.get('tunnel')
  if (tunnel === undefined)
    throw new ProfileProblem(0, 'tunnel', 'it is missing: no server assigns an address over ssh')
  const mtu = single.get('mtu')
  const device = single.get('device')
  const key = readKey(start < 0 ? [] : all.slice(start), start + 1)
  const lines = [
    `ssh://${user}@${address}:${port}`,
    ...[...hostKeys].map((one) => `host-key ${one}`),
    `tunnel ${tunnel}`,
    ...[...dns].map((one) => `dns ${one}`),
    ...(mtu === undefined ? [] : [`mtu ${mtu}`]),
    ...(device === undefined ? [] : [`device ${device}`]),
    ...key,
  ]
  return {
    endpoints: [{ address, protocol: 'tcp', port }],
    dns: [...dns],
    addresses: [tunnel],
    ...(mtu === undefined ? {} : { mtu: Number(mtu) }),
    file: `${lines.join('\n')}\n`,
    notes: [],
  }
}

function parseUrl(text: string, line: number): { user: string; address: string; port: number } {
  const place = { line, directive: 'ssh' }
  const [, user = '', host = '', port = DEFAULT_PORT] =
    /^ssh:\/\/([^@/]*)@([^/]*?)(?::([^:\]/]*))?\/?$/i.exec(text) ?? []
  if (!USER.test(user)) {
    throw new ProfileProblem(
      line,
      'ssh',
      'the address has no plain user',
      'Write ssh://USER@ADDRESS:PORT, without a password.',
    )
  }
  return { user, address: parseServer(host, place), port: parsePort(port, place) }
}

function parseHostKey(type: string, blob: string, { line, directive }: Place): string {
  const bytes = Buffer.from(blob, 'base64')
  const length = bytes.length >= 4 ? bytes.readUInt32BE() : -1
  const isKey =
    HOST_KEY.test(type) && bytes.toString('base64') === blob && bytes.toString('latin1', 4, 4 + length) === type
  if (!isKey)
    throw new ProfileProblem(
      line,
      directive,
      'it is not a public key of OpenSSH',
      'Copy it from ssh-keyscan or known_hosts, without the name.',
    )
  return `${type} ${blob}`
}

function parseResolver(value: string, { line, directive }: Place): string {
  const address = findAddress(value)
  if (address === undefined) throw new ProfileProblem(line, directive, `${quote(value)} is not an IPv4 address`)
  return address
}

function parseTunnel(value: string, { line, directive }: Place): string {
  const address = findInterface(value)
  if (address !== undefined) return address
  throw new ProfileProblem(
    line,
    directive,
    `${quote(value)} is not an address with its prefix`,
    'Write it as in 10.9.0.2/30.',
  )
}

/** Number of the server's device: 5 for tun5. */
function parseDevice(value: string, { line, directive }: Place): string {
  if (/^(?:0|[1-9]\d{0,3})$/.test(value)) return value
  throw new ProfileProblem(line, directive, `${quote(value)} is not the number of a device`, 'Write 5 for tun5.')
}

/** One key of OpenSSH's own format, not locked by a password. */
function readKey(lines: readonly string[], line: number): readonly string[] {
  const place = { line, directive: 'key' }
  const text = lines.filter((one) => !one.startsWith('#'))
  if (text.filter((one) => one.startsWith('-----BEGIN ')).length !== 1) {
    throw new ProfileProblem(
      line,
      'key',
      `there is not exactly one ${KEY_LABEL}`,
      'Make one with ssh-keygen -t ed25519 -N "".',
    )
  }
  const key = pem([KEY_LABEL])(text, place)
  const bytes = Buffer.from(key.slice(1, -1).join(''), 'base64')
  const magic = 'openssh-key-v1\0'
  if (!bytes.toString('latin1').startsWith(`${magic}\0\0\0\x04none`)) {
    throw new ProfileProblem(
      line,
      'key',
      'the key is locked by a password, or is none',
      'Take the password off: ssh-keygen -p',
    )
  }
  return key
}
