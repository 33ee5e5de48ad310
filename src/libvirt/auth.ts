/**
 * Proves to the daemon who is calling. It names the methods: nothing, polkit (which may ask a person, so that one call
 * has only the time limit that the caller set) or SASL.
 */
import { bool, chars, i32, list, string } from './codecs.ts'
import type { CredentialsSource } from './credentials.ts'
import type { Surroundings } from './daemon-sockets.ts'
import { LibvirtError, type RemoteError, refuse } from './error.ts'
import { call, decodeResult, encodeArguments, type Row, unwrapResult } from './methods.ts'
import type { CallOptions, Rpc } from './rpc.ts'
import type { SaslReply } from './sasl.ts'
import type { Login } from './scram.ts'
import type { Target } from './uri.ts'

const AUTH = { none: 0, sasl: 1, polkit: 2 } as const
const AUTH_UNAVAILABLE = 94
/** libvirt's bound on one message of SASL. */
const SASL_LIMIT_BYTES = 65_536

export const authMethods = {
  list: call('AUTH_LIST', 66, '0.4.1', {}, { types: list(i32) }),
  saslInit: call('AUTH_SASL_INIT', 67, '0.4.1', {}, { mechlist: string }),
  saslStart: call(
    'AUTH_SASL_START',
    68,
    '0.4.1',
    { mech: string, nil: bool, data: chars() },
    { complete: bool, nil: bool, data: chars() },
  ),
  saslStep: call(
    'AUTH_SASL_STEP',
    69,
    '0.4.1',
    { nil: bool, data: chars() },
    { complete: bool, nil: bool, data: chars() },
  ),
  polkit: call('AUTH_POLKIT', 70, '0.4.1', {}, { complete: bool }),
}

export interface AuthOptions extends CallOptions {
  readonly credentials?: CredentialsSource | undefined
  /** Milliseconds that a person has who is asked by polkit's agent; for ever when absent. */
  readonly personTimeoutMs?: number | undefined
}

type Who = Pick<Target, 'auth' | 'authFile' | 'host' | 'isSecure' | 'isVerified' | 'transport'>

/**
 * Authenticates a fresh connection.
 * @throws {LibvirtError} `authUnavailable` when polkit has no agent to ask or nothing that is offered is spoken,
 * `authFailed`, `authCancelled`
 */
export async function authenticate(rpc: Rpc, target: Who, options: AuthOptions, around: Surroundings): Promise<void> {
  const types = (await ask(rpc, authMethods.list, {}, options)) as readonly number[]
  const wanted = target.auth?.toLowerCase()
  const type = wanted === undefined ? usual(types) : wanted === 'polkit' ? AUTH.polkit : AUTH.sasl
  if (wanted !== undefined && types.length > 0 && !types.includes(type))
    throw refuse('authFailed', `the daemon does not offer the authentication ${target.auth} that the URI asks for`)
  if (types.length === 0 || type === AUTH.none) return
  if (type === AUTH.sasl) return authenticateSasl(rpc, target, options, around)
  if (type !== AUTH.polkit)
    throw refuse('authUnavailable', `libvirt demands authentication by the unknown method ${type}, which is not spoken`)
  await ask(rpc, authMethods.polkit, {}, { signal: options.signal, timeoutMs: options.personTimeoutMs })
}

function usual(types: readonly number[]): number {
  return [AUTH.none, AUTH.polkit, AUTH.sasl].find((known) => types.includes(known)) ?? types[0] ?? AUTH.none
}

/** What was answered for a target, so that a person is asked once and not for each of its connections. */
const answers = new WeakMap<Who, Login>()

async function authenticateSasl(rpc: Rpc, target: Who, options: AuthOptions, around: Surroundings): Promise<void> {
  const { signal } = options
  // Most daemons never ask, and cryptography takes its time to load.
  const [{ findLogin }, { chooseMechanism, needsLogin, runMechanism }] = await Promise.all([
    import('./credentials.ts'),
    import('./sasl.ts'),
  ])
  const offered = (await ask(rpc, authMethods.saslInit, {}, options)) as string
  const [, wanted] = /^sasl\.(.+)$/i.exec(target.auth ?? '') ?? []
  const mech = chooseMechanism(offered, wanted, target)
  const known = answers.get(target)
  const find = () => findLogin(mech, target, options.credentials, around, signal)
  const login = needsLogin(mech) ? (known ?? (await find())) : undefined
  // Only what was accepted is kept.
  answers.delete(target)
  const send = async (row: Row, args: object, data: Buffer | undefined): Promise<SaslReply> => {
    if (data !== undefined && data.length > SASL_LIMIT_BYTES)
      throw refuse('invalidArg', `the user name or the password is too long for SASL`)
    const whole = { ...args, nil: data === undefined, data: data ?? Buffer.alloc(0) }
    const reply = (await ask(rpc, row, whole, options)) as { complete: boolean; nil: boolean; data: Buffer }
    return { complete: reply.complete, data: reply.nil ? undefined : reply.data }
  }
  await runMechanism(
    mech,
    login,
    (data) => send(authMethods.saslStart, { mech }, data),
    (data) => send(authMethods.saslStep, {}, data),
  )
  if (login !== undefined) answers.set(target, login)
}

async function ask(
  rpc: Rpc,
  row: Row,
  args: Readonly<Record<string, unknown>>,
  options: CallOptions,
): Promise<unknown> {
  const { name, program, procedure } = row
  const decode = (payload: Buffer) => unwrapResult(row, decodeResult(row, payload, undefined))
  const { signal, timeoutMs } = options
  const request = { name, program, procedure, payload: encodeArguments(row, args), decode }
  const reply = await rpc.call(request, { signal, timeoutMs })
  if (!reply.ok) throw failure(row, reply.error)
  return reply.value
}

/** polkit without an agent says only that there is none: say what helps. */
function failure(row: Row, error: RemoteError): LibvirtError {
  const isAlone = row === authMethods.polkit && error.code === AUTH_UNAVAILABLE
  const hint = '; run as a member of the group libvirt, or start an agent that can ask (pkttyagent --process PID)'
  return new LibvirtError({ ...error, message: `${error.message}${isAlone ? hint : ''}` }, { procedure: row.name })
}
