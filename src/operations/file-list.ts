/** What a folder of a machine had in it at a point in time. */
import type { PointInTime } from '../domain/points.ts'
import type { Listed } from '../filesystem/entry.ts'
import { type GetRequest, withDiskAt } from './file-get.ts'
import { checkGuestPath, partitionNumbers, placesOf } from './file-reading.ts'
import type { Workspace } from './workspace.ts'

export interface FolderListing {
  readonly path: string
  readonly disk: string
  readonly partition: number
  readonly point: PointInTime
  readonly entries: readonly Listed[]
}

/** By name. The first partition that has the folder, the largest first. */
export async function listFiles(workspace: Workspace, request: Omit<GetRequest, 'maxSize'>): Promise<FolderListing> {
  const path = checkGuestPath(request.path)
  return withDiskAt(workspace, request, async (disk, point) => {
    for (const partition of partitionNumbers(disk, request.partition)) {
      const [place] = placesOf(disk, partition)
      const entries = place === undefined ? undefined : await disk.readers.of(place.filesystem).list(place, path)
      if (entries === undefined) continue
      const sorted = entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))
      return { path, disk: disk.target, partition, point, entries: sorted }
    }
    return undefined
  })
}
