/** `schema`: JSON Schemas (2020-12) of what people write, for editors and other programs. */
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { VmpkgError } from '../errors.ts'
import type { Manifest } from '../model/manifest.ts'
import { manifestJsonSchema, parseManifest } from '../model/manifest-schema.ts'
import { recipeJsonSchema } from '../publish/recipe.ts'
import { toJsonSchema } from '../render/parameters.ts'
import { loadPackage } from './package-store.ts'
import type { Workspace } from './workspace.ts'

export const SCHEMAS = ['manifest', 'recipe', 'parameters'] as const

/**
 * @param subject for `parameters`: an installed package, or the path of a package folder
 * @throws {VmpkgError} `PACKAGE_NOT_INSTALLED` `MANIFEST_INVALID`
 */
export async function describeSchema(
  workspace: Workspace,
  what: (typeof SCHEMAS)[number],
  subject = '',
): Promise<Readonly<Record<string, unknown>>> {
  if (what === 'manifest') return manifestJsonSchema()
  if (what === 'recipe') return recipeJsonSchema()
  const { name, parameters } = await findManifest(workspace, subject)
  return { ...toJsonSchema(parameters), title: `Parameters of ${name}` }
}

async function findManifest(workspace: Workspace, subject: string): Promise<Manifest> {
  if (!subject.includes('/')) return (await loadPackage(workspace, workspace.installed.get(subject).line)).manifest
  const folder = resolve(workspace.folder, subject)
  const text = await readFile(join(folder, 'vmpkg.yaml'), 'utf8').catch((cause: unknown) => {
    throw new VmpkgError('MANIFEST_INVALID', `${JSON.stringify(subject)} has no readable vmpkg.yaml`, {
      hint: 'Name a folder that holds a package, such as ./templates/router-uni.',
      cause,
    })
  })
  return parseManifest(text)
}
