/**
 * Which libvirt a command talks to when the user does not say: pure.
 *
 * Order: `--connect`, then VMPKG_CONNECT, then LIBVIRT_DEFAULT_URI, then the system's libvirt where this user may use
 * it, then a private host of the user's own, and where there can be none the user's session. Source: private-host.md; libvirt's own order for LIBVIRT_DEFAULT_URI.
 */
import { checkPrivateHostName } from './private-host-config.ts'

/** Where to connect: a libvirt URI, or the name of a private host. */
export type ConnectionChoice =
  | { readonly type: 'uri'; readonly uri: string; readonly because: ConnectionReason }
  | { readonly type: 'private'; readonly name: string; readonly because: ConnectionReason }

export type ConnectionReason =
  | '--connect'
  | 'VMPKG_CONNECT'
  | 'LIBVIRT_DEFAULT_URI'
  | 'system-usable'
  | 'system-closed'
  | 'namespaces-closed'

export interface ConnectionFacts {
  /** The value of `--connect`. */
  readonly flag: string | undefined
  /** Of the environment, only the two variables above are read. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** True when this user may open libvirt's system socket, root included. */
  readonly canUseSystem: boolean
  /** True where the kernel's settings give this user no namespaces, and so no private host. */
  readonly areNamespacesClosed: boolean
}

const DEFAULT_NAME = 'default'

/**
 * `because: 'system-closed'` asks the caller to say once that a private host is used, and why; `namespaces-closed` the same
 * of the session.
 * @throws {VmpkgError} `NAME_INVALID` for a bad name after `private:`
 */
export function chooseConnection(facts: ConnectionFacts): ConnectionChoice {
  const said: readonly (readonly [ConnectionReason, string | undefined])[] = [
    ['--connect', facts.flag],
    ['VMPKG_CONNECT', facts.env['VMPKG_CONNECT']],
    ['LIBVIRT_DEFAULT_URI', facts.env['LIBVIRT_DEFAULT_URI']],
  ]
  for (const [because, value] of said) {
    if (value !== undefined && value !== '') return parseConnection(value, because)
  }
  if (facts.canUseSystem) return { type: 'uri', uri: 'qemu:///system', because: 'system-usable' }
  if (facts.areNamespacesClosed) return { type: 'uri', uri: 'qemu:///session', because: 'namespaces-closed' }
  return { type: 'private', name: DEFAULT_NAME, because: 'system-closed' }
}

/** `private`, `private:NAME`, or a libvirt URI as it stands. */
function parseConnection(value: string, because: ConnectionReason): ConnectionChoice {
  if (value === 'private') return { type: 'private', name: DEFAULT_NAME, because }
  if (!value.startsWith('private:')) return { type: 'uri', uri: value, because }
  const name = value.slice('private:'.length)
  checkPrivateHostName(name)
  return { type: 'private', name, because }
}
