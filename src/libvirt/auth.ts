/**
 * Proves to the daemon who is calling. Over the unix socket it asks for nothing, or polkit decides (it may ask a person,
 * so that one call has no time limit). SASL is refused with a clear error.
 */
import { bool, i32, list } from './codecs.ts'
import { LibvirtError, refuse } from './error.ts'
import { call, decodeResult, encodeArguments, type Row, unwrapResult } from './methods.ts'
import type { CallOptions, Rpc } from './rpc.ts'

const AUTH = { none: 0, sasl: 1, polkit: 2 } as const

export const authMethods = {
  list: call('AUTH_LIST', 66, '0.4.1', {}, { types: list(i32) }),
  polkit: call('AUTH_POLKIT', 70, '0.4.1', {}, { complete: bool }),
}

/**
 * Authenticates a fresh connection.
 * @throws {LibvirtError} `authUnavailable` when polkit has no agent to ask or only SASL is offered, `authFailed`,
 * `authCancelled`
 */
export async function authenticate(rpc: Rpc, options: CallOptions): Promise<void> {
  const types = (await ask(rpc, authMethods.list, options)) as readonly number[]
  if (types.length === 0 || types.includes(AUTH.none)) return
  if (types.includes(AUTH.polkit)) {
    await ask(rpc, authMethods.polkit, { signal: options.signal })
    return
  }
  const offered = types.includes(AUTH.sasl) ? 'SASL' : `the unknown method ${types[0]}`
  throw refuse('authUnavailable', `libvirt demands authentication by ${offered}, which is not spoken`)
}

async function ask(rpc: Rpc, row: Row, options: CallOptions): Promise<unknown> {
  const { name, program, procedure } = row
  const decode = (payload: Buffer) => unwrapResult(row, decodeResult(row, payload, undefined))
  const reply = await rpc.call({ name, program, procedure, payload: encodeArguments(row, {}), decode }, options)
  if (!reply.ok) throw new LibvirtError(reply.error, { procedure: name })
  return reply.value
}
