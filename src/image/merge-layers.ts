/**
 * Makes chains shorter, so that no reader of any file that stays sees another byte: a layer that nothing needs by itself
 * goes into the only one that stands on it, or the active file takes in all that it stands on. Killed at any moment the
 * chain reads the same, and the step can be taken again.
 *
 * Source: qemu-img(1), commit and rebase. Test oracles: `qemu-img check`, `qemu-img compare`.
 */
import { chmod, chown, open, stat, utimes } from 'node:fs/promises'
import { renameDurably } from '../durable-file.ts'
import type { ChainFile } from './chain.ts'
import { whileHeld } from './image-lock.ts'
import { largestFile } from './qemu-measure.ts'
import { describeNode, type ImageLayer } from './qemu-node.ts'
import { needTool, type ToolOptions } from './qemu-tool.ts'

type Outside = Pick<ToolOptions, 'processes' | 'signal'>

/**
 * What stands above is written down into the layer, which then takes its name: so the larger one is not copied, and
 * whatever names the upper file still finds what it held. Both are qcow2, and nobody has them open.
 * @throws {VmpkgError} `IMAGE_IN_USE` `NO_SPACE` `IMAGE_INVALID` `TOOL_MISSING` `ABORTED`
 */
export async function mergeDown(
  files: ReadonlyMap<string, ChainFile>,
  { upper, layer }: { readonly upper: string; readonly layer: string },
  outside: Outside,
): Promise<void> {
  const { atime, mtime, uid, gid, mode } = await stat(upper)
  await whileHeld({ file: upper, ...outside }, async () => {
    await commit(files, { upper, layer }, outside)
    const own = await stat(layer)
    if (own.uid !== uid || own.gid !== gid) await chown(layer, uid, gid)
    await chmod(layer, mode & 0o7777)
    // The time says until when a machine wrote to it, and it has not since.
    await utimes(layer, atime, mtime)
    await sync(layer)
    await renameDurably(layer, upper)
  })
}

/**
 * What stands directly on a file is written down into it; the upper one stays as it is, and reads the same.
 * @throws {VmpkgError} as `mergeDown`
 */
export async function writeDown(
  files: ReadonlyMap<string, ChainFile>,
  { upper, layer }: { readonly upper: string; readonly layer: string },
  outside: Outside,
): Promise<void> {
  await whileHeld({ file: upper, ...outside }, async () => {
    await commit(files, { upper, layer }, outside)
    await sync(layer)
  })
}

async function commit(
  files: ReadonlyMap<string, ChainFile>,
  { upper, layer }: { readonly upper: string; readonly layer: string },
  outside: Outside,
): Promise<void> {
  const layers = layersFrom(files, upper)
  const virtualSize = files.get(upper)?.virtualSize ?? 0
  await needTool('qemu-img', ['commit', '-q', '-d', describeNode(layers, { isHeld: true })], {
    ...outside,
    file: layer,
    maxFileBytes: largestFile(virtualSize),
    diskBytes: virtualSize,
    openFiles: layers.length,
  })
}

async function sync(file: string): Promise<void> {
  await using handle = await open(file, 'r')
  await handle.sync()
}

/**
 * The active file takes in all between itself and the file that it is to stand on.
 * @throws {VmpkgError} as `mergeDown`
 */
export async function pullUp(
  files: ReadonlyMap<string, ChainFile>,
  { top, onto }: { readonly top: string; readonly onto: string },
  outside: Outside,
): Promise<void> {
  const base = files.get(onto)
  if (base === undefined) throw new TypeError('no such base')
  const virtualSize = files.get(top)?.virtualSize ?? 0
  await needTool('qemu-img', ['rebase', '-q', '-f', 'qcow2', '-b', base.file, '-F', base.format, top], {
    ...outside,
    file: top,
    maxFileBytes: largestFile(virtualSize),
    diskBytes: virtualSize,
    openFiles: 2 * layersFrom(files, top).length,
  })
}

/** A file and those below it, as QEMU is told them. */
function layersFrom(files: ReadonlyMap<string, ChainFile>, start: string): readonly ImageLayer[] {
  const layers: ImageLayer[] = []
  for (let key: string | undefined = start; key !== undefined; key = files.get(key)?.backing) {
    const layer = files.get(key)
    if (layer === undefined) break
    layers.push({ file: key, format: layer.format })
  }
  return layers
}
