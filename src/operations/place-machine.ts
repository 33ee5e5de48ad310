/** Where a machine would go on the connection's host: its pins, its memory, its huge pages. Changes nothing. */
import { countHeldAsFree } from '../host/held-pages.ts'
import type { HostRoots } from '../host/kernel-files.ts'
import { type MachinePlan, planMachine, type Wish } from '../host/plan-machine.ts'
import { isLocal } from './connection-name.ts'
import { findPciNode, readHostFacts } from './host-facts.ts'
import type { Workspace } from './workspace.ts'

export interface PlaceRequest {
  readonly vcpus: number
  readonly memoryKib: number
  readonly iothreads?: number
  readonly pin: Wish
  readonly hugepages: Wish
  readonly pageKib?: number
  /** PCI addresses of its devices. */
  readonly near: readonly string[]
  /** Name of the machine itself, whose present pins and pages do not stand in its way. */
  readonly machine?: string
  /** Where sysfs and procfs are; the real ones by default. */
  readonly roots?: HostRoots
}

/** @throws {VmpkgError} `PLACEMENT_IMPOSSIBLE` `HUGEPAGES_MISSING` `USAGE` `LIBVIRT_UNREACHABLE` */
export async function placeMachine(workspace: Workspace, request: PlaceRequest): Promise<MachinePlan> {
  const { roots, near, machine, ...wishes } = request
  const { machines, heldPages, ...facts } = await readHostFacts(workspace, roots)
  const { topology, memory } = countHeldAsFree(facts, heldPages.get(machine ?? '') ?? [])
  const nodes = await Promise.all(near.map(async (address) => findPciNode(workspace, address, roots)))
  const nearNodes = [...new Set(nodes.filter((node) => node !== undefined))]
  const others = machines.filter((other) => other.machine !== machine)
  const canHaveDies = isLocal(workspace.connectionName) && process.arch === 'x64'
  return planMachine(topology, memory, { ...wishes, nearNodes, canHaveDies }, others)
}
