/**
 * The planner of pins on every captured host: is each plan within the rules, how far from the exhaustive optimum where
 * that can be searched, and how long does it take. `npm run bench -- planner` writes the table into docs/placement.md.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isVmpkgError } from '../../src/errors.ts'
import { planPlacement } from '../../src/host/plan-placement.ts'
import { readTopology } from '../../src/host/read-topology.ts'
import { type HostTopology, listCores } from '../../src/host/topology.ts'
import type { Placement } from '../../src/model/placement.ts'
import { unpackHostTrees } from '../support/host-trees.ts'
import { madeHost } from '../support/made-host.ts'
import { findBrokenRules, findLeastCost, placementCost } from '../support/placement-rules.ts'
import { formatMs, median, type Report } from './measure.ts'

const GOAL_MS = 50
const ROUNDS = 3
/** Plans a round: the clock of a thread's processor time is coarse. */
const PLANS = 8
const SEARCHED = 16
const SIZES = [1, 2, 3, 4, 6, 7, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 255]

export async function measurePlanner(): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-bench-'))
  try {
    const trees = await unpackHostTrees(folder)
    const hosts = [
      ...trees.map(({ name, sysfs, procfs }) => ({ name, topology: readTopology({ sysfs, procfs }) })),
      // No package has a tree of a large present-day machine.
      {
        name: 'made/2 sockets × 64 cores × 2 threads',
        topology: madeHost({ nodes: 2, coresPerNode: 64, threads: 2, coresPerCache: 8 }),
      },
      {
        name: 'made/8 nodes × 32 cores × 2 threads',
        topology: madeHost({ nodes: 8, coresPerNode: 32, threads: 2, coresPerCache: 8 }),
      },
    ]
    const rows = hosts.map(({ name, topology }) => ({ name, topology, ...measureHost(topology) }))
    const slowest = Math.max(
      ...rows.filter(({ topology }) => topology.cpus.length <= 256).map(({ worstMs }) => worstMs),
    )
    const plans = rows.reduce((sum, row) => sum + row.plans, 0)
    const broken = rows.reduce((sum, row) => sum + row.broken, 0)
    const excess = Math.max(...rows.map((row) => row.excess ?? 0))
    return {
      title: `Planner of pins: ${plans} plans for ${hosts.length} hosts`,
      about:
        `${broken} plans break a rule. Where at most ${SEARCHED} CPUs are online every possible choice was compared: the worst plan costs ` +
        `${(excess * 100).toFixed(2)} % more than the best. The slowest plan for up to 256 CPUs took ${formatMs(slowest)} ` +
        `of the thread’s processor time, median of ${ROUNDS} rounds of ${PLANS} plans: the goal of ${GOAL_MS} ms is ${slowest <= GOAL_MS ? 'met' : 'missed'}. ` +
        'Refused are sizes that the host has no room for.',
      table: formatTable(rows),
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

interface Figures {
  readonly plans: number
  readonly refused: number
  readonly broken: number
  readonly searched: number
  /** Of the cost over the optimum, at worst. */
  readonly excess: number | undefined
  readonly worstMs: number
}

function measureHost(topology: HostTopology): Figures {
  let [plans, refused, broken, searched, worstMs] = [0, 0, 0, 0, 0]
  let excess: number | undefined
  for (const vcpus of SIZES.filter((size) => size <= topology.cpus.length)) {
    const request = { vcpus, memoryKib: 1024 ** 2, iothreads: 1 }
    const times: number[] = []
    let placement: Placement | undefined
    for (let round = 0; round < ROUNDS; round++) {
      const began = process.threadCpuUsage()
      for (let plan = 0; plan < PLANS; plan++) placement = planOrNothing(topology, request)
      const { user, system } = process.threadCpuUsage(began)
      times.push((user + system) / 1000 / PLANS)
    }
    worstMs = Math.max(worstMs, median(times))
    if (placement === undefined) {
      refused++
      continue
    }
    plans++
    if (findBrokenRules(topology, request, [], placement).length > 0) broken++
    const least = topology.cpus.length <= SEARCHED ? findLeastCost(topology, request, []) : undefined
    if (least === undefined) continue
    searched++
    const cost = placementCost(topology, request, [], placement)
    excess = Math.max(excess ?? 0, least === 0 ? 0 : cost / least - 1)
  }
  return { plans, refused, broken, searched, excess, worstMs }
}

function planOrNothing(topology: HostTopology, request: Parameters<typeof planPlacement>[1]): Placement | undefined {
  try {
    return planPlacement(topology, request)
  } catch (error) {
    if (isVmpkgError(error, 'PLACEMENT_IMPOSSIBLE')) return undefined
    throw error
  }
}

function formatTable(rows: readonly (Figures & { readonly name: string; readonly topology: HostTopology })[]): string {
  const head = '| host | CPUs | cores | nodes | plans | refused | rules kept | over optimum | slowest |'
  const lines = rows.map(({ name, topology, plans, refused, broken, searched, excess, worstMs }) =>
    [
      name,
      topology.cpus.length,
      listCores(topology).length,
      topology.nodes.length,
      plans,
      refused,
      plans === 0 ? '-' : `${Math.floor((100 * (plans - broken)) / plans)} %`,
      searched === 0 || excess === undefined ? '-' : `${(excess * 100).toFixed(1)} %`,
      formatMs(worstMs),
    ].join(' | '),
  )
  return [head, '|---|--:|--:|--:|--:|--:|--:|--:|--:|', ...lines.map((line) => `| ${line} |`)].join('\n')
}
