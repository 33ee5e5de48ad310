/** What `--connect` may name: a libvirt URI, `private` or `private:NAME`. */

/** `default` of `private`, `lab` of `private:lab`; `undefined` for a libvirt URI. */
export function privateHostName(connection: string): string | undefined {
  const match = /^private(?::(.*))?$/.exec(connection)
  return match === null ? undefined : (match[1] ?? 'default')
}

/** True for the libvirt of an ordinary user, which has that user's rights and no others. */
export function isSession(connection: string): boolean {
  return /^qemu(?:\+unix)?:\/\/\/session(?:\?|$)/.test(connection)
}

/** True where the daemon runs on this machine. */
export function isLocal(connection: string): boolean {
  return privateHostName(connection) !== undefined || /^[a-z]+(?:\+unix)?:\/\/\//.test(connection)
}
