/**
 * A profile of a VPN provider, cleaned (requirements VPN-1 and VPN-2, leak cases E3, N2 and N3). Profiles are hostile: what
 * comes out is written anew from what was understood, by an allow-list, and nothing of it can run a program, open a file
 * or send a packet anywhere but to the endpoints. Endpoints are facts: firewall rules of two routers are made from them.
 *
 * Test oracles: `openvpn` and `wg` of Debian, which read the cleaned texts.
 */
import { VmpkgError } from '../errors.ts'
import { parseOpenvpn } from './vpn/openvpn.ts'
import { ProfileProblem, quote } from './vpn/problem.ts'
import { parseSsh } from './vpn/ssh.ts'
import { parseWireguard } from './vpn/wireguard.ts'

export interface Endpoint {
  /** An IPv4 literal. */
  readonly address: string
  readonly protocol: 'udp' | 'tcp'
  readonly port: number
}

export interface VpnProfile {
  /** `[a-z0-9][a-z0-9-]{0,30}` */
  readonly name: string
  readonly kind: 'openvpn' | 'wireguard' | 'ssh'
  readonly endpoints: readonly Endpoint[]
  /** Resolvers inside the tunnel, IPv4. */
  readonly dns: readonly string[]
  /** Addresses of the tunnel with their prefix; none where the server assigns them. */
  readonly addresses: readonly string[]
  readonly mtu?: number
  /** The cleaned text, with its secrets: a config of OpenVPN, a file for `wg setconf`, or our own of docs/vpn-profiles.md. */
  readonly file: string
  /** What was left out or is weak, in sentences. */
  readonly notes?: readonly string[]
}

/** Facts of a profile but its name and kind, as the parsers of the kinds find them. */
export type ProfileFacts = Omit<VpnProfile, 'name' | 'kind'>

/** Characters; the largest of real providers have 20,000. */
export const MAX_PROFILE_LENGTH = 256 * 1024

function isProfileName(text: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,30}$/.test(text)
}

/** The text of a file that lies beside a profile, by the path that the profile gives it. */
export type FindFile = (path: string) => string | undefined

/**
 * @param findFile what an OpenVPN profile refers to is put into it
 * @throws {VmpkgError} `VPN_PROFILE_INVALID`, naming line and directive
 */
export function parseVpnProfile(name: string, text: string, findFile: FindFile = () => undefined): VpnProfile {
  if (!isProfileName(name)) {
    throw new VmpkgError('VPN_PROFILE_INVALID', `Not a name for a VPN profile: ${quote(name)}`, {
      hint: 'Use at most 31 lower-case letters, digits and hyphens, not beginning with a hyphen.',
    })
  }
  try {
    const plain = verifyText(text)
    const kind = kindOf(plain)
    if (kind === 'wireguard') return { name, kind, ...parseWireguard(plain) }
    if (kind === 'ssh') return { name, kind, ...parseSsh(plain) }
    return { name, kind, ...parseOpenvpn(plain, findFile) }
  } catch (error) {
    if (!(error instanceof ProfileProblem)) throw error
    const { line, directive, hint } = error
    const where = [...(line > 0 ? [`line ${line}`] : []), ...(directive === '' ? [] : [directive])].join(', ')
    throw new VmpkgError('VPN_PROFILE_INVALID', `VPN profile ${name}${where && `, ${where}`}: ${error.message}`, {
      ...(hint === undefined ? {} : { hint }),
      details: { profile: name, line, directive },
    })
  }
}

/** Without its byte order mark and with plain line ends. */
function verifyText(text: string): string {
  if (text.length > MAX_PROFILE_LENGTH) {
    throw new ProfileProblem(0, '', `it is longer than ${MAX_PROFILE_LENGTH} characters`)
  }
  const plain = text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n')
  const control = /[^\P{Cc}\n\t]|[\u2028\u2029\uFFFD]/u.exec(plain)
  if (control !== null) {
    const line = plain.slice(0, control.index).split('\n').length
    throw new ProfileProblem(line, '', 'it has a character that no text has', 'Is it a text file in UTF-8?')
  }
  return plain
}

/** By the first line that says something. */
function kindOf(text: string): VpnProfile['kind'] {
  const [first = ''] = text.split('\n').filter((line) => !/^\s*(?:[#;]|$)/.test(line))
  if (/^\s*ssh:\/\//i.test(first)) return 'ssh'
  return /^\s*\[[^\]]*\]/.test(first) ? 'wireguard' : 'openvpn'
}
