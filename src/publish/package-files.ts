/**
 * What of a package folder travels to clients: the manifest, the templates it names, the guest templates, the readme.
 * Recipes and image sources stay with the publisher; their result is the images.
 */
import { chmod, copyFile, mkdir, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { VmpkgError } from '../errors.ts'
import type { Manifest } from '../model/manifest.ts'
import { listFiles } from './tree.ts'

const ALWAYS = new Set(['vmpkg.yaml', 'README.md', 'LICENSE'])

/**
 * Copies the shipped files into `target`, which must not exist.
 * @throws {VmpkgError} `MANIFEST_INVALID` when the manifest names a file or folder that is not there
 */
export async function copyPackageFiles(packageDir: string, manifest: Manifest, target: string): Promise<void> {
  const present = await readdir(packageDir)
  const files = present.filter((name) => ALWAYS.has(name) || name.endsWith('.hbs'))
  const guest = manifest.guest?.files.replace(/\/$/, '')
  if (guest !== undefined) {
    if (!present.includes(guest)) throw missing(manifest, guest)
    files.push(...(await listFiles(join(packageDir, guest))).map((path) => `${guest}/${path}`))
  }
  for (const template of Object.values(manifest.templates)) {
    if (template !== undefined && !files.includes(template)) throw missing(manifest, template)
  }
  for (const file of files.toSorted()) {
    await mkdir(dirname(join(target, file)), { recursive: true, mode: 0o755 })
    await copyFile(join(packageDir, file), join(target, file))
    await chmod(join(target, file), 0o644)
  }
}

function missing(manifest: Manifest, path: string): VmpkgError {
  return new VmpkgError(
    'MANIFEST_INVALID',
    `The manifest of ${manifest.name} names ${JSON.stringify(path)}, which is not there`,
    {
      hint: 'Add the file to the package folder or correct vmpkg.yaml.',
    },
  )
}
