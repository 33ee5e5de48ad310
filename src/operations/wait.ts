/** `wait`: until machines run, have an address, are ready, listen on a port, or have stopped. */
import { setTimeout as sleep } from 'node:timers/promises'
import { findGuestAgent, pingGuest } from '../domain/guest-agent.ts'
import { findListener } from '../domain/guest-listeners.ts'
import { absent, getMachine, type Machine } from '../domain/inventory.ts'
import { askStatus, throwIfAborted } from '../domain/readiness.ts'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { AGENT_CHANNEL } from '../router/agent.ts'
import { readAddresses } from './ip.ts'
import type { Workspace } from './workspace.ts'

export type Condition =
  | { readonly kind: 'running' | 'address' | 'ready' | 'stopped' }
  | { readonly kind: 'port'; readonly port: number }

export interface WaitRequest {
  readonly names: readonly string[]
  readonly condition: Condition
  readonly timeoutSeconds: number
}

export interface Awaited {
  readonly name: string
  /** Of `address`: the first that it has. */
  readonly address: string | undefined
}

/** What became of one look: done, or why not yet. */
type Look = { readonly isThere: true; readonly address?: string } | { readonly isThere: false; readonly reason: string }

const PAUSE_MS = 200
/** After a look comes a pause of at least this many times as long: the guest needs the processor more. */
const PAUSE_FACTOR = 3
const ANSWER_SECONDS = 10

/**
 * All of them at the same time.
 * @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `ABORTED`, `GUEST_NOT_READY` where the time is over, and where what
 * is waited for cannot come: the machine does not run, or has no agent that could tell
 */
export async function waitForMachines(workspace: Workspace, request: WaitRequest): Promise<readonly Awaited[]> {
  const connect = await workspace.connect()
  const machines = await Promise.all([...new Set(request.names)].map((name) => getMachine(connect, name)))
  return Promise.all(machines.map((machine) => waitForMachine(workspace, connect, machine, request)))
}

async function waitForMachine(
  workspace: Workspace,
  connect: Connect,
  machine: Machine,
  { condition, timeoutSeconds }: WaitRequest,
): Promise<Awaited> {
  const { clock, signal } = workspace.outside
  const deadline = clock.now().getTime() + timeoutSeconds * 1000
  for (;;) {
    throwIfAborted(signal)
    const began = clock.now().getTime()
    const look = await lookAt(workspace, connect, machine, condition)
    if (look.isThere) return { name: machine.name, address: look.address }
    const now = clock.now().getTime()
    if (now >= deadline) {
      throw new VmpkgError(
        'GUEST_NOT_READY',
        `${machine.name} ${notYet(condition)} within ${timeoutSeconds} s: ${look.reason}`,
        { hint: `Give it longer with --timeout; vmpkg logs ${machine.name} shows its console.` },
      )
    }
    const pauseMs = Math.min(Math.max(PAUSE_MS, PAUSE_FACTOR * (now - began)), Math.max(1, deadline - now))
    await sleep(pauseMs, undefined, { signal }).catch(() => {})
  }
}

function notYet(condition: Condition): string {
  switch (condition.kind) {
    case 'running':
      return 'did not run'
    case 'address':
      return 'had no address'
    case 'ready':
      return 'was not ready'
    case 'stopped':
      return 'did not stop'
    case 'port':
      return `did not listen on port ${condition.port}`
  }
}

async function lookAt(workspace: Workspace, connect: Connect, machine: Machine, condition: Condition): Promise<Look> {
  const domain = await connect.domainLookupByUuid({ uuid: machine.domain.uuid }).catch(absent('noDomain'))
  const state = domain === undefined ? 'gone' : (await domain.getState()).state
  const isRunning = state === 'running'
  if (condition.kind === 'stopped') {
    return state === 'gone' || state === 'shutoff' ? { isThere: true } : { isThere: false, reason: `it is ${state}` }
  }
  if (domain === undefined || !isRunning) {
    if (domain !== undefined) return { isThere: false, reason: `it is ${state}` }
    throw new VmpkgError('GUEST_NOT_READY', `${machine.name} is gone`, { hint: 'vmpkg ps --all lists machines.' })
  }
  switch (condition.kind) {
    case 'running':
      return { isThere: true }
    case 'address': {
      const found = (await readAddresses(workspace, connect, machine)).find(({ source }) => source !== 'planned')
      return found === undefined
        ? { isThere: false, reason: 'nobody knows one' }
        : { isThere: true, address: found.address }
    }
    case 'ready':
      return lookReady(workspace, machine)
    case 'port':
      return lookPort(machine, condition.port)
  }
}

/** By each agent that it has a channel for. */
async function lookReady(workspace: Workspace, { domain, name }: Machine): Promise<Look> {
  const xml = await domain.getXMLDesc()
  const hasOwn = xml.includes(AGENT_CHANNEL)
  const agent = findGuestAgent(xml)
  if (!hasOwn && agent === 'none') {
    throw new VmpkgError('AGENT_UNAVAILABLE', `${name} has no agent that could say that it is ready`, {
      hint: `vmpkg wait ${name} --for running does without.`,
    })
  }
  if (hasOwn) {
    const reply = await askStatus(domain, { ...workspace.outside, timeoutMs: ANSWER_SECONDS * 1000 })
    if (reply?.ready !== true) return { isThere: false, reason: reply === undefined ? 'it says nothing' : 'it says no' }
  }
  if (agent === 'none') return { isThere: true }
  if (agent === 'closed') return { isThere: false, reason: 'its guest agent does not run yet' }
  return asking(async () => {
    await pingGuest(domain, ANSWER_SECONDS)
    return { isThere: true }
  })
}

/** As the guest's kernel lists it: this host is no part of its network and cannot try. */
async function lookPort({ domain, name }: Machine, port: number): Promise<Look> {
  const agent = findGuestAgent(await domain.getXMLDesc())
  if (agent === 'none') {
    throw new VmpkgError('AGENT_UNAVAILABLE', `${name} has no guest agent, and this host is no part of its network`, {
      hint: `vmpkg wait ${name} --for address does without.`,
    })
  }
  if (agent === 'closed') return { isThere: false, reason: 'its guest agent does not run yet' }
  return asking(async () =>
    (await findListener(domain, port)) ? { isThere: true } : { isThere: false, reason: 'nothing listens there' },
  )
}

/** An agent that is only starting says no for a while. */
async function asking(look: () => Promise<Look>): Promise<Look> {
  try {
    return await look()
  } catch (error) {
    if (isVmpkgError(error, 'AGENT_UNAVAILABLE') || isVmpkgError(error, 'DOMAIN_STATE')) {
      return { isThere: false, reason: error.message }
    }
    throw error
  }
}
