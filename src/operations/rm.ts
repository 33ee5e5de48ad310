/** Removes clones: the domain, its overlay, its medium and its log. Routers go with their package. */
import { getMachine, listMachines, type Machine } from '../domain/inventory.ts'
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { collectVanished } from './gc.ts'
import { destroyKeepingData } from './keep-data.ts'
import { intend, transact } from './recover.ts'
import { closeForwards, forgetClone, namelessEntry, removalOfClone } from './stop.ts'
import type { Workspace } from './workspace.ts'

export interface RemovalRequest {
  /** Names, and patterns of names with `*` and `?`. */
  readonly names: readonly string[]
  /** Also those that run. */
  readonly force: boolean
}

export interface RemovableClone {
  readonly name: string
  readonly package: string
  readonly isRunning: boolean
  /** Files that go with it. */
  readonly files: readonly string[]
}

/**
 * What would go; nothing is changed.
 * @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `DOMAIN_STATE` `USAGE`
 */
export async function planRemoval(workspace: Workspace, request: RemovalRequest): Promise<readonly RemovableClone[]> {
  return Promise.all(
    (await findRemovable(await workspace.connect(), request)).map(async ({ name, facts, domain }) => ({
      name,
      package: facts.package,
      isRunning: await domain.isActive(),
      files: [facts.overlay, facts.medium, facts.serialLog].filter((path) => path !== undefined),
    })),
  )
}

/** @throws {VmpkgError} as `planRemoval` */
export async function removeClones(workspace: Workspace, request: RemovalRequest): Promise<readonly string[]> {
  const connect = await workspace.connect()
  const machines = await findRemovable(connect, request)
  for (const { name, domain, facts } of machines) {
    const entry = facts.ephemeral ? namelessEntry('rm', facts.package) : { operation: 'rm', subject: name }
    await transact(workspace, entry, async (transaction) => {
      intend(transaction, ...removalOfClone(domain.uuid))
      await destroyKeepingData(workspace, connect, domain.uuid)
      await forgetClone(workspace, domain.uuid)
      transaction.commit()
    })
    await closeForwards(workspace, facts)
  }
  await collectVanished(workspace)
  return machines.map(({ name }) => name)
}

/** All of them are looked at before the first one goes. */
async function findRemovable(connect: Connect, { names, force }: RemovalRequest): Promise<readonly Machine[]> {
  const found = new Map<string, Machine>()
  for (const word of names) {
    for (const machine of await matching(connect, word)) found.set(machine.domain.uuid, machine)
  }
  const machines = [...found.values()]
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
  return machines
}

/** A pattern takes clones only: a router that happens to fit is not meant. */
async function matching(connect: Connect, word: string): Promise<readonly Machine[]> {
  if (!/[*?]/.test(word)) return [await getMachine(connect, word)]
  const escaped = word.replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
  const shape = new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`)
  const fitting = (await listMachines(connect)).filter(({ name, facts }) => facts.kind !== 'router' && shape.test(name))
  if (fitting.length > 0) return fitting
  throw new VmpkgError('DOMAIN_UNKNOWN', `No clone has a name like ${JSON.stringify(word.slice(0, 80))}`, {
    hint: 'vmpkg ps --all lists them.',
  })
}
