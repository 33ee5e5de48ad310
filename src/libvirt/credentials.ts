/**
 * Who to be for the daemon: as the program says, by an object or a function that may ask a person; else from libvirt's
 * auth file.
 */
import { storedLogin, usualAuthFiles } from './auth-file.ts'
import type { Surroundings } from './daemon-sockets.ts'
import { refuse } from './error.ts'
import type { Login } from './scram.ts'
import type { Target } from './uri.ts'

export interface Credentials {
  readonly username?: string | undefined
  readonly password?: string | undefined
}

export interface CredentialsRequest {
  /** Of SASL, as `SCRAM-SHA-256`. */
  readonly mechanism: string
  /** As in the URI; `localhost` without one. */
  readonly host: string
  readonly wanted: readonly ('username' | 'password')[]
  /** Of the call to `Connect.open`. */
  readonly signal: AbortSignal | undefined
}

/** Credentials, or who to ask for them; an answer of `undefined` means that nobody will say. */
export type CredentialsSource =
  | Credentials
  | ((request: CredentialsRequest) => Promise<Credentials | undefined> | Credentials | undefined)

/**
 * @throws {LibvirtError} `authCancelled` when the function has no answer, `authFailed` when there is nothing to ask.
 * What the function throws passes through.
 */
export async function findLogin(
  mechanism: string,
  { host, authFile }: Pick<Target, 'host' | 'authFile'>,
  source: CredentialsSource | undefined,
  around: Surroundings,
  signal: AbortSignal | undefined,
): Promise<Login> {
  const asked = typeof source === 'function'
  const found = asked
    ? await source({ mechanism, host, wanted: ['username', 'password'], signal })
    : (source ?? storedLogin(host, authFile, around))
  signal?.throwIfAborted()
  if (asked && found === undefined)
    throw refuse('authCancelled', `no credentials were given for the libvirt daemon on ${host} (${mechanism})`)
  const { username, password } = found ?? {}
  // Checked as values, since a program may be JavaScript; a password is not converted unseen.
  if (typeof username === 'string' && typeof password === 'string') return { username, password }
  const lacking = Object.entries({ 'user name': username, password }).filter(([, value]) => typeof value !== 'string')
  throw refuse(
    'authFailed',
    `libvirt on ${host} asks for a ${lacking.map(([what]) => what).join(' and a ')} (${mechanism}); give them as \`credentials\` of Connect.open, or in an auth file: LIBVIRT_AUTH_FILE, authfile= of the URI, ${usualAuthFiles(around).join(', ')}`,
  )
}
