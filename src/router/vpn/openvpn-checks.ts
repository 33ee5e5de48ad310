/** What only the whole of an OpenVPN profile shows: who vouches for the server, how one logs in, and weak algorithms. */
import type { Endpoint } from '../vpn-profile.ts'
import type { Settings } from './openvpn.ts'
import { ProfileProblem } from './problem.ts'

/** OpenVPN's own list, to which an older provider's cipher is added. */
const DATA_CIPHERS = ['AES-256-GCM', 'AES-128-GCM', 'CHACHA20-POLY1305']
const BROKEN = /^(?:none|null)$/i
const WEAK_CIPHER = /^(?:BF|DES|DES-EDE3?|DESX|RC2|RC5|CAST5|IDEA|SEED)-/i
const WEAK_DIGEST = /^(?:RSA-)?(?:MD[245]|SHA1?|RIPEMD160)$/i

/** @throws {ProfileProblem} */
export function verifySettings({ kept, blocks, notes, isClient }: Settings, endpoints: readonly Endpoint[]): void {
  if (!isClient) {
    throw new ProfileProblem(0, 'client', 'it is missing, so this is not the profile of a client', 'Add a line: client')
  }
  if (!blocks.has('ca') && !blocks.has('peer-fingerprint')) {
    throw new ProfileProblem(
      0,
      'ca',
      'nothing says which server is the right one',
      'Add the provider’s certificate between <ca> and </ca>.',
    )
  }
  if (blocks.has('cert') !== blocks.has('key')) throw new ProfileProblem(0, 'cert', 'cert and key belong together')
  if (!blocks.has('cert') && !blocks.has('auth-user-pass')) {
    throw new ProfileProblem(0, 'cert', 'there is neither certificate and key nor a user to log in with')
  }
  const wrapped = ['tls-auth', 'tls-crypt', 'tls-crypt-v2'].filter((name) => blocks.has(name))
  if (wrapped.length > 1) throw new ProfileProblem(0, wrapped[1] ?? '', `it cannot go with ${wrapped[0] ?? ''}`)
  if (kept.has('keepalive')) for (const name of ['ping', 'ping-restart']) kept.delete(name)
  if (endpoints.some(({ protocol }) => protocol === 'tcp')) {
    if (kept.has('fragment')) throw new ProfileProblem(0, 'fragment', 'it is for udp only')
    if (kept.delete('explicit-exit-notify')) notes.drop('it is for udp only', 'explicit-exit-notify')
  }
  const isPinned = ['remote-cert-tls', 'remote-cert-ku', 'remote-cert-eku', 'verify-x509-name'].some((name) =>
    kept.has(name),
  )
  if (!isPinned && !blocks.has('peer-fingerprint')) {
    kept.set('remote-cert-tls', ['server'])
    notes.add('Added remote-cert-tls server: without it another client of the provider could pose as the server.')
  }
}

/** Refuses what is no encryption, notes what is weak, and spells the ciphers as OpenVPN 2.6 negotiates them. */
export function judgeCiphers({ kept, notes }: Settings): void {
  const old = kept.get('cipher')?.[0]
  const list = kept.get('data-ciphers')?.[0]?.split(':')
  const fallback = kept.get('data-ciphers-fallback')?.[0] ?? old
  const ciphers = list ?? (old === undefined ? [] : [...new Set([...DATA_CIPHERS, old.toUpperCase()])])
  const digest = kept.get('auth')?.[0]
  kept.delete('cipher')
  if (ciphers.length > 0) kept.set('data-ciphers', [ciphers.join(':')])
  if (fallback !== undefined) kept.set('data-ciphers-fallback', [fallback])
  for (const cipher of [...ciphers, ...(fallback === undefined ? [] : [fallback])]) {
    if (BROKEN.test(cipher)) throw new ProfileProblem(0, 'cipher', `${cipher} encrypts nothing`)
    if (WEAK_CIPHER.test(cipher)) notes.add(`The cipher ${cipher} is weak.`)
  }
  if (digest !== undefined && BROKEN.test(digest)) throw new ProfileProblem(0, 'auth', `${digest} protects nothing`)
  if (digest !== undefined && WEAK_DIGEST.test(digest)) notes.add(`The digest ${digest} is weak.`)
  const [oldest] = kept.get('tls-version-min') ?? []
  if (oldest === '1.0' || oldest === '1.1') notes.add(`TLS ${oldest} is weak.`)
  const suites = kept.get('tls-cipher')?.[0]?.split(':') ?? []
  const empty = suites.find((suite) => /^(?![!-]).*(?:NULL|ADH|AECDH|EXP|anon)/i.test(suite))
  if (empty !== undefined) throw new ProfileProblem(0, 'tls-cipher', `${empty} protects nothing`)
  if (suites.some((suite) => /SECLEVEL=0/i.test(suite))) notes.add('The profile allows weak keys of TLS (SECLEVEL=0).')
}
