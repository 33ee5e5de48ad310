/** Which files of a folder belong to a registry, in the order in which they are published: what names others comes later. */
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'

export interface RegistryFile {
  readonly path: string
  readonly size: number
}

/** Root files come last: a reader walks their chain by number, before the envelope names them. */
const FOLDERS = ['blob', 'transport', 'map', 'package', 'channels', 'index', 'history', 'snapshot', 'incoming', 'root']
const NAME = /^(?:[1-9][0-9]{0,15}\.json|[0-9]{8}T[0-9]{6}Z\.json|[0-9a-f]{64}(?:\.json|\.jsonl\.zst|\.vmpkg)?)$/

/** All immutable files below `folder`; neither links nor anything with another name. */
export async function listRegistryFiles(folder: string): Promise<readonly RegistryFile[]> {
  const files: RegistryFile[] = []
  for (const kind of FOLDERS) {
    const entries = await readdir(join(folder, kind), { withFileTypes: true }).catch(() => [])
    const names = entries.filter((entry) => entry.isFile() && NAME.test(entry.name)).map(({ name }) => name)
    for (const name of names.toSorted(byNumber)) {
      files.push({ path: `${kind}/${name}`, size: (await lstat(join(folder, kind, name))).size })
    }
  }
  return files
}

function byNumber(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}
