/** What libvirt and the guests say of our machines: `ps` without asking guests, `status` with. */

import { absent, getMachine, listMachines as list, type Machine, runningFacts } from '../domain/inventory.ts'
import { findLink, type LinkState } from '../domain/link.ts'
import { readPanic } from '../domain/panic.ts'
import { askStatus } from '../domain/readiness.ts'
import { VmpkgError } from '../errors.ts'
import type { EphemeralStorage } from '../model/libvirt-facts.ts'
import type { AgentReply } from '../router/agent.ts'
import { limitsOf } from './session-mode.ts'
import { type ClosedLans, readSupervisor } from './supervisor-record.ts'
import type { Workspace } from './workspace.ts'

export interface MachineRow {
  readonly name: string
  readonly uuid: string
  readonly state: string
  readonly package: string
  readonly version: string
  readonly kind: string
  /** The router LAN a client is on; a router's own LAN. */
  readonly net: string | undefined
  readonly ephemeral: boolean
  /** Where an ephemeral one writes, if not to an ordinary file. */
  readonly storage: EphemeralStorage | undefined
  /** It starts with the host. */
  readonly autostart: boolean
}

export interface MachineStatus extends MachineRow {
  /** `yes` and `no` are the guest's word, `silent` means that it did not answer, `-` that it does not run. */
  readonly ready: 'yes' | 'no' | 'silent' | '-'
  /** Routers: do the kernel's rules equal the rendered ones, by the guest's attestation of just now? */
  readonly rules: 'attested' | 'mismatch' | '-'
  readonly lanLink: LinkState | undefined
  /** Why the supervisor keeps that link down. */
  readonly closed: string | undefined
  /** Since when a router is in panic: cut off until that is lifted. */
  readonly panic: string | undefined
  readonly wanAddress: string | undefined
  readonly lanAddress: string | undefined
  /** Routers with a VPN: the profile and how its tunnel stands, by the guest's word. */
  readonly tunnel: AgentReply['tunnel']
  /** Routers that read Tor’s consensus for those behind: how many relays it names, and how long it is valid. By the guest's word. */
  readonly relays: AgentReply['relays']
  /** Routers with Tor: the network and how far it is, by the guest's word. */
  readonly tor: AgentReply['tor']
  /** Routers that take people in by OpenVPN: whether that server runs, by the guest's word. */
  readonly openvpn: AgentReply['openvpn']
  readonly uptimeSeconds: number | undefined
}

/** Machines of the connection; none when it is a private host that does not run. */
export async function listMachines(workspace: Workspace): Promise<readonly MachineRow[]> {
  const connect = await workspace.connectIfRunning()
  return connect === undefined ? [] : ofThoseThatStay(await list(connect), rowOf)
}

/** Ephemeral ones end at any time, between the list and a look at them as well. */
async function ofThoseThatStay<T>(
  machines: readonly Machine[],
  look: (machine: Machine) => Promise<T>,
): Promise<readonly T[]> {
  const looks = machines.map(async (machine) => look(machine).catch(absent('noDomain')))
  return (await Promise.all(looks)).filter((one) => one !== undefined)
}

/** An answer takes a tenth of a second, and several seconds where the processor is emulated. */
const ANSWER_SECONDS = 8

export interface Status {
  readonly connection: string
  /** Process number of the supervisor; none runs where it is absent. */
  readonly supervisor: number | undefined
  readonly machines: readonly MachineStatus[]
  /** What this way of running machines cannot promise, a sentence each; none but under a session. */
  readonly limits: readonly string[]
}

/**
 * @param timeoutSeconds how long to wait for a guest's answer
 * @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN`
 */
export async function machineStatus(
  workspace: Workspace,
  names: readonly string[],
  { timeoutSeconds = ANSWER_SECONDS }: { readonly timeoutSeconds?: number | undefined } = {},
): Promise<Status> {
  const limits = limitsOf(workspace)
  const connect = names.length > 0 ? await workspace.connect() : await workspace.connectIfRunning()
  if (connect === undefined)
    return { connection: workspace.connectionName, supervisor: undefined, machines: [], limits }
  const { pid, closed } = await readSupervisor(workspace.connectionPaths)
  const look = async (machine: Machine): Promise<MachineStatus> =>
    statusOf(workspace, machine, timeoutSeconds * 1000, closed)
  const lookFor = async (name: string): Promise<MachineStatus> =>
    (await look(await getMachine(connect, name)).catch(absent('noDomain'))) ?? endedNow(name)
  const machines =
    names.length === 0 ? await ofThoseThatStay(await list(connect), look) : await Promise.all(names.map(lookFor))
  return { connection: workspace.uri, supervisor: pid, machines, limits }
}

function endedNow(name: string): never {
  throw new VmpkgError('DOMAIN_UNKNOWN', `${name} ended just now, and is no machine any more`, {
    hint: 'vmpkg ps --all lists those that there are.',
  })
}

async function rowOf(machine: Machine): Promise<MachineRow> {
  const { domain, name, facts } = machine
  const { state } = await domain.getState()
  const { package: packageName, version, kind, ephemeral, storage } = await runningFacts(machine)
  return {
    name,
    uuid: domain.uuid,
    state,
    package: packageName,
    version,
    kind,
    net: facts.instance ?? facts.net,
    ephemeral,
    storage,
    autostart: await domain.getAutostart(),
  }
}

async function statusOf(
  workspace: Workspace,
  machine: Machine,
  timeoutMs: number,
  closed: ClosedLans,
): Promise<MachineStatus> {
  const row = await rowOf(machine)
  const facts = await runningFacts(machine)
  const isRunning = row.state === 'running'
  const reply = isRunning ? await askStatus(machine.domain, { ...workspace.outside, timeoutMs }) : undefined
  const lanLink =
    isRunning && facts.lanMac !== undefined ? findLink(await machine.domain.getXMLDesc(), facts.lanMac) : undefined
  return {
    ...row,
    ready: !isRunning ? '-' : reply === undefined ? 'silent' : reply.ready === true ? 'yes' : 'no',
    rules: rulesOf(reply, facts.rules),
    lanLink,
    closed: lanLink === 'down' ? closed[machine.domain.uuid]?.reason : undefined,
    panic: readPanic(machine.xml),
    wanAddress: reply?.wan?.address ?? undefined,
    lanAddress: reply?.lan?.address ?? undefined,
    tunnel: reply?.tunnel,
    relays: reply?.relays,
    tor: reply?.tor,
    openvpn: reply?.openvpn,
    uptimeSeconds: reply?.uptimeSeconds,
  }
}

function rulesOf(reply: AgentReply | undefined, expected: string | undefined): MachineStatus['rules'] {
  if (reply?.rules === undefined || expected === undefined) return '-'
  return reply.rules.matches && reply.rules.sha256 === expected ? 'attested' : 'mismatch'
}
