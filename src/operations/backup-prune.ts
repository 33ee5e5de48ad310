/** `backup prune`: the newest of each machine stay, the others go, and then what only they needed. */
import { listPoints, type PointPlace, removePoint, tidyBackupFolder } from '../backup/folder.ts'
import { isVmpkgError, VmpkgError } from '../errors.ts'
import type { Sha256 } from '../model/digest.ts'
import { type FoundPoint, locateFolder, readPoint, whileFolderIsOurs } from './backup-folder.ts'
import type { Workspace } from './workspace.ts'

export interface PruneRequest {
  /** A folder, or one machine in it. */
  readonly path: string
  readonly keep: number
  readonly dryRun: boolean
}

export interface PruneResult {
  readonly removed: readonly { readonly machine: string; readonly point: string }[]
  readonly kept: readonly { readonly machine: string; readonly point: string }[]
  readonly freedBytes: number
}

/** @throws {VmpkgError} `BACKUP_UNKNOWN` `BACKUP_INVALID` `LOCK_HELD` */
export async function pruneBackups(workspace: Workspace, request: PruneRequest): Promise<PruneResult> {
  const { folder, machine, point } = await locateFolder(workspace, request.path)
  if (point !== undefined) {
    throw new VmpkgError('USAGE', `${JSON.stringify(request.path)} is one backup`, {
      hint: 'Name the folder, or one machine in it: FOLDER/MACHINE.',
    })
  }
  return whileFolderIsOurs(workspace, folder, async () => {
    const all = await readAll(folder)
    const going = all.filter(({ place }) => {
      const own = all.filter((one) => one.place.machine === place.machine)
      return (
        (machine === undefined || machine === place.machine) &&
        own.indexOf(find(own, place)) < own.length - request.keep
      )
    })
    const staying = all.filter((one) => !going.includes(one))
    const needed = new Set(staying.flatMap((one) => one.point.packs.map(({ sha256 }) => sha256)))
    const result = { removed: going.map(nameOf), kept: staying.map(nameOf) }
    if (request.dryRun) return { ...result, freedBytes: freed(going, needed) }
    for (const { place } of going) await removePoint(place)
    return { ...result, freedBytes: (await tidyBackupFolder(folder, needed)).bytes }
  })
}

/** One that cannot be read might need any pack, so nothing is taken away beside it. */
async function readAll(folder: string): Promise<readonly FoundPoint[]> {
  const found: FoundPoint[] = []
  for (const place of await listPoints(folder)) {
    try {
      found.push(await readPoint(place))
    } catch (cause) {
      if (!isVmpkgError(cause, 'BACKUP_INVALID')) throw cause
      throw new VmpkgError(
        'BACKUP_INVALID',
        `The backup ${place.machine}/${place.point} is damaged: ${cause.message}`,
        {
          hint: `Look at it, then remove its folder ${JSON.stringify(`${folder}/${place.machine}/${place.point}`)}.`,
          cause,
        },
      )
    }
  }
  return found
}

function find(all: readonly FoundPoint[], { machine, point }: PointPlace): FoundPoint {
  const found = all.find(({ place }) => place.machine === machine && place.point === point)
  if (found === undefined) throw new TypeError('not among them')
  return found
}

function freed(going: readonly FoundPoint[], needed: ReadonlySet<Sha256>): number {
  const packs = new Map(going.flatMap(({ point }) => point.packs.map((pack) => [pack.sha256, pack.size])))
  return [...packs].reduce((sum, [digest, size]) => sum + (needed.has(digest) ? 0 : size), 0)
}

function nameOf({ place: { machine, point } }: FoundPoint): { readonly machine: string; readonly point: string } {
  return { machine, point }
}
