/**
 * One look at the running routers, and what follows from it: a LAN that is not attested is closed, one that is may be opened.
 * A link is opened under the lock of the root, after everything was read once more; it is closed without: closing is safe.
 */

import { listMachines, type Machine } from '../domain/inventory.ts'
import { findLink, setLink } from '../domain/link.ts'
import { type Answer, askAgain } from '../domain/readiness.ts'
import { isVmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { LibvirtError } from '../libvirt/error.ts'
import type { Sha256 } from '../model/digest.ts'
import { readDomainFacts } from '../render/facts-xml.ts'
import { type AgentReply, verifyAttestation } from '../router/agent.ts'
import { judgeRouter, type RouterMemory, type RouterSight, SOON_MS, type Verdict } from '../router/supervision.ts'
import { findLockHolder } from '../state/lock.ts'
import { findInNamespace, getAttribute } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { ensureSilence } from './host-silence.ts'
import type { ClosedLans } from './supervisor-record.ts'
import { findUpper } from './upper.ts'
import type { Workspace } from './workspace.ts'

/** What a router is known by from one look to the next, by UUID. */
interface Watched {
  memory?: RouterMemory
  /** When it is looked at next. */
  dueAt: number
  /** Of questions without an answer. */
  readonly nonces: Set<string>
  /** Since when its LAN is closed; ISO 8601, UTC. */
  closedAt?: string | undefined
  /** It is attested and its LAN is open, as of the last look. */
  isOpen: boolean
}

export interface RouterReport {
  readonly name: string
  readonly link: 'up' | 'down'
  readonly verdict: Verdict
  readonly reason: string
}

/** A guest that is emulated takes seconds; what comes later counts at the next look. */
const ASK_MS = 10_000

/** Of one router, whose answers still count: the oldest are forgotten. */
const MOST_QUESTIONS = 32

export class RouterWatch {
  readonly #workspace: Workspace
  readonly #intervalMs: number
  readonly #watched = new Map<string, Watched>()
  readonly #reports = new Map<string, RouterReport>()
  #isFirstRound = true

  constructor(workspace: Workspace, intervalMs: number) {
    this.#workspace = workspace
    this.#intervalMs = intervalMs
  }

  /** Of the last look at each router that runs. */
  get reports(): readonly RouterReport[] {
    return [...this.#reports.values()]
  }

  /** Looks at this one, or at all, as soon as may be. */
  hurry(uuid?: string): void {
    for (const [known, watched] of this.#watched) if (uuid === undefined || known === uuid) watched.dueAt = 0
  }

  /** Those that it closed, or found closed and did not open, by UUID. */
  get closed(): ClosedLans {
    const down = [...this.#reports].filter(([, { link }]) => link === 'down')
    return Object.fromEntries(
      down.map(([uuid, { reason }]) => [uuid, { reason, since: this.#get(uuid).closedAt ?? '' }]),
    )
  }

  /** As of the last look. */
  isOpen(uuid: string): boolean {
    return this.#watched.get(uuid)?.isOpen === true
  }

  /** @returns milliseconds until the next router is due. @throws {ConnectionClosed} */
  async look(connect: Connect): Promise<number> {
    const now = this.#now()
    const machines = await listMachines(connect)
    const running = await listRunning(machines)
    for (const uuid of this.#watched.keys()) {
      if (running.some(({ machine }) => machine.domain.uuid === uuid)) continue
      this.#watched.delete(uuid)
      this.#reports.delete(uuid)
    }
    for (const { machine } of running) {
      const { uuid } = machine.domain
      if (!this.#watched.has(uuid)) this.#watched.set(uuid, { dueAt: 0, nonces: new Set(), isOpen: false })
    }
    const due = running.filter(({ machine }) => this.#get(machine.domain.uuid).dueAt <= now)
    const seen = await Promise.all(due.map(async (one) => ({ ...one, view: await this.#observe(one.machine) })))
    // A question that was broken off is no silence.
    if (this.#workspace.outside.signal.aborted) return this.#intervalMs
    for (const { machine, view } of seen) if (view !== undefined) await this.#act(connect, machines, machine, view)
    this.#isFirstRound = false
    const next = Math.min(...running.map(({ machine }) => this.#get(machine.domain.uuid).dueAt), now + this.#intervalMs)
    return Math.max(0, next - this.#now())
  }

  /** `undefined` for one that has just gone. */
  async #observe(machine: Machine): Promise<View | undefined> {
    const { domain, name } = machine
    const { randomness, signal, emit } = this.#workspace.outside
    const watched = this.#get(domain.uuid)
    watched.dueAt = this.#now() + this.#intervalMs
    try {
      const before = await domain.getXMLDesc()
      const expected = readDomainFacts(before)?.rules
      // A late reply may be of before a change: it is believed where it is good news.
      const isEnough = ({ rules }: AgentReply): boolean => rules?.matches === true && rules.sha256 === expected
      const earlier = { nonces: watched.nonces, isEnough }
      for (const nonce of watched.nonces) if (watched.nonces.size >= MOST_QUESTIONS) watched.nonces.delete(nonce)
      const answer = await askAgain(domain, before, { randomness, signal, timeoutMs: ASK_MS, earlier })
      // A command that gives it new rules holds the lock until it has written down which.
      const isCommandAtWork = findLockHolder(this.#workspace.paths.lock) !== undefined
      const xml = await domain.getXMLDesc()
      const facts = readDomainFacts(xml)
      const link = facts?.lanMac === undefined ? undefined : findLink(xml, facts.lanMac)
      if (facts?.lanMac === undefined || link === undefined) return undefined
      const judged = judgeAnswer(answer, facts.rules, name)
      return {
        run: runOf(xml),
        link,
        lanMac: facts.lanMac,
        rules: facts.rules,
        ...judged,
        bar: findBar(xml),
        isCommandAtWork,
      }
    } catch (error) {
      if (!(error instanceof LibvirtError)) throw error
      // One that libvirt has trouble with keeps nobody from looking at the others.
      if (!isGone(error)) emit({ type: 'warned', code: 'LIBVIRT_FAILED', message: `${name}: ${error.message}` })
      return undefined
    }
  }

  async #act(connect: Connect, machines: readonly Machine[], machine: Machine, view: View): Promise<void> {
    const watched = this.#get(machine.domain.uuid)
    const upper = findUpper(machines, machine.facts)
    const sight: RouterSight = { ...view, isUpperOpen: upper === undefined || this.isOpen(upper.domain.uuid) }
    const times = { now: this.#now(), intervalMs: this.#intervalMs, isFirstRound: this.#isFirstRound }
    const step = judgeRouter(sight, watched.memory, times)
    watched.memory = step.memory
    watched.dueAt = this.#now() + step.nextMs
    let { link } = view
    let { reason } = step
    if (step.link === 'down' && (await this.#close(machine, view, reason))) link = 'down'
    if (step.link === 'up') {
      const refusal = await this.#open(connect, machine, view, reason, upper)
      if (refusal === undefined) link = 'up'
      else {
        reason = refusal
        watched.dueAt = this.#now() + Math.min(SOON_MS, this.#intervalMs)
      }
    }
    watched.closedAt = link === 'up' ? undefined : (watched.closedAt ?? new Date(this.#now()).toISOString())
    watched.isOpen = link === 'up' && (view.verdict === 'attested' || view.verdict === 'unready')
    this.#reports.set(machine.domain.uuid, { name: machine.name, link, verdict: view.verdict, reason })
  }

  /** True once it is closed. */
  async #close({ domain, name }: Machine, { lanMac }: View, reason: string): Promise<boolean> {
    const { emit } = this.#workspace.outside
    try {
      await setLink(domain, lanMac, 'down')
      emit({ type: 'link-changed', subject: name, link: 'down', reason })
      return true
    } catch (error) {
      if (isGone(error)) return true
      if (!(error instanceof LibvirtError) && !isVmpkgError(error)) throw error
      emit({
        type: 'warned',
        code: 'LIBVIRT_FAILED',
        message: `The LAN of ${name} could not be closed: ${error.message}`,
      })
      this.#get(domain.uuid).dueAt = this.#now() + Math.min(SOON_MS, this.#intervalMs)
      return false
    }
  }

  /** Why it was not opened, `undefined` when it was. Everything is read once more: it may be another run by now. */
  async #open(
    connect: Connect,
    { domain: { uuid }, name }: Machine,
    seen: View,
    reason: string,
    upper: Machine | undefined,
  ): Promise<string | undefined> {
    if (!(await this.#workspace.tryLock())) return 'a vmpkg command is at work'
    try {
      const domain = await connect.domainLookupByUuid({ uuid })
      const { state } = await domain.getState()
      const xml = await domain.getXMLDesc()
      const isSame = runOf(xml) === seen.run && readDomainFacts(xml)?.rules === seen.rules
      if (state !== 'running' || !isSame) return 'it is not what was attested any more'
      const bar = findBar(xml)
      if (bar !== undefined) return bar
      if (upper !== undefined && !(await isUp(upper))) return 'the router above was closed meanwhile'
      await ensureSilence(this.#workspace, connect)
      await setLink(domain, seen.lanMac, 'up')
      // Who cuts it off waits for nobody: the mark comes before the look at links.
      const late = findBar(await domain.getXMLDesc())
      if (late !== undefined) {
        await setLink(domain, seen.lanMac, 'down')
        return late
      }
      this.#workspace.outside.emit({ type: 'link-changed', subject: name, link: 'up', reason })
      return undefined
    } catch (error) {
      if (error instanceof LibvirtError || isVmpkgError(error)) return error.message
      throw error
    } finally {
      await this.#workspace.unlock()
    }
  }

  #get(uuid: string): Watched {
    const watched = this.#watched.get(uuid)
    if (watched === undefined) throw new TypeError('a router that is looked at is watched')
    return watched
  }

  #now(): number {
    return this.#workspace.outside.clock.now().getTime()
  }
}

interface View extends Omit<RouterSight, 'isUpperOpen'> {
  readonly lanMac: string
  /** What it had to attest. */
  readonly rules: Sha256 | undefined
}

/** Routers whose processors run, upper ones first. */
async function listRunning(machines: readonly Machine[]): Promise<readonly { readonly machine: Machine }[]> {
  const routers = machines.filter(({ facts }) => facts.kind === 'router')
  const states = await Promise.all(
    routers.map(async (machine) => {
      const state = await machine.domain.getState().catch((error: unknown) => {
        if (isGone(error)) return undefined
        throw error
      })
      return { machine, isRunning: state?.state === 'running', depth: depthOf(machine, routers) }
    }),
  )
  return states.filter(({ isRunning }) => isRunning).toSorted((a, b) => a.depth - b.depth)
}

/** How many routers are above it; definitions by hand may go round in a circle. */
export function depthOf(machine: Machine, machines: readonly Machine[]): number {
  const seen = new Set<Machine>()
  for (let at: Machine | undefined = machine; at !== undefined && !seen.has(at); at = findUpper(machines, at.facts)) {
    seen.add(at)
  }
  return seen.size - 1
}

const NO_REPLY = {
  deaf: { verdict: 'deaf', reason: 'its agent has not opened its channel' },
  silent: { verdict: 'unanswered', reason: 'its agent does not answer' },
  busy: { verdict: 'unanswered', reason: 'somebody else has the channel of its agent' },
} as const

function judgeAnswer(
  answer: Answer,
  rules: Sha256 | undefined,
  name: string,
): { readonly verdict: Verdict; readonly reason: string } {
  if (answer.kind !== 'reply') return NO_REPLY[answer.kind]
  const { reply } = answer
  if (rules === undefined)
    return { verdict: 'mismatch', reason: 'its metadata does not say which rules it must attest' }
  try {
    verifyAttestation(reply, rules, name)
  } catch (error) {
    if (!isVmpkgError(error, 'ATTESTATION_FAILED')) throw error
    return { verdict: 'mismatch', reason: error.message }
  }
  return { verdict: reply.ready === true ? 'attested' : 'unready', reason: '' }
}

async function isUp({ domain }: Machine): Promise<boolean> {
  const xml = await domain.getXMLDesc()
  const lanMac = readDomainFacts(xml)?.lanMac
  return lanMac !== undefined && findLink(xml, lanMac) === 'up' && (await domain.getState()).state === 'running'
}

/** Libvirt's number of what runs: a machine that was started again has another one. */
function runOf(xml: string): number {
  return Number(getAttribute(parseXml(xml).root, 'id') ?? -1)
}

/** Metadata of a router that was cut off by hand: until that is lifted nobody opens it. */
const PANIC_NAMESPACE = 'urn:vmpkg:panic:1'

export function findBar(xml: string): string | undefined {
  const marks = findInNamespace(parseXml(xml).root, PANIC_NAMESPACE, 'panic')
  return marks.length === 0 ? undefined : 'it is in panic'
}

function isGone(error: unknown): boolean {
  return error instanceof LibvirtError && error.is('noDomain', 'operationInvalid')
}
