/** Checks installed packages against what was signed: the archive by its digest, images by size and mode, or every byte. */
import { isVmpkgError } from '../errors.ts'
import { ImageStore } from '../image/store.ts'
import type { InstalledPackage } from '../state/installed.ts'
import { loadPackage } from './package-store.ts'
import type { Workspace } from './workspace.ts'

export interface Finding {
  readonly package: string
  readonly what: string
  readonly finding: string
}

/** Nothing found means that all is as signed. @throws {VmpkgError} `PACKAGE_NOT_INSTALLED` `ABORTED` */
export async function verify(
  workspace: Workspace,
  { packages, full }: { readonly packages: readonly string[]; readonly full: boolean },
): Promise<readonly Finding[]> {
  const installed =
    packages.length === 0 ? workspace.installed.list() : packages.map((name) => workspace.installed.get(name))
  const findings: Finding[] = []
  for (const one of installed) findings.push(...(await verifyPackage(workspace, one, full)))
  return findings
}

async function verifyPackage(
  workspace: Workspace,
  { line }: InstalledPackage,
  full: boolean,
): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  const { signal, emit } = workspace.outside
  const check = async (what: string, run: () => Promise<unknown>): Promise<void> => {
    try {
      await run()
    } catch (error) {
      if (!isVmpkgError(error) || error.code === 'ABORTED') throw error
      findings.push({ package: line.name, what, finding: `${error.message} [${error.code}]` })
    }
  }
  emit({ type: 'stage-started', stage: 'verify', subject: line.name })
  await check('archive', () => loadPackage(workspace, line))
  const store = new ImageStore(workspace.paths.images)
  for (const image of line.images)
    await check(`image ${image.role}`, () => store.verify(image, { isFull: full, signal }))
  return findings
}
