/**
 * An ordinary user of this machine, so that a test run by root can also be run without root. A fresh machine has one;
 * a container often needs `useradd --create-home NAME`, which grants a range in /etc/subuid too.
 */
import { readFile, stat } from 'node:fs/promises'
import { userInfo } from 'node:os'

export interface OrdinaryUser {
  readonly name: string
  readonly home: string
  /** Words before a command that run it as this user. */
  readonly prefix: readonly [string, ...string[]]
}

/** The first user of /etc/subuid who has an account, or why there is none to use. */
export async function findOrdinaryUser(): Promise<OrdinaryUser | string> {
  if (userInfo().uid !== 0) return 'Not root, so the other tests run as an ordinary user already'
  const tun = await stat('/dev/net/tun').catch(() => undefined)
  if (tun === undefined || (tun.mode & 0o006) !== 0o006) return '/dev/net/tun is closed to ordinary users'
  const ranges = await readFile('/etc/subuid', 'utf8').catch(() => '')
  const owners = new Set(ranges.split('\n').map((line) => line.split(':')[0]))
  for (const line of (await readFile('/etc/passwd', 'utf8')).split('\n')) {
    const [name = '', , uid = '', gid = '', , home = ''] = line.split(':')
    if (name === '' || !owners.has(name)) continue
    return { name, home, prefix: ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--init-groups'] }
  }
  return 'No user in /etc/passwd has a range in /etc/subuid'
}
