/** `publish`: template folders are built first, built folders are taken as they are; then both are signed and added. */
import { access, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VmpkgError } from '../errors.ts'
import { buildTemplates } from './build.ts'
import type { KeyAccess } from './keys.ts'
import { type AddReport, addToRegistry } from './repo-add.ts'
import type { Workspace } from './workspace.ts'

export interface PublishRequest extends KeyAccess {
  readonly registry: string
  /** Template folders and folders that a build left. */
  readonly packages: readonly string[]
  readonly cache: string | undefined
  readonly level: string | undefined
}

/** @throws {VmpkgError} those of `buildTemplates` and `addToRegistry`; `USAGE` for a folder that is neither */
export async function publish(workspace: Workspace, request: PublishRequest): Promise<AddReport> {
  const { packages, cache } = request
  const kinds = await Promise.all(packages.map(kindOf))
  const out = await mkdtemp(join(tmpdir(), 'vmpkg-publish-'))
  try {
    const templates = packages.filter((_, i) => kinds[i] === 'template')
    const built = await buildTemplates(workspace, { templates, out, cache, mirror: undefined })
    const ready = packages.filter((_, i) => kinds[i] === 'built')
    return await addToRegistry(workspace, { ...request, built: [...ready, ...built.map(({ folder }) => folder)] })
  } finally {
    await rm(out, { recursive: true, force: true })
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
