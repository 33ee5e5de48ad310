/** Versions that their publisher has withdrawn since they were installed. */
import type { Catalogue } from '../catalogue/catalogue.ts'
import type { InstalledPackage } from '../state/installed.ts'

/** Why the publisher withdrew the installed version, where it did. */
export function findYank(catalogue: Catalogue, { line, source }: InstalledPackage): string | undefined {
  return catalogue
    .versions(line.name)
    .find((one) => one.source === source && one.line.package.sha256 === line.package.sha256)?.yanked
}
