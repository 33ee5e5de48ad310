/** The catalogue of this host: a cache of what the sources offered at the last update, opened for one command. */
import { existsSync, mkdirSync } from 'node:fs'
import { arch } from 'node:os'
import { dirname } from 'node:path'
import { Catalogue } from '../catalogue/catalogue.ts'
import { openCatalogueDatabase } from '../catalogue/schema.ts'
import { VmpkgError } from '../errors.ts'
import { hostSeed } from './host-seed.ts'
import type { Workspace } from './workspace.ts'

export type OpenCatalogue = Catalogue & Disposable

export function openCatalogue(workspace: Workspace): OpenCatalogue {
  const path = workspace.paths.catalogueDatabase
  mkdirSync(dirname(path), { recursive: true })
  const database = openCatalogueDatabase(path)
  const catalogue = new Catalogue(database, {
    arch: arch() === 'arm64' ? 'arm64' : 'amd64',
    seed: hostSeed(workspace),
    preferences: workspace.preferences,
  })
  return Object.assign(catalogue, { [Symbol.dispose]: () => database.close() })
}

/** For commands that need packages: an empty catalogue is explained. @throws {VmpkgError} `SOURCE_UNKNOWN` */
export function requireCatalogue(workspace: Workspace): void {
  if (existsSync(workspace.paths.catalogueDatabase)) return
  throw new VmpkgError('SOURCE_UNKNOWN', 'No package lists have been fetched yet', {
    hint: 'Add a registry with vmpkg source add, then run vmpkg update.',
  })
}
