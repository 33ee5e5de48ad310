/**
 * Huge pages of the connection's host: show, reserve for a machine, give back. What was reserved is noted under the
 * name it was reserved for, and forgotten with the boot it belongs to, as the kernel does.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { replaceFile } from '../durable-file.ts'
import { VmpkgError } from '../errors.ts'
import { checkPageSize, type PageNeed, planPages } from '../host/hugepage-plan.ts'
import { type HostRoots, REAL_ROOTS } from '../host/kernel-files.ts'
import { readBootId } from '../host/process-identity.ts'
import { type Reservation, releasePages, reservePages } from '../host/reserve-pages.ts'
import { openPagePools, readHostFacts } from './host-facts.ts'
import type { Workspace } from './workspace.ts'

const noteSchema = z.object({
  boot: z.string(),
  owners: z.record(
    z.string(),
    z.array(z.object({ node: z.number().int().optional(), sizeKib: z.number().int(), added: z.number().int() })),
  ),
})
type Owners = Readonly<Record<string, readonly Reservation[]>>

export interface ReserveRequest {
  /** What it is reserved for: the name of a machine. */
  readonly owner: string
  readonly memoryKib: number
  /** The host's default size without it. */
  readonly pageKib?: number
  /** Nodes among which it is split evenly; the kernel spreads it without any. */
  readonly nodes: readonly number[]
  readonly dropCaches: boolean
  readonly dryRun: boolean
  readonly roots?: HostRoots
}

/** Reserves so many more that `memoryKib` of pages are free. @throws {VmpkgError} `HUGEPAGES_MISSING` `NO_RIGHTS` `USAGE` */
export async function reserveHugepages(
  workspace: Workspace,
  request: ReserveRequest,
): Promise<{ readonly needs: readonly PageNeed[]; readonly reserved: readonly Reservation[] }> {
  const { owner, memoryKib, nodes, dryRun, dropCaches, roots = REAL_ROOTS } = request
  const { topology, memory } = await readHostFacts(workspace, roots)
  const pageKib = request.pageKib ?? memory.defaultHugepageKib ?? 2048
  checkPageSize(memory, pageKib, memoryKib)
  for (const node of nodes) {
    if (!topology.nodes.some(({ id }) => id === node)) {
      throw new VmpkgError('USAGE', `The host has no NUMA node ${node}`, { hint: 'vmpkg host topology lists them.' })
    }
  }
  const pages = memoryKib / pageKib
  const parts =
    nodes.length === 0
      ? [{ pages }]
      : nodes.map((hostNode, i) => ({
          hostNode,
          pages: Math.floor(pages / nodes.length) + (i < pages % nodes.length ? 1 : 0),
        }))
  const cells = parts.map((part, id) => ({ ...part, id, vcpus: [], memoryKib: part.pages * pageKib, pageKib }))
  const needs = planPages(topology, memory, cells)
  if (dryRun || needs.every(({ missing }) => missing === 0)) return { needs, reserved: [] }
  const pools = await openPagePools(workspace, roots)
  const reserved = await reservePages(pools, needs, { dropCaches })
  try {
    const owners = await readOwners(workspace)
    await writeOwners(workspace, { ...owners, [owner]: [...(owners[owner] ?? []), ...reserved] })
  } catch (error) {
    await releasePages(pools, reserved)
    throw error
  }
  return { needs, reserved }
}

/** Gives back what was reserved for an owner, as far as it is free. Nothing reserved is no failure. @throws {VmpkgError} `NO_RIGHTS` */
export async function releaseHugepages(
  workspace: Workspace,
  {
    owner,
    dryRun,
    roots = REAL_ROOTS,
  }: { readonly owner: string; readonly dryRun: boolean; readonly roots?: HostRoots },
): Promise<{ readonly reserved: readonly Reservation[]; readonly left: readonly Reservation[] }> {
  const owners = await readOwners(workspace)
  const reserved = owners[owner] ?? []
  if (dryRun || reserved.length === 0) return { reserved, left: [] }
  const left = await releasePages(await openPagePools(workspace, roots), reserved)
  const others = Object.entries(owners).filter(([name]) => name !== owner)
  await writeOwners(workspace, Object.fromEntries([...others, ...(left.length > 0 ? [[owner, left]] : [])]))
  return { reserved, left }
}

/** By the name they were reserved for. */
export async function readOwners(workspace: Workspace): Promise<Owners> {
  const text = await readFile(notePath(workspace), 'utf8').catch(() => '')
  if (text === '') return {}
  const note = noteSchema.safeParse(parseJson(text))
  if (!note.success) {
    throw new VmpkgError('STATE_INVALID', `${notePath(workspace)} is not what vmpkg writes there`, {
      hint: 'Remove it; pages that it named stay reserved until the host restarts.',
    })
  }
  if (note.data.boot !== (await readBootId())) return {}
  return Object.fromEntries(
    Object.entries(note.data.owners).map(([owner, list]) => [
      owner,
      list.map(({ node, ...rest }) => ({ ...rest, ...(node === undefined ? {} : { node }) })),
    ]),
  )
}

async function writeOwners(workspace: Workspace, owners: Owners): Promise<void> {
  const path = notePath(workspace)
  await mkdir(dirname(path), { recursive: true })
  await replaceFile(path, JSON.stringify({ boot: await readBootId(), owners }))
}

/** One note for each connection: another host has pages of its own. */
function notePath(workspace: Workspace): string {
  return join(workspace.paths.runtime, workspace.connectionPaths.key, 'hugepages.json')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
