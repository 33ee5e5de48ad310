/**
 * What vmpkg doctor looks at: this host, its libvirt and vmpkg's own state. Nothing is changed, no network but loopback is
 * used, and a libvirt that does not run is not started.
 */
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { readComponents } from '../host/components.ts'
import { type AppArmorSubject, checkAppArmor } from '../host/doctor-apparmor.ts'
import { bad, CHECK_GROUPS, type CheckResult, type DoctorHost, notApplicable, ok } from '../host/doctor-check.ts'
import { checkKernel, checkPassthrough } from '../host/doctor-kernel.ts'
import { checkLans } from '../host/doctor-lan.ts'
import { checkLibvirt } from '../host/doctor-libvirt.ts'
import { checkNetwork, type KnownNetwork } from '../host/doctor-network.ts'
import { checkMemoryState, checkProcessor } from '../host/doctor-processor.ts'
import { checkStorage } from '../host/doctor-storage.ts'
import { parseNetwork } from '../host/preflight-network.ts'
import { SYSTEM_PATH } from '../host/tools.ts'
import type { Connect } from '../libvirt/connect.ts'
import { readNetworkFacts } from '../render/facts-xml.ts'
import { Journal } from '../state/journal.ts'
import { readOwnIdentity } from '../state/process-identity.ts'
import { isLocal, privateHostName } from './connection-name.ts'
import { checkStorages } from './doctor-storages.ts'
import { sourceFreshness } from './freshness.ts'
import { probeHere } from './kvm.ts'
import { readLanState } from './lan-state.ts'
import { listMachineFileOwners } from './machine-files.ts'
import type { Workspace } from './workspace.ts'

export interface DoctorOptions {
  /** Runs a small guest, unless a verdict is there already. */
  readonly probe: boolean
}

export interface DoctorReport {
  readonly connection: string
  /** By group, in the order of `CHECK_GROUPS`. */
  readonly checks: readonly CheckResult[]
}

export async function examineHost(workspace: Workspace, { probe }: DoctorOptions): Promise<DoctorReport> {
  const { connectionName } = workspace
  const host = thisHost(workspace)
  const { connect, refusal } = await reach(workspace)
  const networks = connect === undefined ? undefined : await readNetworks(connect)
  const lans = connect === undefined ? undefined : await readLanState(workspace, connect)
  const sharesNetwork = isLocal(connectionName) && privateHostName(connectionName) === undefined
  const groups = await Promise.all([
    checkProcessor(host, probe ? () => probeHere(workspace) : undefined),
    checkMemoryState(host),
    checkKernel(host),
    checkAppArmor(host, await appArmorSubject(workspace, connect)),
    checkPassthrough(host),
    checkLibvirt(host, connectionName),
    checkNetwork(host, networks, sharesNetwork, lans?.ownsCard === true),
    checkLans(host, lans, sharesNetwork),
    checkStorage(host, workspace.paths.images, connectionName === 'qemu:///system'),
    checkStorages(workspace),
    checkState(workspace, connect, refusal),
  ])
  const order = (check: CheckResult): number => CHECK_GROUPS.indexOf(check.group)
  return { connection: connectionName, checks: groups.flat().toSorted((a, b) => order(a) - order(b)) }
}

async function appArmorSubject(workspace: Workspace, connect: Connect | undefined): Promise<AppArmorSubject> {
  const isSystem = workspace.connectionName === 'qemu:///system'
  const { overlays } = workspace.connectionPaths
  return {
    isSystem,
    capabilities: isSystem ? await connect?.getCapabilities().catch(() => undefined) : undefined,
    files: [join(workspace.paths.images, '0'.repeat(64)), join(overlays, 'machine.qcow2')],
  }
}

export async function examineComponents(workspace: Workspace): ReturnType<typeof readComponents> {
  return readComponents(thisHost(workspace))
}

function thisHost({ outside, env }: Workspace): DoctorHost {
  const { uid, username } = userInfo()
  const path = [env['PATH'] ?? '', SYSTEM_PATH].filter((one) => one !== '').join(':')
  return { root: '', path, uid, userName: username, processes: outside.processes }
}

async function reach(
  workspace: Workspace,
): Promise<{ readonly connect?: Connect | undefined; readonly refusal?: string }> {
  try {
    return { connect: await workspace.connectIfRunning() }
  } catch (error) {
    return { refusal: error instanceof Error ? error.message : String(error) }
  }
}

async function readNetworks(connect: Connect): Promise<readonly KnownNetwork[]> {
  const networks = await connect.listAllNetworks()
  const read = networks.map(async (network): Promise<KnownNetwork | undefined> => {
    const xml = await network.getXMLDesc().catch(() => undefined)
    const parsed = xml === undefined ? undefined : parseNetwork(xml)
    if (xml === undefined || parsed === undefined) return undefined
    const [isActive, isAutostarted] = await Promise.all([network.isActive(), network.getAutostart()])
    return { ...parsed, isActive, isAutostarted, isOurs: readNetworkFacts(xml) !== undefined }
  })
  return (await Promise.all(read)).filter((one) => one !== undefined)
}

async function checkState(
  workspace: Workspace,
  connect: Connect | undefined,
  refusal: string | undefined,
): Promise<readonly CheckResult[]> {
  return [checkJournal(workspace), await checkSources(workspace), await checkMachines(workspace, connect, refusal)]
}

function checkJournal(workspace: Workspace): CheckResult {
  const { state, outside } = workspace
  const pending = new Journal(state, outside.clock, readOwnIdentity()).pending()
  if (pending.length === 0) return ok('vmpkg', 'journal', 'no command was interrupted')
  const what = pending.map(({ operation, subject }) => `${operation} ${subject}`).join(', ')
  return bad('warning', 'vmpkg', 'journal', [
    `interrupted: ${what}`,
    'What it had begun is still there.',
    'The next command that changes something undoes it first; vmpkg gc does nothing else.',
  ])
}

async function checkSources(workspace: Workspace): Promise<CheckResult> {
  const sources = await sourceFreshness(workspace)
  const expired = sources.filter(({ state }) => state === 'expired').map(({ name }) => name)
  if (expired.length > 0)
    return bad('problem', 'vmpkg', 'sources', [
      `the package list of ${expired.join(', ')} has expired`,
      'Nothing is installed from a source that may be frozen.',
      'Run: vmpkg update',
    ])
  const old = sources.filter(({ state }) => state !== 'fresh').map(({ name }) => name)
  if (old.length > 0)
    return bad('warning', 'vmpkg', 'sources', [
      `the package list of ${old.join(', ')} is getting old`,
      'It will expire.',
      'Run: vmpkg update',
    ])
  return sources.length === 0
    ? notApplicable('vmpkg', 'sources', 'no source was fetched yet')
    : ok('vmpkg', 'sources', `${sources.length} are fresh`)
}

async function checkMachines(
  workspace: Workspace,
  connect: Connect | undefined,
  refusal: string | undefined,
): Promise<CheckResult> {
  if (refusal !== undefined)
    return bad('problem', 'vmpkg', 'machines', [
      refusal,
      'vmpkg cannot see its machines.',
      'vmpkg --connect private works without the system’s libvirt.',
    ])
  if (connect === undefined) return notApplicable('vmpkg', 'machines', 'the private host does not run')
  const living = new Set((await connect.listAllDomains()).map(({ uuid }) => uuid))
  const orphans = [...(await listMachineFileOwners(workspace.connectionPaths))].filter((uuid) => !living.has(uuid))
  const defined = workspace.installed.list().flatMap(({ line }) => workspace.definitions.ofPackage(line.name))
  const missing = defined.filter(({ kind, uuid }) => kind === 'domain' && !living.has(uuid))
  if (missing.length > 0)
    return bad('warning', 'vmpkg', 'machines', [
      `${missing.map(({ name }) => name).join(', ')} is gone from libvirt`,
      'Somebody undefined what a package had brought.',
      'Run: vmpkg verify --fix',
    ])
  if (orphans.length > 0)
    return bad('warning', 'vmpkg', 'machines', [
      `${orphans.length} machines that are gone left files`,
      'They take space.',
      'Run: vmpkg gc',
    ])
  return ok('vmpkg', 'machines', `libvirt has ${living.size} domains, and every file belongs to one`)
}
