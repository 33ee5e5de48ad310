/** Removes clones: the domain, its overlay, its medium and its log. Routers go with their package. */
import { getMachine } from '../domain/inventory.ts'
import { destroyOwnDomain } from '../domain/removal.ts'
import { VmpkgError } from '../errors.ts'
import { intend, transact } from './recover.ts'
import { closeForwards, forgetClone, removalOfClone } from './stop.ts'
import type { Workspace } from './workspace.ts'

/** @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `DOMAIN_STATE` `USAGE` */
export async function removeClones(
  workspace: Workspace,
  { names, force }: { readonly names: readonly string[]; readonly force: boolean },
): Promise<readonly string[]> {
  const connect = await workspace.connect()
  const machines = await Promise.all([...new Set(names)].map((name) => getMachine(connect, name)))
  for (const { name, facts, domain } of machines) {
    if (facts.kind === 'router') {
      throw new VmpkgError('USAGE', `${name} is the machine of package ${facts.package}`, {
        hint: `vmpkg remove ${facts.package} removes both.`,
      })
    }
    if (!force && (await domain.isActive())) {
      throw new VmpkgError('DOMAIN_STATE', `${name} is running`, { hint: `vmpkg stop ${name} first, or add --force.` })
    }
  }
  for (const { name, domain, facts } of machines) {
    await transact(workspace, { operation: 'rm', subject: name }, async (transaction) => {
      intend(transaction, ...removalOfClone(domain.uuid, name))
      await destroyOwnDomain(connect, domain.uuid)
      await forgetClone(workspace, domain.uuid)
      transaction.commit()
    })
    await closeForwards(workspace, facts)
  }
  return machines.map(({ name }) => name)
}
