/** What a supervisor leaves for `status`: who it is, and why it has closed which LAN. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { findLockHolder } from '../state/lock.ts'
import type { ConnectionPaths } from '../state/paths.ts'

/** By UUID of the router. */
export type ClosedLans = Readonly<Record<string, { readonly reason: string; readonly since: string }>>

const recordSchema = z.object({ closed: z.record(z.string(), z.object({ reason: z.string(), since: z.string() })) })

export function supervisorLock({ folder }: ConnectionPaths): string {
  return join(folder, 'supervisor.lock')
}

export function supervisorRecord({ folder }: ConnectionPaths): string {
  return join(folder, 'supervisor.json')
}

export function formatSupervisorRecord(closed: ClosedLans): string {
  return `${JSON.stringify({ closed })}\n`
}

export interface SupervisorState {
  /** Of the one that lives. */
  readonly pid: number | undefined
  readonly closed: ClosedLans
}

/** A record of one that is gone still says why a LAN is closed. */
export async function readSupervisor(paths: ConnectionPaths): Promise<SupervisorState> {
  const text = await readFile(supervisorRecord(paths), 'utf8').catch(() => '{}')
  const read = recordSchema.safeParse(parse(text))
  return { pid: findLockHolder(supervisorLock(paths))?.pid, closed: read.success ? read.data.closed : {} }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
