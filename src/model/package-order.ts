/** The order of package versions in an index: name by code units, version as Debian, architecture (formats 3.1). */
import type { PackageLine } from './line.ts'
import { compareVersions, parseVersion } from './version.ts'

/** 0 means the same version of the same package, even where the versions are spelled differently (`1.0`, `1.0-0`). */
export function comparePackageVersions(
  a: Pick<PackageLine, 'name' | 'version' | 'arch'>,
  b: Pick<PackageLine, 'name' | 'version' | 'arch'>,
): number {
  return (
    compareText(a.name, b.name) ||
    compareVersions(parseVersion(a.version), parseVersion(b.version)) ||
    compareText(a.arch, b.arch)
  )
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
