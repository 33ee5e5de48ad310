/**
 * Cuts routers off at once (leak case A15), and lets them back. Cutting asks nobody: no guest, and no other vmpkg that
 * holds the lock. The lowest routers come first, so nothing of a client is on its way when its tunnel goes.
 */
import { getMachine, listMachines, type Machine } from '../domain/inventory.ts'
import { type CutCard, cutCards, markPanic, readPanic, setWanLinks } from '../domain/panic.ts'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import type { Connect } from '../libvirt/connect.ts'
import { openRouter, type StartOptions } from './start.ts'
import { findUpper } from './upper.ts'
import type { Workspace } from './workspace.ts'

export interface PanicRow {
  readonly name: string
  /** ISO 8601, UTC; not of one that is lifted. */
  readonly since: string | undefined
  /** Links that were cut, with how long each took. */
  readonly cut: readonly CutCard[]
}

interface PanicRequest {
  /** All routers where none is named; those in panic, to lift it. */
  readonly names: readonly string[]
  readonly dryRun: boolean
}

/**
 * Safe to run again. A stopped router is marked too, so that nothing starts it.
 * @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `USAGE`
 */
export async function panicRouters(
  workspace: Workspace,
  { names, dryRun }: PanicRequest,
): Promise<readonly PanicRow[]> {
  const connect = await workspace.connectIfRunning()
  if (connect === undefined) return []
  const levels = byDepth(await chooseRouters(connect, names), await listMachines(connect))
  const now = workspace.outside.clock.now().toISOString()
  const sinceOf = ({ xml }: Machine): string => readPanic(xml) ?? now
  if (dryRun) return levels.flat().map((one) => ({ name: one.name, since: sinceOf(one), cut: [] }))
  const rows: PanicRow[] = []
  for (const level of levels) rows.push(...(await Promise.all(level.map((one) => cutOff(one, sinceOf(one))))))
  await makeSure(workspace, levels.flat(), sinceOf)
  return rows
}

/** Link, mark, and the links once more: who raises one meanwhile either sees the mark or is seen. */
async function cutOff({ domain, name, facts }: Machine, since: string): Promise<PanicRow> {
  const first = (await domain.isActive()) ? await cutCards(domain, facts.lanMac) : []
  await markPanic(domain, since)
  const second = (await domain.isActive()) ? await cutCards(domain, facts.lanMac) : []
  return { name, since, cut: [...first, ...second] }
}

/** Another vmpkg may just have been writing a definition that knows of no panic. */
async function makeSure(
  workspace: Workspace,
  routers: readonly Machine[],
  sinceOf: (router: Machine) => string,
): Promise<void> {
  try {
    await workspace.lock()
  } catch (error) {
    if (!isVmpkgError(error, 'LOCK_HELD')) throw error
    workspace.outside.emit({
      type: 'warned',
      code: 'LOCK_HELD',
      message: `Everything is cut, but another vmpkg still works on this host: ${error.message}`,
      hint: 'Run this once more when it is done: it may write a definition that knows of no panic.',
    })
    return
  }
  for (const router of routers) {
    const xml = await router.domain.getXMLDesc({ flags: ['inactive'] })
    if (readPanic(xml) === undefined) await cutOff(router, sinceOf(router))
  }
}

/**
 * Upper routers first; each that runs has to attest before its mark goes and its LAN opens. One that does not stays cut.
 * @throws {VmpkgError} `DOMAIN_UNKNOWN` `DOMAIN_FOREIGN` `USAGE` `GUEST_NOT_READY` `ATTESTATION_FAILED`
 */
export async function liftPanic(
  workspace: Workspace,
  { names, dryRun, ...options }: PanicRequest & StartOptions,
): Promise<readonly PanicRow[]> {
  const connect = await workspace.connectIfRunning()
  if (connect === undefined) return []
  const chosen = (await chooseRouters(connect, names)).filter(({ xml }) => readPanic(xml) !== undefined)
  const routers = byDepth(chosen, await listMachines(connect))
    .flat()
    .toReversed()
  const lifted = routers.map(({ name }): PanicRow => ({ name, since: undefined, cut: [] }))
  if (dryRun) return lifted
  for (const router of routers) await liftOne(workspace, connect, router, options)
  return lifted
}

async function liftOne(workspace: Workspace, connect: Connect, router: Machine, options: StartOptions): Promise<void> {
  const { domain, facts } = router
  if (!(await domain.isActive()) || facts.lanMac === undefined) {
    await markPanic(domain, undefined)
    return
  }
  await setWanLinks(domain, facts.lanMac, 'up')
  try {
    await openRouter(workspace, connect, router, options, async () => markPanic(domain, undefined))
  } catch (error) {
    if (await domain.isActive()) await cutCards(domain, facts.lanMac)
    throw error
  }
}

async function chooseRouters(connect: Connect, names: readonly string[]): Promise<readonly Machine[]> {
  if (names.length === 0) return (await listMachines(connect)).filter(({ facts }) => facts.kind === 'router')
  const named = await Promise.all([...new Set(names)].map((name) => getMachine(connect, name)))
  for (const { name, facts } of named) {
    if (facts.kind !== 'router')
      throw new VmpkgError('USAGE', `${name} is no router`, { hint: 'vmpkg net list shows them.' })
  }
  return named
}

/** The lowest first. */
function byDepth(routers: readonly Machine[], all: readonly Machine[]): readonly (readonly Machine[])[] {
  const depthOf = (machine: Machine, seen: ReadonlySet<string> = new Set()): number => {
    const upper = seen.has(machine.name) ? undefined : findUpper(all, machine.facts)
    return upper === undefined ? 0 : 1 + depthOf(upper, new Set([...seen, machine.name]))
  }
  const levels = Map.groupBy(routers, (one) => depthOf(one))
  return [...levels].toSorted(([a], [b]) => b - a).map(([, level]) => level)
}
