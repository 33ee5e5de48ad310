/** A workspace on a root of its own, for operations that need no libvirt: the one it names is not there. */
import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { type Sha256, sha256 } from '../../src/model/digest.ts'
import type { PackageLine } from '../../src/model/line.ts'
import { systemOutside } from '../../src/node/outside.ts'
import { openWorkspace, type Workspace, type WorkspaceOptions } from '../../src/operations/workspace.ts'
import type { InstalledPackage } from '../../src/state/installed.ts'
import { packageLine } from './package-line.ts'
import { makeTempFolder } from './temp-folder.ts'

export async function openLocalWorkspace(
  t: Pick<TestContext, 'after'>,
  options: Partial<WorkspaceOptions> = {},
): Promise<Workspace> {
  const root = options.root ?? (await makeTempFolder(t))
  const workspace = await openWorkspace({
    outside: systemOutside({ emit: () => {}, signal: new AbortController().signal, env: {}, offline: false }),
    root,
    connect: `qemu+unix:///system?socket=${join(root, 'no-such-socket')}`,
    env: {},
    uid: process.getuid?.() ?? 0,
    home: root,
    folder: root,
    command: ['test'],
    write: true,
    ...options,
  })
  t.after(() => workspace.close())
  return workspace
}

/** An app version whose archive and one image have contents of their own. */
export function tinyLine(name: string, version: string, changes: Partial<PackageLine> = {}): PackageLine {
  const archive = archiveOf(name, version)
  const image = imageOf(name, version)
  return packageLine(name, version, {
    package: { sha256: sha256(archive), size: archive.length },
    images: [
      {
        role: 'disk',
        format: 'raw',
        digest: sha256(image),
        size: image.length,
        map: { sha256: sha256(`map of ${name} ${version}`), size: 10 },
      },
    ],
    ...changes,
  })
}

export function installedOf(line: PackageLine, changes: Partial<InstalledPackage> = {}): InstalledPackage {
  return {
    line,
    source: 'example',
    isAuto: false,
    isHeld: false,
    installedAt: new Date('2026-11-21T12:00:00Z'),
    grants: [],
    parameters: {},
    ...changes,
  }
}

/** Puts archive and image of a version where they belong. Returns the two paths. */
export async function storeObjects({ paths }: Workspace, { name, version }: PackageLine): Promise<readonly string[]> {
  const [archive, image] = [archiveOf(name, version), imageOf(name, version)]
  const files: readonly (readonly [string, Uint8Array])[] = [
    [join(paths.packages, `${digestOf(archive)}.vmpkg`), archive],
    [join(paths.images, digestOf(image)), image],
  ]
  for (const [path, bytes] of files) {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, bytes, { mode: 0o444, flag: 'wx' }).catch(() => {})
  }
  return files.map(([path]) => path)
}

function archiveOf(name: string, version: string): Uint8Array {
  return Buffer.from(`archive of ${name} ${version}`)
}

function imageOf(name: string, version: string): Uint8Array {
  return Buffer.from(`image of ${name} ${version}`)
}

function digestOf(bytes: Uint8Array): Sha256 {
  return createHash('sha256').update(bytes).digest('hex') as Sha256
}
