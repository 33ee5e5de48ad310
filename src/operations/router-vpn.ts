/**
 * VPN profiles of a router, and which of them it uses. To switch is a change of two routers: the one above lets both tunnels
 * through, the router changes over, and the one above takes the old one back. Each step waits for the guest's
 * attestation, and all of them are one entry of the journal: a command that is killed leaves the old profile.
 */
import { getMachine, listMachines, type Machine, runningFacts } from '../domain/inventory.ts'
import { ask } from '../domain/readiness.ts'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { grantName } from '../model/capability.ts'
import type { ParameterValues } from '../model/manifest.ts'
import { formatStoredFile, parseStoredFile } from '../model/stored-file.ts'
import {
  addProfiles,
  type KeptProfile,
  type ProfileSet,
  parseKeptProfiles,
  removeProfile,
  swapProfile,
} from '../router/kept-profiles.ts'
import { type Endpoint, parseVpnProfile, type VpnProfile } from '../router/vpn-profile.ts'
import type { InstalledPackage } from '../state/installed.ts'
import { findVpnParameters, storeKeptProfiles } from './file-parameters.ts'
import { collectGarbage } from './gc.ts'
import { type LoadedPackage, loadPackage } from './package-store.ts'
import { transact } from './recover.ts'
import { saveDefinition } from './redefine-router.ts'
import { prepareConfiguration } from './settle-router.ts'
import { Settled } from './settled.ts'
import { type RefusedProfile, readVpnProfiles } from './vpn-profiles.ts'
import type { Workspace } from './workspace.ts'

export interface VpnProfileRow {
  readonly name: string
  readonly isUsed: boolean
  readonly kind?: VpnProfile['kind']
  readonly endpoints?: readonly Endpoint[]
  /** Why this version refuses one that was kept. */
  readonly problem?: string
}

interface Router {
  readonly machine: Machine
  readonly installed: InstalledPackage
  readonly pkg: LoadedPackage
  readonly used: string
  readonly kept: string | undefined
  readonly profiles: ProfileSet
}

interface Choice {
  /** The only one with a tunnel where none is named. */
  readonly router: string | undefined
  readonly dryRun: boolean
}

/** Of one router, or of all. @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `NETWORK_UNAVAILABLE` */
export async function listRouterProfiles(
  workspace: Workspace,
  name: string | undefined,
): Promise<readonly { readonly router: string; readonly profiles: readonly VpnProfileRow[] }[]> {
  const connect = name === undefined ? await workspace.connectIfRunning() : await workspace.connect()
  if (connect === undefined) return []
  const routers =
    name === undefined ? await findRouters(workspace, connect) : [await chooseRouter(workspace, connect, name)]
  return routers.map(({ machine, profiles }) => ({ router: machine.name, profiles: rowsOf(profiles) }))
}

export interface AddedProfiles {
  readonly router: string
  readonly added: readonly VpnProfileRow[]
  readonly refused: readonly RefusedProfile[]
}

/**
 * Of profiles, folders and archives; what one is refused for keeps no other out.
 * @throws {VmpkgError} `USAGE` for a name that is taken, `SIZE_EXCEEDED`, and what reading throws
 */
export async function addRouterProfiles(
  workspace: Workspace,
  { router: name, paths, dryRun }: Choice & { readonly paths: readonly string[] },
): Promise<AddedProfiles> {
  const router = await chooseRouter(workspace, await workspace.connect(), name)
  const { machine, kept } = router
  if (kept === undefined) throw keepsOne(router)
  const added: KeptProfile[] = []
  const refused: RefusedProfile[] = []
  for (const path of paths) {
    const found = await readVpnProfiles(workspace, path)
    refused.push(...found.refused)
    for (const profile of found.profiles) {
      const text = found.texts.get(profile.name) ?? ''
      const problem = problemOf(profile, text)
      if (problem === undefined) added.push({ name: profile.name, text })
      else refused.push({ path, name: profile.name, message: problem.message, hint: problem.hint })
    }
  }
  const profiles = addProfiles(router.profiles, added)
  const stored = { ...router, kept, profiles }
  const parameters = parametersOf(stored)
  if (added.length > 0 && !dryRun) await keep(workspace, router, parameters)
  const names = new Set(added.map((one) => one.name))
  return { router: machine.name, added: rowsOf(profiles).filter((one) => names.has(one.name)), refused }
}

/** Once kept, the text is all that there is: files beside it are not. */
function problemOf(profile: VpnProfile, text: string): VmpkgError | undefined {
  try {
    parseVpnProfile(profile.name, text)
    return undefined
  } catch (error) {
    if (isVmpkgError(error, 'VPN_PROFILE_INVALID')) return error
    throw error
  }
}

/** @throws {VmpkgError} `USAGE` for one that is not there or in use */
export async function removeRouterProfile(
  workspace: Workspace,
  { router: name, name: wanted, dryRun }: Choice & { readonly name: string },
): Promise<{ readonly router: string }> {
  const router = await chooseRouter(workspace, await workspace.connect(), name)
  const parameters = parametersOf({ ...router, profiles: removeProfile(router.profiles, wanted) })
  if (!dryRun) await keep(workspace, router, parameters)
  return { router: router.machine.name }
}

export interface UsedProfile {
  readonly router: string
  readonly profile: VpnProfileRow
  /** What it used before. */
  readonly previous: string | undefined
  /** `restarted`: it had that profile already. `chosen`: it does not run, and has it from its next start on. */
  readonly action: 'switched' | 'restarted' | 'chosen' | 'unchanged'
}

/** @throws {VmpkgError} `USAGE` `VPN_PROFILE_INVALID` `DOMAIN_STATE` `GUEST_NOT_READY` `ATTESTATION_FAILED` */
export async function useRouterProfile(
  workspace: Workspace,
  { router: name, name: wanted, dryRun }: Choice & { readonly name: string },
): Promise<UsedProfile> {
  const connect = await workspace.connect()
  const router = await chooseRouter(workspace, connect, name)
  const { machine, profiles: before } = router
  const profiles = swapProfile(before, wanted)
  if (profiles.used !== undefined) parseVpnProfile(profiles.used.name, profiles.used.text)
  const running = (await machine.domain.isActive()) ? await runningFacts(machine) : undefined
  const isKept = profiles.used?.name === before.used?.name
  const isLoaded = isKept && running?.medium === machine.facts.medium
  const action =
    running === undefined
      ? isKept
        ? 'unchanged'
        : 'chosen'
      : isLoaded
        ? ('restarted' as const)
        : ('switched' as const)
  if (!dryRun && action === 'restarted') await restartTunnel(workspace, machine, wanted)
  if (!dryRun && (action === 'switched' || action === 'chosen')) {
    await switchTo(workspace, connect, router, parametersOf({ ...router, profiles }))
  }
  const profile = rowsOf(profiles).find(({ isUsed }) => isUsed)
  if (profile === undefined) throw new TypeError('the profile that was chosen is not there')
  return { router: machine.name, profile, previous: before.used?.name, action }
}

async function switchTo(
  workspace: Workspace,
  connect: Connect,
  { machine, installed, pkg }: Router,
  parameters: ParameterValues,
): Promise<void> {
  const { source, grants } = installed
  const request = { pkg, source, parameters, grants: grants.map(grantName) }
  await transact(workspace, { operation: 'vpn-use', subject: machine.name }, async (transaction) => {
    const settled = new Settled(workspace, transaction, [])
    const { saved: known } = await saveDefinition(workspace, connect, machine.domain.uuid)
    // Stored is the new profile now and the old one runs: the router above lets both through.
    const prepared = await prepareConfiguration(workspace, connect, transaction, { machine, known, request })
    await settled.above(machine.facts)
    await prepared.load()
    await settled.above(machine.facts)
    transaction.commit(() => {
      workspace.installed.put({ ...installed, parameters })
      for (const one of [prepared.definition, ...settled.definitions()]) workspace.definitions.put(one)
    })
  })
  // The old medium has the old profile's keys.
  await collectGarbage(workspace, { dryRun: false, keepDownloads: true })
}

/** Emulated guests take seconds. */
const ANSWER_MS = 30_000

async function restartTunnel(workspace: Workspace, { name, domain }: Machine, profile: string): Promise<void> {
  const options = { ...workspace.outside, timeoutMs: ANSWER_MS, argument: profile }
  const reply = await ask(domain, 'vpn.use', options)
  if (reply?.ok === true) return
  const reason = reply === undefined ? 'it gave no answer' : (reply.error ?? 'it gave no reason')
  throw new VmpkgError('GUEST_NOT_READY', `${name} did not start its tunnel anew: ${reason}`, {
    hint: `vmpkg status ${name} says how it stands, vmpkg logs ${name} what it complains of.`,
  })
}

/** What no rule and no definition is made of. */
async function keep(workspace: Workspace, { machine, installed }: Router, parameters: ParameterValues): Promise<void> {
  await transact(workspace, { operation: 'vpn-keep', subject: machine.name }, async (transaction) => {
    transaction.commit(() => workspace.installed.put({ ...installed, parameters }))
  })
}

function parametersOf(router: Router): ParameterValues {
  const { installed, used, kept, profiles } = router
  if (kept === undefined) return installed.parameters
  const { [kept]: _kept, ...others } = installed.parameters
  const value = (text: string): ParameterValues[string] => ({ value: text, origin: 'command line' })
  return {
    ...others,
    ...(profiles.used === undefined
      ? {}
      : { [used]: value(formatStoredFile(profiles.used.name, Buffer.from(profiles.used.text))) }),
    ...(profiles.kept.length === 0 ? {} : { [kept]: value(storeKeptProfiles(profiles.kept)) }),
  }
}

/** The one in use first. */
function rowsOf({ used, kept }: ProfileSet): readonly VpnProfileRow[] {
  return [
    ...(used === undefined ? [] : [rowOf(used, true)]),
    ...kept.map((one) => rowOf(one, false)).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  ]
}

function rowOf({ name, text }: KeptProfile, isUsed: boolean): VpnProfileRow {
  try {
    const { kind, endpoints } = parseVpnProfile(name, text)
    return { name, isUsed, kind, endpoints }
  } catch (error) {
    if (isVmpkgError(error, 'VPN_PROFILE_INVALID')) return { name, isUsed, problem: error.message }
    throw error
  }
}

/** @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `NETWORK_UNAVAILABLE` `USAGE` */
async function chooseRouter(workspace: Workspace, connect: Connect, name: string | undefined): Promise<Router> {
  if (name !== undefined) {
    const machine = await getMachine(connect, name)
    const router = await readRouter(workspace, machine)
    if (router !== undefined) return router
    throw new VmpkgError('NETWORK_UNAVAILABLE', `${name} has no VPN: its package takes no profile`, {
      hint: 'vmpkg router vpn list shows the routers that have one.',
    })
  }
  const [only, ...others] = await findRouters(workspace, connect)
  if (only === undefined) {
    throw new VmpkgError('DOMAIN_UNKNOWN', 'There is no router with a VPN', {
      hint: 'vmpkg install router-gal --set vpn=FILE',
    })
  }
  if (others.length === 0) return only
  const names = [only, ...others].map(({ machine }) => machine.name)
  throw new VmpkgError('USAGE', `There are several routers with a VPN: ${names.join(', ')}`, {
    hint: `Choose one: --router ${only.machine.name}`,
  })
}

async function findRouters(workspace: Workspace, connect: Connect): Promise<readonly Router[]> {
  const machines = (await listMachines(connect)).filter(({ facts }) => facts.kind === 'router')
  const routers = await Promise.all(machines.map((machine) => readRouter(workspace, machine)))
  return routers.filter((one) => one !== undefined)
}

async function readRouter(workspace: Workspace, machine: Machine): Promise<Router | undefined> {
  const installed = machine.facts.kind === 'router' ? workspace.installed.find(machine.facts.package) : undefined
  const pkg = installed && (await loadPackage(workspace, installed.line))
  const names = pkg && findVpnParameters(pkg.manifest.parameters)
  if (installed === undefined || pkg === undefined || names === undefined) return undefined
  return { machine, installed, pkg, ...names, profiles: readProfiles(installed.parameters, names) }
}

/** A profile that `--set` brought has the name before one that is kept. */
function readProfiles(
  parameters: ParameterValues,
  { used: usedName, kept: keptName }: { readonly used: string; readonly kept: string | undefined },
): ProfileSet {
  const used = parseStoredFile(parameters[usedName]?.value)
  const list = keptName === undefined ? undefined : parseStoredFile(parameters[keptName]?.value)
  const kept = list === undefined ? [] : parseKeptProfiles(list.text)
  return { used, kept: kept.filter(({ name }) => name !== used?.name) }
}

function keepsOne({ machine, installed: { line } }: Router): VmpkgError {
  return new VmpkgError(
    'NETWORK_UNAVAILABLE',
    `${machine.name} keeps one VPN profile: ${line.name} ${line.version} does not know of more`,
    { hint: `vmpkg upgrade ${line.name}` },
  )
}
