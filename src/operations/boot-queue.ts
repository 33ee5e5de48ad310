/**
 * Machines that start with the host. libvirt starts them by itself, in no order, and goes on where one fails; what it did
 * not manage is started here, once a boot, each router after the one above it is open and each client after its router.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { listMachines, type Machine } from '../domain/inventory.ts'
import { replaceFile } from '../durable-file.ts'
import { isVmpkgError } from '../errors.ts'
import { findPrivateHost } from '../host/private-host-record.ts'
import { readBootId } from '../host/process-identity.ts'
import type { Connect } from '../libvirt/connect.ts'
import { LibvirtError } from '../libvirt/error.ts'
import { type StartCandidate, startable } from '../router/supervision.ts'
import { privateFolders } from './connection.ts'
import { isLocal, privateHostName } from './connection-name.ts'
import { releaseObjects, runningHolder } from './holders.ts'
import { settleRouter } from './settle-router.ts'
import { prepareStart } from './start.ts'
import { findBar, type RouterWatch } from './supervised-routers.ts'
import { findUpper } from './upper.ts'
import type { Workspace } from './workspace.ts'

/** Times that a machine is tried, a look apart. */
const TRIES = 3

export class BootQueue {
  readonly #workspace: Workspace
  readonly #watch: RouterWatch
  /** What is left of this boot, with the tries so far; undefined until libvirt was asked. */
  #waiting: Map<string, number> | undefined

  constructor(workspace: Workspace, watch: RouterWatch) {
    this.#workspace = workspace
    this.#watch = watch
  }

  /** @returns whether something is left that another look could start */
  async advance(connect: Connect): Promise<boolean> {
    if (this.#waiting?.size === 0) return false
    const boot = await findBoot(this.#workspace)
    if (boot === undefined || (this.#waiting === undefined && (await this.#readDone()) === boot)) {
      this.#waiting = new Map()
      return false
    }
    const machines = await listMachines(connect)
    this.#waiting ??= await findStarting(machines)
    const waiting = this.#waiting
    const candidates = await Promise.all(machines.map((machine) => this.#candidate(machine, machines)))
    for (const { name, isRunning } of candidates) if (isRunning) waiting.delete(name)
    for (const name of waiting.keys()) if (!machines.some((one) => one.name === name)) waiting.delete(name)
    for (const name of startable(candidates, new Set(waiting.keys()))) {
      const machine = machines.find((one) => one.name === name)
      if (machine !== undefined) await this.#start(connect, machine, machines, waiting)
    }
    if (waiting.size === 0) await replaceFile(this.#path, `${boot}\n`, { mode: 0o600 })
    return waiting.size > 0
  }

  get #path(): string {
    return join(this.#workspace.connectionPaths.folder, 'started')
  }

  async #readDone(): Promise<string | undefined> {
    return (await readFile(this.#path, 'utf8').catch(() => undefined))?.trim()
  }

  async #candidate(machine: Machine, machines: readonly Machine[]): Promise<StartCandidate> {
    const { domain, facts, name, xml } = machine
    const lan = machines.find((one) => one.facts.kind === 'router' && one.facts.instance === facts.net)
    const isBarred = facts.kind === 'router' && findBar(xml) !== undefined
    if (isBarred) this.#waiting?.delete(name)
    return {
      name,
      isRunning: await domain.isActive(),
      isOpen: this.#watch.isOpen(domain.uuid),
      after: facts.net === undefined || lan === undefined || lan.name === name ? [] : [lan.name],
    }
  }

  async #start(
    connect: Connect,
    machine: Machine,
    machines: readonly Machine[],
    waiting: Map<string, number>,
  ): Promise<void> {
    const { name, domain } = machine
    const { emit } = this.#workspace.outside
    if (!(await this.#workspace.tryLock())) return
    try {
      const upper = findUpper(machines, machine.facts)
      if (upper !== undefined) await settleRouter(this.#workspace, connect, upper)
      if (!(await domain.isActive())) {
        emit({ type: 'stage-started', stage: 'start', subject: name })
        await prepareStart(this.#workspace, connect, await domain.getXMLDesc({ flags: ['inactive'] }))
        await domain.create()
        releaseObjects(this.#workspace, runningHolder(domain.uuid))
        emit({ type: 'stage-finished', stage: 'start', subject: name })
      }
      waiting.delete(name)
    } catch (error) {
      if (!(error instanceof LibvirtError) && !isVmpkgError(error)) throw error
      const tries = (waiting.get(name) ?? 0) + 1
      if (tries < TRIES) waiting.set(name, tries)
      else waiting.delete(name)
      emit({
        type: 'warned',
        code: isVmpkgError(error) ? error.code : 'LIBVIRT_FAILED',
        message: `${name} did not start with the host (try ${tries} of ${TRIES}): ${error.message}`,
        hint: `See to the cause, then run: vmpkg start ${name}`,
      })
    } finally {
      await this.#workspace.unlock()
    }
  }
}

/** Those marked, and the routers that they stand behind. */
async function findStarting(machines: readonly Machine[]): Promise<Map<string, number>> {
  const names = new Map<string, number>()
  for (const machine of machines) {
    if (!(await machine.domain.getAutostart())) continue
    for (
      let at: Machine | undefined = machine;
      at !== undefined && !names.has(at.name);
      at = findUpper(machines, at.facts)
    ) {
      names.set(at.name, 0)
    }
  }
  return names
}

/** What a boot of that libvirt's machine is known by; `undefined` for one elsewhere. */
async function findBoot(workspace: Workspace): Promise<string | undefined> {
  const { connectionName } = workspace
  if (!isLocal(connectionName)) return undefined
  const name = privateHostName(connectionName)
  if (name === undefined) return readBootId()
  const host = await findPrivateHost(name, privateFolders(workspace))
  return host === undefined ? undefined : `${await readBootId()} ${host.pid} ${host.startTime}`
}
