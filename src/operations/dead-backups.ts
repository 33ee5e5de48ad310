/** Whether a backup was killed here: asked at every change, so it loads nothing of what backups need. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { systemErrorCode } from '../errors.ts'
import { isAlive, readOwnIdentity } from '../state/process-identity.ts'
import type { Workspace } from './workspace.ts'

export interface DeadSession {
  /** Of the machine; absent of the folder of a socket. */
  readonly uuid?: string
  readonly path: string
  readonly pid: number
  readonly startTicks: number
}

const SESSION = /^([0-9a-f-]{36})\.backup-([1-9][0-9]{0,9})-([0-9]{1,18})$/
const SOCKETS = /^b-([1-9][0-9]{0,9})-([0-9]{1,18})$/

/** Folders of processes that live no more. */
export async function findDeadBackups({ connectionPaths, paths }: Workspace): Promise<readonly DeadSession[]> {
  const { bootId } = readOwnIdentity()
  const sessions = (await namesIn(connectionPaths.overlays)).flatMap((name) => {
    const [, uuid, pid, startTicks] = SESSION.exec(name) ?? []
    if (uuid === undefined) return []
    return [{ uuid, path: join(connectionPaths.overlays, name), pid: Number(pid), startTicks: Number(startTicks) }]
  })
  const sockets = (await namesIn(paths.runtime)).flatMap((name) => {
    const [, pid, startTicks] = SOCKETS.exec(name) ?? []
    if (pid === undefined) return []
    return [{ path: join(paths.runtime, name), pid: Number(pid), startTicks: Number(startTicks) }]
  })
  return [...sessions, ...sockets].filter(({ pid, startTicks }) => !isAlive({ pid, startTicks, bootId }))
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return []
    throw error
  })
}
