/**
 * Brings a router's configuration in step with the routers behind it and the ports forwarded to clients. What those need follows from what libvirt knows of
 * them, so this is the same step for one that comes, one that changes and one that goes: widened before a lower router
 * starts, narrowed when it is gone. A running router gets the new medium and attests it; a stopped one has it at its start.
 */
import { type Configuration, loadConfiguration } from '../domain/configuration.ts'
import { type Machine, runningFacts } from '../domain/inventory.ts'
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { grantName } from '../model/capability.ts'
import type { Sha256 } from '../model/digest.ts'
import type { DomainFacts } from '../model/libvirt-facts.ts'
import { readDomainFacts } from '../render/facts-xml.ts'
import { sameForwards } from '../router/forward.ts'
import { sameLowers } from '../router/policy.ts'
import { sameHome } from '../router/vpn-clients.ts'
import type { Definition } from '../state/definitions.ts'
import type { Transaction } from '../state/journal.ts'
import { readHomes } from './home.ts'
import { mediumPath } from './machine-files.ts'
import { loadPackage } from './package-store.ts'
import { intend, transact } from './recover.ts'
import { applyRedefinition, compareRendering, saveDefinition } from './redefine-router.ts'
import { type RouterRequest, renderRouter, routerPlanOf } from './router-definition.ts'
import { readForwards, readLowers } from './upper.ts'
import type { Workspace } from './workspace.ts'

/** What a transaction has not committed yet. */
export interface Uncommitted {
  readonly definition: Definition | undefined
  readonly request: RouterRequest | undefined
}

/** In a transaction of its own, where there is something to do. True where there was. */
export async function settleRouter(workspace: Workspace, connect: Connect, machine: Machine): Promise<boolean> {
  if (!(await needsSettling(workspace, connect, machine))) return false
  return transact(workspace, { operation: 'settle', subject: machine.name }, async (transaction) => {
    const definition = await settleInto(workspace, connect, transaction, machine)
    transaction.commit(() => {
      if (definition !== undefined) workspace.definitions.put(definition)
    })
    return definition !== undefined
  })
}

/** Whether `settleRouter` has something to do. */
export async function needsSettling(workspace: Workspace, connect: Connect, machine: Machine): Promise<boolean> {
  const known = workspace.definitions.find(machine.domain.uuid)
  return known !== undefined && !(await isSettled(workspace, connect, machine, { known, request: undefined }))
}

/** @returns the definition to record, where it changed. @throws {VmpkgError} `DOMAIN_STATE` and what the guest refuses */
export async function settleInto(
  workspace: Workspace,
  connect: Connect,
  transaction: Transaction,
  machine: Machine,
  uncommitted: Uncommitted = { definition: undefined, request: undefined },
): Promise<Definition | undefined> {
  const known = uncommitted.definition ?? workspace.definitions.find(machine.domain.uuid)
  if (known === undefined || (await isSettled(workspace, connect, machine, { known, request: uncommitted.request })))
    return undefined
  const request = uncommitted.request ?? (await requestOf(workspace, machine))
  const { definition, load } = await prepareConfiguration(workspace, connect, transaction, { machine, known, request })
  await load()
  return definition
}

/** A configuration that is defined and not loaded yet. */
export interface PreparedConfiguration {
  /** To record. */
  readonly definition: Definition
  /** What runs takes it, attested; where nothing runs, it has it at its start. */
  readonly load: () => Promise<void>
}

/** @throws {VmpkgError} `DOMAIN_STATE` and what rendering and libvirt refuse */
export async function prepareConfiguration(
  workspace: Workspace,
  connect: Connect,
  transaction: Transaction,
  {
    machine,
    known,
    request,
  }: { readonly machine: Machine; readonly known: Definition; readonly request: RouterRequest },
): Promise<PreparedConfiguration> {
  const { name, domain, facts } = machine
  const { emit, randomness, signal } = workspace.outside
  const lowers = await readLowers(connect, machine)
  const forwards = await readForwards(connect, machine)
  const homes = await readHomes(connect, machine, request.parameters)
  const { saved: old, active } = await saveDefinition(workspace, connect, domain.uuid, known)
  const running = active ? await runningFacts(machine) : undefined
  if (running !== undefined && running.digest !== facts.digest) throw isBehind(name, running.version)
  if (active && (await domain.getState()).state !== 'running') {
    throw new VmpkgError('DOMAIN_STATE', `${name} is paused`, { hint: `Resume it: virsh resume ${name}` })
  }
  const suffix = Buffer.from(randomness.bytes(4)).toString('hex')
  const medium = mediumPath(workspace.connectionPaths, domain.uuid, suffix)
  const { home: _home, openvpn: _openvpn, ...planned } = routerPlanOf(known)
  const plan = { ...planned, lowers, forwards, ...homes }
  const place = { plan, name: known.name, uuid: domain.uuid, medium, createdAt: facts.createdAt }
  const { xml: rendered, guest } = await renderRouter(workspace, connect, request, place)
  const next = compareRendering(old, active, { rendered, shown: rendered, context: { ...plan } }, 'after')
  const change = await applyRedefinition(connect, transaction, {
    ...next,
    medium: { suffix, path: medium, guest },
  })
  const names = [...lowers, ...forwards].map((one) => one.name)
  const behind = names.length === 0 ? 'nobody' : names.join(', ')
  const load = async (): Promise<void> => {
    emit({ type: 'stage-started', stage: 'attest', subject: name })
    if (running?.medium !== undefined && running.rules !== undefined && guest.rules !== undefined) {
      const before = configurationOf(running, running.medium, running.rules)
      intend(transaction, { kind: 'restore-configuration', uuid: domain.uuid, ...before })
      const after = configurationOf(readDomainFacts(rendered), medium, guest.rules)
      await loadConfiguration(domain, after, { randomness, signal })
    }
    emit({ type: 'stage-finished', stage: 'attest', subject: `what ${name} lets through for ${behind} behind it` })
  }
  return { definition: change.after, load }
}

function configurationOf(facts: DomainFacts | undefined, medium: string, rules: Sha256): Configuration {
  return { medium, rules, ...(facts?.endpoints === undefined ? {} : { endpoints: facts.endpoints }) }
}

/** A running machine that is not what is stored says so by its rules. */
async function isSettled(
  workspace: Workspace,
  connect: Connect,
  machine: Machine,
  { known, request }: { readonly known: Definition; readonly request: RouterRequest | undefined },
): Promise<boolean> {
  const { lowers = [], forwards = [], home, openvpn } = routerPlanOf(known)
  const parameters = request?.parameters ?? workspace.installed.find(machine.facts.package)?.parameters ?? {}
  const homes = await readHomes(connect, machine, parameters)
  return (
    sameLowers(lowers, await readLowers(connect, machine)) &&
    sameForwards(forwards, await readForwards(connect, machine)) &&
    sameHome(home, homes.home) &&
    sameHome(openvpn, homes.openvpn)
  )
}

/** @throws {VmpkgError} `PACKAGE_NOT_INSTALLED` */
async function requestOf(workspace: Workspace, { facts }: Machine): Promise<RouterRequest> {
  const { line, source, parameters, grants } = workspace.installed.get(facts.package)
  return { pkg: await loadPackage(workspace, line), source, parameters, grants: grants.map(grantName) }
}

/** Its agent and templates are of another version than what we would render for it. */
function isBehind(name: string, version: string): VmpkgError {
  return new VmpkgError(
    'DOMAIN_STATE',
    `${name} still runs version ${version}: its rules cannot follow a change behind it`,
    {
      hint: `Restart it first: vmpkg stop --cascade ${name}, then vmpkg start ${name}.`,
    },
  )
}
