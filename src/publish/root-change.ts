/**
 * The keys of the next root file: those of the present one, some added, some taken away, a threshold changed. Pure but for
 * reading certificates, which the present root file carries itself.
 */
import { VmpkgError } from '../errors.ts'
import type { Fingerprint } from '../model/fingerprint.ts'
import type { RoleKeys, RoleName, Root } from '../model/registry.ts'
import { type Certificate, readCertificate } from '../trust/certificate.ts'
import type { RootSetup } from './registry-root.ts'

export interface RoleChange {
  readonly role: RoleName
  readonly add: readonly Certificate[]
  readonly remove: readonly Fingerprint[]
  readonly threshold?: number
  /** Publishers only: the grant of these names gets the added keys; else the keys join the one grant that changes. */
  readonly patterns?: readonly string[]
}

type Grant = RootSetup['publishers'][number]

/** @throws {VmpkgError} `USAGE` for a key that is not there or a change that leaves a role without enough keys */
export async function changeRole(root: Root, change: RoleChange): Promise<RootSetup> {
  const certificates = new Map<Fingerprint, Certificate>()
  for (const [fingerprint, bytes] of root.certificates) certificates.set(fingerprint, await readCertificate(bytes))
  const setupOf = ({ keys, threshold }: RoleKeys) => ({
    threshold,
    certificates: keys.flatMap((key) => certificates.get(key) ?? []),
  })
  const setup = {
    root: setupOf(root.root),
    timestamp: setupOf(root.timestamp),
    promoter: setupOf(root.promoter),
    publishers: root.publishers.map((grant) => ({ ...setupOf(grant), patterns: grant.patterns })),
  }
  if (change.role === 'publisher') return { ...setup, publishers: changePublishers(setup.publishers, change) }
  return { ...setup, [change.role]: changeKeys(setup[change.role], change, `the ${change.role} role`) }
}

function changeKeys<T extends RootSetup['root']>(role: T, { add, remove, threshold }: RoleChange, subject: string): T {
  const has = (key: Fingerprint): boolean => role.certificates.some((one) => one.fingerprint === key)
  const stranger = remove.find((key) => !has(key))
  if (stranger !== undefined) throw usage(`Key ${stranger} is not in ${subject}`)
  const kept = role.certificates.filter((one) => !remove.includes(one.fingerprint))
  const keys = [...new Map([...kept, ...add].map((one) => [one.fingerprint, one])).values()]
  const needed = threshold ?? role.threshold ?? 1
  if (keys.length < needed) {
    throw usage(`That would leave ${subject} with ${keys.length} keys, of which ${needed} must sign`)
  }
  return { ...role, certificates: keys, threshold: needed }
}

function changePublishers(grants: readonly Grant[], change: RoleChange): readonly Grant[] {
  const { add, remove, patterns } = change
  if (patterns !== undefined) {
    const same = (grant: Grant): boolean => grant.patterns.toSorted().join() === patterns.toSorted().join()
    const left = withoutKeys(grants, remove)
    if (left.some(same)) return left.map((one) => (same(one) ? changeKeys(one, { ...change, remove: [] }, 'it') : one))
    if (add.length === 0) throw usage(`No publisher has the names ${patterns.join(', ')}`)
    return [...left, changeKeys({ certificates: [], patterns }, { ...change, remove: [] }, 'the new publisher')]
  }
  const touched = grants.filter(({ certificates }) =>
    remove.length === 0 ? true : certificates.some(({ fingerprint }) => remove.includes(fingerprint)),
  )
  const [only, ...others] = touched
  if (add.length === 0 && change.threshold === undefined) return withoutKeys(grants, remove)
  if (only === undefined || others.length > 0) {
    throw usage('Several publishers would change, or none', 'Say which by its names: --patterns router-*,app-*')
  }
  return grants.map((grant) => (grant === only ? changeKeys(only, change, 'that publisher') : grant))
}

/** A publisher without keys is none. */
function withoutKeys(grants: readonly Grant[], remove: readonly Fingerprint[]): readonly Grant[] {
  const known = grants.flatMap(({ certificates }) => certificates.map(({ fingerprint }) => fingerprint))
  const stranger = remove.find((key) => !known.includes(key))
  if (stranger !== undefined) throw usage(`Key ${stranger} is no publisher's`)
  return grants
    .map((grant) => ({
      ...grant,
      certificates: grant.certificates.filter(({ fingerprint }) => !remove.includes(fingerprint)),
    }))
    .filter(({ certificates }) => certificates.length > 0)
    .map((grant) => ({ ...grant, threshold: Math.min(grant.threshold ?? 1, grant.certificates.length) }))
}

function usage(message: string, hint = 'vmpkg repo verify and repo diff show the keys of each role.'): VmpkgError {
  return new VmpkgError('USAGE', message, { hint })
}
