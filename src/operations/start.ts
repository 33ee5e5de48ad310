/**
 * Starts machines. A router's LAN link is raised only when its guest has attested exactly the rules that were rendered
 * for it (decisions 10): until then clients hear nothing.
 */

import { getMachine, listMachines, type Machine, runningFacts } from '../domain/inventory.ts'
import { findLink, setLink } from '../domain/link.ts'
import { readPanic } from '../domain/panic.ts'
import { waitUntilReady } from '../domain/readiness.ts'
import { readResources } from '../domain/resources.ts'
import { VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { parseSha256 } from '../model/digest.ts'
import { readNetworkFacts } from '../render/facts-xml.ts'
import { type AgentReply, verifyAttestation } from '../router/agent.ts'
import { findElements, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { releaseObjects, runningHolder } from './holders.ts'
import { ensureSilence } from './host-silence.ts'
import { findManifest } from './package-store.ts'
import { makeRoom } from './pool-relief.ts'
import { beginPreflight, type FinishPreflight } from './preflight.ts'
import { prepareSockets, tellLimits } from './session-mode.ts'
import { settleRouter } from './settle-router.ts'
import { unlockDisks } from './storage-key.ts'
import { findUpper } from './upper.ts'
import type { Workspace } from './workspace.ts'

export interface StartOptions {
  /** How long a guest may take until it is ready; what its package says where it is absent. */
  readonly timeoutSeconds?: number | undefined
  /** The caller has seen to what the upper router lets through. */
  readonly isSettled?: boolean
}

export interface Started {
  readonly name: string
  /** False when it was running, and open, already. */
  readonly changed: boolean
}

/** For a guest whose package does not say, or is no longer installed: generous, a boot under TCG takes its time. */
const READY_TIMEOUT_MS = 120_000

/** @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `GUEST_NOT_READY` `ATTESTATION_FAILED` `LIBVIRT_FAILED` */
export async function startMachines(
  workspace: Workspace,
  names: readonly string[],
  options: StartOptions = {},
): Promise<readonly Started[]> {
  const connect = await workspace.connect()
  const machines = await Promise.all(names.map((name) => getMachine(connect, name)))
  return startAll(workspace, connect, machines, options)
}

/** @throws {VmpkgError} as `startMachines` */
export async function startMachine(
  workspace: Workspace,
  connect: Connect,
  machine: Machine,
  options: StartOptions,
): Promise<Started> {
  const [started] = await startAll(workspace, connect, [machine], options)
  if (started === undefined) throw new TypeError('nothing was started')
  return started
}

/**
 * All of them boot at the same time, with the routers above them: nothing gets from one to the next while LANs are closed.
 * Those are opened from the outside inwards, each when its router has attested. A router that runs already lets those
 * behind it through before they are switched on.
 */
async function startAll(
  workspace: Workspace,
  connect: Connect,
  machines: readonly Machine[],
  options: StartOptions,
): Promise<readonly Started[]> {
  const chain = options.isSettled === true ? machines : await withUppers(connect, machines)
  for (const one of chain) await requireStartable(one)
  if (chain.some(({ facts }) => facts.kind === 'router')) tellLimits(workspace)
  const [switchedOn, opened] = [new Set<string>(), new Set<string>()]
  const open = async (one: Machine): Promise<void> => {
    if (await openRouter(workspace, connect, one, options)) opened.add(one.name)
  }
  for (const one of chain) {
    const isRouter = one.facts.kind === 'router'
    const isRunning = await one.domain.isActive()
    if (isRouter && isRunning) await open(one)
    if (isRouter && options.isSettled !== true) await settleRouter(workspace, connect, one)
    if (isRunning) continue
    await switchOn(workspace, connect, one)
    switchedOn.add(one.name)
  }
  for (const one of chain) if (one.facts.kind === 'router' && switchedOn.has(one.name)) await open(one)
  return machines.map(({ name }) => ({ name, changed: switchedOn.has(name) || opened.has(name) }))
}

/** Each once, the outermost first. */
async function withUppers(connect: Connect, machines: readonly Machine[]): Promise<readonly Machine[]> {
  const all = machines.some(({ facts }) => facts.kind === 'router') ? await listMachines(connect) : []
  const chain = new Map<string, Machine>()
  const add = (one: Machine, below: readonly string[]): void => {
    const upper = findUpper(all, one.facts)
    if (upper !== undefined && !below.includes(upper.name)) add(upper, [...below, one.name])
    if (!chain.has(one.name)) chain.set(one.name, one)
  }
  const named = new Map(machines.map((one) => [one.name, one]))
  for (const one of machines) add(one, [])
  return [...chain.values()].map((one) => named.get(one.name) ?? one)
}

/** @throws {VmpkgError} `DOMAIN_STATE` */
async function requireStartable({ domain, name, facts, xml }: Machine): Promise<void> {
  if ((await domain.getState()).state === 'paused') {
    throw new VmpkgError('DOMAIN_STATE', `${name} is paused`, { hint: `Resume it: virsh resume ${name}` })
  }
  if (facts.kind === 'router') refusePanic(name, xml)
}

async function switchOn(workspace: Workspace, connect: Connect, { domain, name }: Machine): Promise<void> {
  const { emit } = workspace.outside
  emit({ type: 'stage-started', stage: 'start', subject: name })
  await prepareStart(workspace, connect, await domain.getXMLDesc({ flags: ['inactive'] }))
  await domain.create()
  releaseObjects(workspace, runningHolder(domain.uuid)) // it runs on what is defined now
  emit({ type: 'stage-finished', stage: 'start', subject: name })
}

/**
 * Waits for the attestation, then opens the LAN; closes it when there is none. True when the link was down before.
 * @param attested runs between the two
 */
export async function openRouter(
  workspace: Workspace,
  connect: Connect,
  machine: Machine,
  options: StartOptions,
  attested: () => Promise<void> = async () => {},
): Promise<boolean> {
  const { emit } = workspace.outside
  const { rules, lanMac } = await runningFacts(machine)
  if (rules === undefined || lanMac === undefined) {
    throw new VmpkgError('STATE_INVALID', `The metadata of ${machine.name} does not say which rules it must attest`, {
      hint: `Remove it and install its package again: vmpkg remove ${machine.facts.package}`,
    })
  }
  const wasOpen = findLink(await machine.domain.getXMLDesc(), lanMac) === 'up'
  try {
    emit({ type: 'stage-started', stage: 'boot', subject: machine.name })
    const reply = await waitForGuest(workspace, machine, options)
    emit({ type: 'stage-finished', stage: 'boot', subject: machine.name })
    emit({ type: 'stage-started', stage: 'attest', subject: machine.name })
    verifyAttestation(reply, parseSha256(rules), machine.name)
    await ensureSilence(workspace, connect)
    await attested()
  } catch (error) {
    if (wasOpen) await closeLan(machine, lanMac)
    throw error
  }
  await openLan(machine, lanMac)
  emit({ type: 'stage-finished', stage: 'attest', subject: `the firewall rules of ${machine.name}, its LAN is open` })
  return !wasOpen
}

/** Panic waits for nobody: it is looked for once more after the link is up, for it marks before it looks at links. */
async function openLan({ domain, name }: Machine, lanMac: string): Promise<void> {
  const xml = await domain.getXMLDesc()
  refusePanic(name, xml)
  if (findLink(xml, lanMac) === 'up') return
  await setLink(domain, lanMac, 'up', xml)
  const now = await domain.getXMLDesc()
  if (readPanic(now) !== undefined) await setLink(domain, lanMac, 'down', now)
  refusePanic(name, now)
}

/** @throws {VmpkgError} `DOMAIN_STATE` */
function refusePanic(name: string, xml: string): void {
  const since = readPanic(xml)
  if (since === undefined) return
  throw new VmpkgError('DOMAIN_STATE', `${name} is in panic since ${since}: it stays cut off`, {
    hint: `vmpkg router panic --lift ${name} ends that.`,
    details: { machine: name, since },
  })
}

/** A router that does not attest any more loses its LAN; one that is gone has none. */
async function closeLan({ domain }: Machine, lanMac: string): Promise<void> {
  if (await domain.isActive()) await setLink(domain, lanMac, 'down')
}

/** @param isReady default: the guest says that it is ready. */
export async function waitForGuest(
  workspace: Workspace,
  machine: Machine,
  { timeoutSeconds }: StartOptions,
  isReady?: (reply: AgentReply) => boolean,
): Promise<AgentReply> {
  const { clock, randomness, signal } = workspace.outside
  return waitUntilReady(machine.domain, {
    clock,
    randomness,
    signal,
    timeoutMs: timeoutSeconds === undefined ? await readyTimeoutMs(workspace, machine) : timeoutSeconds * 1000,
    ...(isReady === undefined ? {} : { isReady }),
  })
}

/** What the package's manifest says under `ready`. */
async function readyTimeoutMs(workspace: Workspace, { facts }: Machine): Promise<number> {
  const seconds = (await findManifest(workspace, facts.digest))?.ready?.timeoutSeconds
  return seconds === undefined ? READY_TIMEOUT_MS : seconds * 1000
}

/** Of a machine that `prepareStart` prepares. */
export const START_PREFLIGHT = { until: 'start', startsNetworks: true } as const

/**
 * Looks whether this host can run the domain, then starts its networks.
 * @param preflight where one was begun with `START_PREFLIGHT`
 * @throws {VmpkgError} as `preflightDomain`
 */
export async function prepareStart(
  workspace: Workspace,
  connect: Connect,
  xml: string,
  preflight?: FinishPreflight,
): Promise<void> {
  await unlockDisks(workspace, connect, xml)
  await makeRoom(workspace, connect, readResources(xml).memoryKib * 1024)
  await (preflight ?? beginPreflight(workspace, connect, xml, START_PREFLIGHT))()
  await prepareSockets(workspace, connect, xml)
  if (await startNetworks(connect, xml)) await ensureSilence(workspace, connect)
}

/** The libvirt networks that a domain's NICs name are started when they are not. True where one is of vmpkg. */
async function startNetworks(connect: Connect, xml: string): Promise<boolean> {
  const names = findElements(parseXml(xml).root, "devices/interface[@type='network']/source").map((source) =>
    getAttribute(source, 'network'),
  )
  let isOwn = false
  for (const name of new Set(names.filter((candidate) => candidate !== undefined))) {
    const network = await connect.networkLookupByName({ name }).catch((cause: unknown) => {
      if (!(cause instanceof LibvirtError) || !cause.is('noNetwork')) throw cause
      throw new VmpkgError('NETWORK_UNAVAILABLE', `There is no libvirt network ${name}`, {
        hint: 'Install the router package that brings it, or correct the machine with virsh edit.',
        cause,
      })
    })
    if (!(await network.isActive())) await network.create()
    isOwn ||= readNetworkFacts(await network.getXMLDesc()) !== undefined
  }
  return isOwn
}
