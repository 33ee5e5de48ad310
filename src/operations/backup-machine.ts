/** What a backup of a machine consists of: its disks and what they stand on, kernel, configuration medium, UEFI variables. */
import { stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import type { Machine } from '../domain/inventory.ts'
import { readDisks } from '../domain/points.ts'
import { VmpkgError } from '../errors.ts'
import type { ChainFile } from '../image/chain.ts'
import type { ImageLayer } from '../image/qemu-node.ts'
import { isSha256, type Sha256 } from '../model/digest.ts'
import { findElement, getText } from '../xml/find.ts'
import { parseXml } from '../xml/parse.ts'
import { readDiskPoints } from './file-points.ts'
import type { Workspace } from './workspace.ts'

export interface MachineDisk {
  readonly kind: 'disk' | 'boot'
  /** `vda`, `kernel`, `initrd`. */
  readonly target: string
  /** As the definition names it. */
  readonly path: string
  readonly format: 'raw' | 'qcow2'
  /** Real paths: its own file first. */
  readonly layers: readonly ImageLayer[]
  readonly size: number
  /** Where it is an image of the store itself, which nobody writes to. */
  readonly image?: Sha256
  /** Where it stands on one. */
  readonly base?: Sha256
}

interface SmallFile {
  readonly role: 'medium' | 'nvram'
  readonly path: string
}

export interface MachineParts {
  readonly disks: readonly MachineDisk[]
  readonly files: readonly SmallFile[]
}

/** @throws {VmpkgError} `IMAGE_INVALID` `NO_RIGHTS` `HOST_UNSUPPORTED` for a disk that cannot be read as a whole */
export async function readMachineParts(workspace: Workspace, { name, facts, xml }: Machine): Promise<MachineParts> {
  const { root } = parseXml(xml)
  const wanted = readDisks(xml)
  const found =
    wanted.length === 0 ? [] : await readDiskPoints(workspace, { machine: name, disk: undefined, live: true })
  const disks: MachineDisk[] = []
  for (const { target, file, volume, format } of wanted) {
    const read =
      found.find((one) => one.target === target) ??
      // Alone it says what is wrong with it.
      (await readDiskPoints(workspace, { machine: name, disk: target, live: true }))[0]
    const top = read?.points.at(-1)?.file
    if (read === undefined || top === undefined || format === undefined) {
      throw new VmpkgError('IMAGE_INVALID', `The disk ${target} of ${name} is not of a format that can be read`)
    }
    const layers = chainFrom(top, read.files)
    const size = read.files.get(top)?.virtualSize ?? 0
    const path = file ?? read.files.get(top)?.file ?? ''
    const [own, ...below] = layers.map((layer) => storedDigest(workspace, layer.file))
    const base = below.at(-1)
    disks.push({
      kind: 'disk',
      target,
      path: volume === undefined ? path : (read.files.get(top)?.file ?? path),
      format: format === 'qcow2' ? 'qcow2' : 'raw',
      layers,
      size,
      ...(own === undefined ? {} : { image: own }),
      ...(base === undefined ? {} : { base }),
    })
  }
  for (const target of ['kernel', 'initrd'] as const) {
    const element = findElement(root, `os/${target}`)
    if (element !== undefined) disks.push(await readBootFile(workspace, target, getText(element).trim()))
  }
  const nvram = findElement(root, 'os/nvram')
  return {
    disks,
    files: [
      ...(facts.medium === undefined ? [] : [{ role: 'medium' as const, path: facts.medium }]),
      ...(nvram === undefined || getText(nvram).trim() === ''
        ? []
        : [{ role: 'nvram' as const, path: getText(nvram).trim() }]),
    ],
  }
}

async function readBootFile(workspace: Workspace, target: 'kernel' | 'initrd', path: string): Promise<MachineDisk> {
  const { size } = await stat(path)
  const image = storedDigest(workspace, path)
  const layers = [{ file: path, format: 'raw' as const }]
  return { kind: 'boot', target, path, format: 'raw', layers, size, ...(image === undefined ? {} : { image }) }
}

function chainFrom(top: string, files: ReadonlyMap<string, ChainFile>): readonly ImageLayer[] {
  const layers: ImageLayer[] = []
  for (let key: string | undefined = top; key !== undefined; ) {
    const file: ChainFile | undefined = files.get(key)
    if (file === undefined) break
    layers.push({ file: key, format: file.format })
    key = file.backing
  }
  return layers
}

function storedDigest({ paths }: Workspace, file: string): Sha256 | undefined {
  const name = basename(file)
  return dirname(file) === paths.images && isSha256(name) ? name : undefined
}
