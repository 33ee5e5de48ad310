/** `publish`: template folders are built first, built folders are taken as they are; then both are signed and added. */
import { access, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { VmpkgError } from '../errors.ts'
import { readShipped } from '../publish/package-files.ts'
import { isRemoteTarget } from '../publish/target-location.ts'
import { buildTemplates } from './build.ts'
import type { KeyAccess } from './keys.ts'
import type { PlaceRequest } from './registry-place.ts'
import { type AddReport, addToRegistry, findSigners } from './repo-add.ts'
import { type PushReport, pushToTarget } from './repo-push.ts'
import { scratchFolder } from './scratch.ts'
import type { Workspace } from './workspace.ts'

export interface PublishRequest extends KeyAccess, PlaceRequest {
  /** Template folders and folders that a build left. */
  readonly packages: readonly string[]
  readonly cache: string | undefined
  readonly level: string | undefined
  /** Where to push the registry afterwards; it is then a folder of this host. */
  readonly to?: string | undefined
}

export interface PublishReport extends AddReport {
  readonly pushed?: PushReport
}

/** @throws {VmpkgError} those of `buildTemplates` and `addToRegistry`; `USAGE` for a folder that is neither */
export async function publish(workspace: Workspace, request: PublishRequest): Promise<PublishReport> {
  const { packages, cache, to } = request
  if (to !== undefined && isRemoteTarget(request.registry)) {
    throw new VmpkgError('USAGE', '--to pushes a registry folder of this host; the registry named is elsewhere', {
      hint: 'Leave --to away: publish changes a remote registry itself.',
    })
  }
  const kinds = await Promise.all(packages.map(kindOf))
  if (request.dryRun === true) return tryPublish(workspace, request, kinds)
  const out = scratchFolder(workspace)
  try {
    const templates = packages.filter((_, i) => kinds[i] === 'template')
    const built = await buildTemplates(workspace, { templates, out, cache, mirror: undefined })
    const ready = packages.filter((_, i) => kinds[i] === 'built')
    const added = await addToRegistry(workspace, {
      ...request,
      built: [...ready, ...built.map(({ folder }) => folder)],
    })
    if (to === undefined) return added
    const pushed = await pushToTarget(workspace, { folder: request.registry, to })
    return { ...added, pushed, messages: [...added.messages, ...pushed.messages] }
  } finally {
    await rm(out, { recursive: true, force: true })
  }
}

/** Images are made from recipes only in earnest: that takes minutes and the network. */
async function tryPublish(
  workspace: Workspace,
  request: PublishRequest,
  kinds: readonly ('template' | 'built')[],
): Promise<PublishReport> {
  const folders = (kind: 'template' | 'built') => request.packages.filter((_, i) => kinds[i] === kind)
  const templates = await Promise.all(folders('template').map(readShipped))
  const built = folders('built')
  const names = templates.map(({ manifest }) => manifest.name)
  const who = await findSigners(workspace, request, names)
  const report = built.length === 0 ? undefined : await addToRegistry(workspace, { ...request, built })
  const described = templates.map(({ manifest, files }) => ({
    name: manifest.name,
    version: manifest.version,
    arch: manifest.arch,
    files: [...files].map(([path, { bytes }]) => ({ path, size: bytes.length })),
    images: [],
  }))
  const words = templates.map(({ manifest }) => `Would build and publish ${manifest.name} ${manifest.version}`)
  const { signers, place } = report ?? who
  return {
    kind: report?.kind ?? (signers.some(({ role }) => role === 'timestamp') ? 'published' : 'submitted'),
    packages: [...described, ...(report?.packages ?? [])],
    signers,
    place,
    messages: [...words, ...(report?.messages ?? ['Nothing was changed: this was a dry run'])],
  }
}

async function kindOf(folder: string): Promise<'template' | 'built'> {
  const has = async (name: string): Promise<boolean> => {
    try {
      await access(join(folder, name))
      return true
    } catch {
      return false // that is the question
    }
  }
  if (await has('images.json')) return 'built'
  if (await has('vmpkg.yaml')) return 'template'
  throw new VmpkgError('USAGE', `${JSON.stringify(folder)} is neither a template folder nor a built package`, {
    hint: 'A template folder holds vmpkg.yaml, a built one images.json.',
  })
}
