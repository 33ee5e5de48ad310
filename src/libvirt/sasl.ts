/**
 * SASL with libvirt: the daemon names mechanisms, one is chosen, and its messages go to and fro. Only mechanisms without
 * a security layer are spoken: a layer encrypts every packet afterwards and lives in native libraries.
 */
import { refuse } from './error.ts'
import { type Login, SCRAM_DIGESTS, startScram } from './scram.ts'

/** One message to the daemon and its answer; `undefined` is no data, which SASL tells from empty data. */
export type SaslStep = (data: Buffer | undefined) => Promise<SaslReply>

export interface SaslReply {
  readonly complete: boolean
  readonly data: Buffer | undefined
}

/** By preference. EXTERNAL takes the identity of the client certificate, PLAIN sends the password as it is. */
const PREFERENCE = [...SCRAM_DIGESTS.keys(), 'EXTERNAL', 'PLAIN']
/** Done when asked for by name: it proves nothing. */
const ANONYMOUS = 'ANONYMOUS'

export interface Channel {
  readonly transport: string
  /** Nobody can read along. */
  readonly isSecure: boolean
  /** It was checked who answers. */
  readonly isVerified: boolean
}

/**
 * @param offered As the daemon lists them, separated by commas.
 * @param wanted The one that the URI names.
 * @throws {LibvirtError} `authFailed` when the daemon does not offer the wanted one, `authUnavailable` when nothing
 * that is offered can be spoken.
 */
export function chooseMechanism(offered: string, wanted: string | undefined, channel: Channel): string {
  const names = offered.split(/[,\s]+/).filter(Boolean)
  const candidates = wanted === undefined ? names : names.filter((name) => name.toUpperCase() === wanted.toUpperCase())
  if (candidates.length === 0)
    throw refuse('authFailed', `the daemon does not offer the SASL mechanism ${wanted}; it offers ${offered || 'none'}`)
  const spoken =
    wanted === undefined
      ? // PLAIN would tell whoever answers the password: with no_verify only by name.
        PREFERENCE.filter((name) => name !== 'PLAIN' || channel.isVerified)
      : [...PREFERENCE, ANONYMOUS]
  const usable = spoken.filter((name) => channel.isSecure && (name !== 'EXTERNAL' || channel.transport === 'tls'))
  const chosen = usable.find((name) => candidates.includes(name))
  if (chosen !== undefined) return chosen
  if (!channel.isSecure)
    throw refuse(
      'authUnavailable',
      `over ${channel.transport} libvirt demands a SASL mechanism that also encrypts (the daemon offers ${offered}); none is spoken here, so use +tls or +ssh`,
    )
  if (!channel.isVerified && candidates.includes('PLAIN'))
    throw refuse(
      'authUnavailable',
      'PLAIN would show the password to a daemon that nobody checked: leave no_verify out, or ask for it by auth=sasl.PLAIN',
    )
  throw refuse(
    'authUnavailable',
    `of the SASL mechanisms ${candidates.join(', ')} none is spoken: GSSAPI needs the native libraries of Kerberos, DIGEST-MD5, CRAM-MD5 and NTLM are not secure, EXTERNAL needs +tls. Let the daemon offer scram-sha-256 (mech_list in its /etc/sasl2/libvirt.conf), or use +ssh, or +tls without SASL`,
  )
}

/** True for mechanisms that need a user name and a password. */
export function needsLogin(mechanism: string): boolean {
  return mechanism === 'PLAIN' || SCRAM_DIGESTS.has(mechanism)
}

/**
 * Carries the exchange to its end.
 * @param start Names the mechanism to the daemon and brings the first message.
 * @throws {LibvirtError} `authFailed`, also when the daemon does not prove itself
 */
export async function runMechanism(
  mechanism: string,
  login: Login | undefined,
  start: SaslStep,
  step: SaslStep,
): Promise<void> {
  const digest = SCRAM_DIGESTS.get(mechanism)
  if (digest !== undefined && login !== undefined) return runScram(digest, login, start, step)
  const { complete } = await start(firstMessage(mechanism, login))
  if (!complete) throw refuse('authFailed', `SASL ${mechanism}: the daemon wants more than the mechanism has`)
}

async function runScram(digest: string, login: Login, start: SaslStep, step: SaslStep): Promise<void> {
  const scram = startScram(digest, login)
  const first = await start(scram.first)
  if (first.complete) throw refuse('authFailed', 'SCRAM: the daemon ended the exchange before it proved itself')
  const final = await step(await scram.final(first.data ?? Buffer.alloc(0)))
  scram.verify(final.data ?? Buffer.alloc(0))
  if (final.complete) return
  const { complete } = await step(undefined)
  if (!complete) throw refuse('authFailed', 'SCRAM: the daemon does not end the exchange')
}

function firstMessage(mechanism: string, login: Login | undefined): Buffer {
  if (mechanism === 'PLAIN') {
    const { username = '', password = '' } = login ?? {}
    if (`${username}${password}`.includes('\0')) throw refuse('invalidArg', 'the user name or the password holds a NUL')
    return Buffer.from(`\0${username}\0${password}`)
  }
  // ANONYMOUS: a trace for the daemon's log, which may not be empty. EXTERNAL: as whom the certificate says.
  return Buffer.from(mechanism === ANONYMOUS ? 'anonymous' : '')
}
