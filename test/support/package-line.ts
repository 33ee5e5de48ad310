/** Package lines as a publisher would have signed them. */
import { sha256 } from '../../src/model/digest.ts'
import type { PackageImage, PackageLine } from '../../src/model/line.ts'

export function packageLine(name: string, version: string, changes: Partial<PackageLine> = {}): PackageLine {
  return {
    name,
    version,
    arch: 'amd64',
    kind: 'app',
    summary: `The ${name} package`,
    depends: [],
    recommends: [],
    provides: [],
    conflicts: [],
    replaces: [],
    capabilities: [],
    images: [],
    package: { sha256: sha256(`${name} ${version}`), size: 1000 },
    ...changes,
  }
}

export function packageImage(seed: string, size = 1024 * 1024): PackageImage {
  return { role: 'root', format: 'raw', digest: sha256(seed), size, map: { sha256: sha256(`map ${seed}`), size: 100 } }
}
