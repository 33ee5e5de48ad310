/**
 * Of a machine that was being restored: files that a definition needs stay, the others go; all of them where it is not
 * defined. So whichever definition libvirt has is whole, and nothing is left of the other.
 */
import { readdir, realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { absent } from '../domain/inventory.ts'
import { listDiskUsers } from './disk-users.ts'
import { keepData } from './keep-data.ts'
import { removeMachineFiles } from './machine-files.ts'
import type { Workspace } from './workspace.ts'

/** `UUID.qcow2`, and what a restore makes beside it: `UUID.1a2b3c4d-vda.qcow2`, `UUID.1a2b3c4d.iso`. */
const OWN = /^[0-9a-f-]{36}(?:\.[0-9a-f]{8}(?:-[a-z0-9-]{1,32})?)?\.(?:qcow2|raw|boot|nvram|iso)$/

/** @param holder who holds the machine’s images */
export async function settleRestore(workspace: Workspace, uuid: string, holder: string): Promise<void> {
  const connect = await workspace.connect()
  const domain = await connect.domainLookupByUuid({ uuid }).catch(absent('noDomain'))
  if (domain === undefined) {
    await keepData(workspace, uuid)
    await removeMachineFiles(workspace.connectionPaths, uuid)
    workspace.imageReferences.release(holder)
    return
  }
  const needed = new Set((await listDiskUsers(connect)).flatMap(({ files }) => [...files]))
  const { overlays, mediums } = workspace.connectionPaths
  for (const folder of [overlays, mediums]) {
    for (const name of await readdir(folder)) {
      if (!name.startsWith(`${uuid}.`) || !OWN.test(name)) continue
      const path = join(folder, name)
      if (!needed.has(await realpath(path))) await rm(path, { force: true })
    }
  }
}
