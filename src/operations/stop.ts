/** Stops machines: links first, then the guest (routers.md rule 10). Stopping an ephemeral clone removes it. */
import { undefineDiskSecret } from '../domain/disk-secret.ts'
import { getMachine, listMachines, type Machine } from '../domain/inventory.ts'
import { setLink } from '../domain/link.ts'
import { destroyIfRunning } from '../domain/removal.ts'
import { type ShutdownMode, shutDown } from '../domain/shutdown.ts'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import type { DomainFacts } from '../model/libvirt-facts.ts'
import { keepData } from './keep-data.ts'
import { removeMachineFiles } from './machine-files.ts'
import { intend, transact, type Undo } from './recover.ts'
import { settleRouter } from './settle-router.ts'
import { refreshPools, removeMachineVolumes } from './storage-volumes.ts'
import { findRouter, listLowers } from './upper.ts'
import type { Workspace } from './workspace.ts'

/** How long a guest gets to shut itself down before the plug is pulled. */
const SHUTDOWN_SECONDS = 20

interface StopOptions {
  /** The plug is pulled at once. */
  readonly force: boolean
  /** How long a guest gets to shut itself down before that; default 20. */
  readonly timeoutSeconds?: number | undefined
  /** Who is asked; without it the power button, and then the guest's agent. */
  readonly mode?: ShutdownMode | undefined
}

export interface Stopped {
  readonly name: string
  readonly changed: boolean
}

export interface StopRequest extends StopOptions {
  readonly names: readonly string[]
  /** Stops running routers behind those named as well. */
  readonly cascade: boolean
}

/**
 * Routers behind others first. @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `ABORTED`, `DOMAIN_STATE` for a
 * router that others run behind, `AGENT_UNAVAILABLE` where only an agent is to be asked that is not there
 */
export async function stopMachines(
  workspace: Workspace,
  { names, cascade, ...options }: StopRequest,
): Promise<readonly Stopped[]> {
  const connect = await workspace.connect()
  const named = await Promise.all(names.map((name) => getMachine(connect, name)))
  const stopped: Stopped[] = []
  for (const machine of await orderStop(connect, named, cascade)) {
    stopped.push(await stopMachine(workspace, machine, options))
  }
  return stopped
}

async function orderStop(connect: Connect, named: readonly Machine[], cascade: boolean): Promise<readonly Machine[]> {
  if (!named.some(({ facts }) => facts.kind === 'router')) return named
  const all = await listMachines(connect)
  const ordered = new Map<string, Machine>()
  const visit = async (machine: Machine): Promise<void> => {
    for (const lower of listLowers(all, machine)) {
      const isNamed = named.some(({ name }) => name === lower.name)
      if (!isNamed && !(await lower.domain.isActive())) continue
      if (!isNamed && !cascade) throw isInUse(machine.name, lower.name)
      await visit(lower)
    }
    ordered.set(machine.domain.uuid, machine)
  }
  for (const machine of named) await visit(machine)
  return [...ordered.values()]
}

function isInUse(name: string, lower: string): VmpkgError {
  return new VmpkgError('DOMAIN_STATE', `${lower} runs behind ${name}`, {
    hint: `vmpkg stop --cascade ${name} stops what runs behind it first.`,
    details: { machine: name, lower },
  })
}

async function stopMachine(
  workspace: Workspace,
  machine: Machine,
  { force, timeoutSeconds = SHUTDOWN_SECONDS, mode }: StopOptions,
): Promise<Stopped> {
  const { domain, facts, name } = machine
  if (facts.ephemeral) return removeEphemeral(workspace, machine)
  const { state } = await domain.getState()
  if (state !== 'shutoff') {
    if (facts.lanMac !== undefined) await stopRouter(workspace, machine, state === 'running' ? facts.lanMac : undefined)
    else {
      if (!force && state === 'running') {
        await shutDown(domain, { timeoutMs: timeoutSeconds * 1000, mode, signal: workspace.outside.signal })
      }
      await destroyIfRunning(domain)
    }
  }
  return { name, changed: state !== 'shutoff' }
}

/** Its disk is read-only: nothing to wait for. Once its LAN is closed it is carried through, by the next command if need be. */
async function stopRouter(workspace: Workspace, { domain, name }: Machine, openMac: string | undefined): Promise<void> {
  await transact(workspace, { operation: 'stop', subject: name }, async (transaction) => {
    intend(transaction, { kind: 'stop-domain', uuid: domain.uuid })
    if (openMac !== undefined) await setLink(domain, openMac, 'down')
    await destroyIfRunning(domain)
    transaction.commit()
  })
}

/** Its disk goes anyway, so nothing is waited for. */
async function removeEphemeral(workspace: Workspace, { domain, name, facts }: Machine): Promise<Stopped> {
  await transact(workspace, namelessEntry('stop', facts.package), async (transaction) => {
    intend(transaction, ...removalOfClone(domain.uuid))
    await destroyIfRunning(domain)
    await forgetClone(workspace, domain.uuid)
    transaction.commit()
  })
  await closeForwards(workspace, facts)
  return { name, changed: true }
}

/** Of a machine that is gone: no forwarded port and no VPN client reaches its address any more (leak case H5). The machine stays gone where that fails. */
export async function closeForwards(
  workspace: Workspace,
  { net, kind }: Pick<DomainFacts, 'net' | 'kind'>,
): Promise<void> {
  if (net === undefined || kind === 'router') return
  const connect = await workspace.connect()
  const router = findRouter(await listMachines(connect), net)
  if (router === undefined) return
  try {
    await settleRouter(workspace, connect, router)
  } catch (cause) {
    if (!isVmpkgError(cause) || cause.code === 'ABORTED') throw cause
    workspace.outside.emit({
      type: 'warned',
      code: cause.code,
      message: `${router.name} still lets others reach an address that nobody has: ${cause.message}`,
      hint: `That ends when it is restarted: vmpkg stop ${router.name}, then vmpkg start ${router.name}.`,
    })
  }
}

/** The journal outlives an ephemeral machine, so its name does not stand there (leak case J3). */
export function namelessEntry(
  operation: string,
  packageName: string,
): { readonly operation: string; readonly subject: string; readonly command: string } {
  const subject = `an ephemeral ${packageName}`
  return { operation, subject, command: `${operation} (${subject})` }
}

/** The steps of removing a clone, for the journal: last one first. */
export function removalOfClone(uuid: string): readonly Undo[] {
  return [
    { kind: 'release-images', holder: cloneHolder(uuid) },
    { kind: 'remove-machine-files', uuid },
    { kind: 'remove-secret', uuid },
    { kind: 'remove-domain', uuid, name: '' },
  ]
}

/** Removes what a clone leaves once its domain is gone. */
export async function forgetClone(workspace: Workspace, uuid: string): Promise<void> {
  await undefineDiskSecret(await workspace.connect(), uuid)
  await keepData(workspace, uuid)
  await removeMachineFiles(workspace.connectionPaths, uuid)
  await removeMachineVolumes(workspace, uuid)
  await refreshPools(workspace)
  workspace.imageReferences.release(cloneHolder(uuid))
}

/** Who holds a clone's base image in the store. */
export function cloneHolder(uuid: string): string {
  return `clone ${uuid}`
}
