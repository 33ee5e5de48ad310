/** Looks for mistakes in package folders, alone and against what a registry has. */

import { lintError } from '../publish/lint-finding.ts'
import { lintAgainstRegistry } from '../publish/lint-manifest.ts'
import { lintPackage, type PackageLint } from '../publish/lint-package.ts'
import { readRegistryView } from '../publish/registry-view.ts'
import { parseSourceUrl } from '../sources/source.ts'
import { registryMirrors } from './sources.ts'
import { readPartials } from './templates.ts'
import type { Workspace } from './workspace.ts'

export interface LintReport extends Omit<PackageLint, 'manifest'> {
  readonly name: string | undefined
  readonly version: string | undefined
}

/** @throws {VmpkgError} `SOURCE_INVALID` and what a client would refuse the registry for; never for what is in the folders */
export async function lintPackages(
  workspace: Workspace,
  { packages, registry }: { readonly packages: readonly string[]; readonly registry: string | undefined },
): Promise<readonly LintReport[]> {
  const partials = await readPartials()
  const linted: PackageLint[] = []
  for (const folder of packages) linted.push(await lintPackage(folder, partials))
  const view =
    registry === undefined
      ? undefined
      : await readRegistryView(await registryMirrors(workspace, parseSourceUrl(registry, workspace.folder)))
  const names = linted.flatMap(({ manifest }) => (manifest === undefined ? [] : [manifest.name]))
  return linted.map(({ manifest, findings, ...rest }) => ({
    ...rest,
    name: manifest?.name,
    version: manifest?.version,
    findings: [
      ...findings,
      ...(manifest === undefined || view === undefined ? [] : lintAgainstRegistry(manifest, view, names)),
      ...(manifest !== undefined && names.filter((name) => name === manifest.name).length > 1
        ? [lintError('name-twice', 'name', `${manifest.name} stands in several of these folders`)]
        : []),
    ],
  }))
}
