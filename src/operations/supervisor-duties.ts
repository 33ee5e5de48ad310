/**
 * What the supervisor does besides its look at routers. One entry each: when, whether the lock is needed, what. A duty has to
 * be safe to run at any time and twice; one that fails is told once and comes again.
 */
import { listMachines } from '../domain/inventory.ts'
import { findLink } from '../domain/link.ts'
import type { Connect } from '../libvirt/connect.ts'
import { collectGarbage, collectVanished, listVanished } from './gc.ts'
import { checkSilence, ensureSilence } from './host-silence.ts'
import { needsPools } from './pool.ts'
import { hasFailed, refill } from './pool-keeper.ts'
import { listUnattended } from './pool-relief.ts'
import { needsSettling, settleRouter } from './settle-router.ts'
import { listDue, takeDue } from './snapshot-schedule.ts'
import { depthOf } from './supervised-routers.ts'
import type { Workspace } from './workspace.ts'

export interface Duty {
  readonly name: string
  /** What it follows on at once, besides each `everyMs`. Those of the interval are also done whenever libvirt was connected. */
  readonly on: readonly ('machine' | 'network')[]
  readonly everyMs: number | 'interval'
  /** Asked without the lock. */
  isNeeded(workspace: Workspace, connect: Connect): Promise<boolean>
  /** `lock`: holds the root's lock, so it never runs against a vmpkg command; what dead commands left is undone by then. */
  readonly needs: 'lock' | 'nothing'
  run(workspace: Workspace, connect: Connect): Promise<void>
}

export const DUTIES: readonly Duty[] = [
  {
    name: 'undo what dead commands left',
    on: [],
    everyMs: 'interval',
    needs: 'lock',
    isNeeded: (workspace) => workspace.isUnfinished(),
    run: async () => {}, // taking the lock did it
  },
  {
    name: 'keep the host silent on its LANs',
    on: ['network', 'machine'],
    everyMs: 'interval',
    needs: 'lock',
    isNeeded: async (workspace, connect) => (await checkSilence(workspace, connect)).length > 0,
    run: async (workspace, connect) => {
      if (!(await ensureSilence(workspace, connect))) return
      workspace.outside.emit({
        type: 'noted',
        message: 'Set the rules again that keep the host off the LANs of routers',
      })
    },
  },
  {
    name: 'bring routers in step with those behind them',
    on: ['machine'],
    everyMs: 'interval',
    needs: 'lock',
    isNeeded: async (workspace, connect) => (await listUnsettled(workspace, connect)).length > 0,
    run: async (workspace, connect) => {
      for (const machine of await listUnsettled(workspace, connect)) await settleRouter(workspace, connect, machine)
    },
  },
  {
    name: 'clear away ephemeral machines that ended',
    on: ['machine'],
    everyMs: 'interval',
    needs: 'lock',
    isNeeded: async (workspace, connect) =>
      (await listVanished(workspace, connect)).length + (await listUnattended(workspace, connect)).length > 0,
    run: collectVanished,
  },
  {
    name: 'fill pools',
    on: ['machine'],
    everyMs: 'interval',
    needs: 'lock',
    isNeeded: async (workspace, connect) => hasFailed(workspace) || (await needsPools(workspace, connect)),
    run: refill,
  },
  {
    name: 'take the snapshots that are due',
    on: [],
    everyMs: 30_000,
    needs: 'lock',
    isNeeded: async (workspace, connect) => (await listDue(workspace, connect)).length > 0,
    run: takeDue,
  },
  {
    name: 'collect garbage',
    on: [],
    everyMs: 3_600_000,
    needs: 'lock',
    isNeeded: async () => true,
    run: async (workspace) => {
      const removed = await collectGarbage(workspace, { dryRun: false, keepDownloads: true })
      const { emit } = workspace.outside
      for (const { what, subject } of removed) emit({ type: 'noted', message: `Removed ${what} ${subject}` })
    },
  },
]

/**
 * Routers that let through what is not behind them, or do not let through what is; upper ones first. Only those with an open
 * LAN: one that does not answer would take no new rules, and keep the lock meanwhile.
 */
async function listUnsettled(workspace: Workspace, connect: Connect) {
  const machines = (await listMachines(connect)).filter(({ facts }) => facts.kind === 'router')
  const found = []
  for (const machine of machines.toSorted((a, b) => depthOf(a, machines) - depthOf(b, machines))) {
    const { lanMac } = machine.facts
    const { state } = await machine.domain.getState()
    if (state !== 'running' || lanMac === undefined) continue
    if (findLink(await machine.domain.getXMLDesc(), lanMac) !== 'up') continue
    if (await needsSettling(workspace, connect, machine)) found.push(machine)
  }
  return found
}
