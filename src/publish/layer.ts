/**
 * The image of a layer: a copy of its base's disk into which only what differs is written. Blocks that it does not touch
 * stay where the base has them, so that both share their chunks on the way and in the store; an independent build of the
 * same packages would lay out every block anew.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type BaseDisk, changeRoot, packBaseTree, readBaseTree } from './base-disk.ts'
import { type BootstrapOptions, installOver, MACHINE_FILES, type SourcePackage } from './bootstrap.ts'
import { type BuildTools, runTool } from './build-tool.ts'
import { compareTrees, listTree } from './disk-difference.ts'
import { addFiles } from './make-images.ts'
import type { LayerRecipe } from './recipe.ts'
import { addAccounts, removePaths } from './tree.ts'

/** Empty in the base and filled by whoever runs it, or made by the file system. */
const NO_CONTENT = ['dev', 'proc', 'run', 'sys', 'tmp', 'lost+found']

/**
 * Writes `target`.
 * @returns every package that is installed in it
 * @throws {VmpkgError} `RECIPE_INVALID`, `TOOL_MISSING`, `BUILD_FAILED`, `ABORTED`
 */
export async function makeLayer(
  tools: BuildTools,
  job: BootstrapOptions & {
    readonly recipe: LayerRecipe
    readonly base: BaseDisk
    readonly packageDir: string
    readonly target: string
  },
): Promise<readonly SourcePackage[]> {
  const { recipe, base, target, work } = job
  const before = await readBaseTree(tools, base, work)
  const baseTar = join(work, 'base.tar')
  await packBaseTree(before, tools.epoch, baseTar)
  const installed = await installOver(tools, recipe, { ...job, baseTar })
  await rm(baseTar)
  const root = installed.tree
  await removePaths(root, recipe.remove)
  await addFiles(root, recipe, job.packageDir)
  await addAccounts(root, recipe.users)
  const inodes = await listTree(root, installed.ownerships)
  const difference = await compareTrees(before, { tree: root, inodes }, { epoch: tools.epoch, isKept })
  await runTool(tools, 'cp', ['--sparse=always', '--reflink=auto', base.file, target])
  await changeRoot(tools, target, difference.commands)
  return installed.packages
}

function isKept(path: string): boolean {
  return (
    MACHINE_FILES.some((one) => path === one || path.startsWith(`${one}/`)) ||
    NO_CONTENT.some((one) => path.startsWith(`${one}/`) || path === one)
  )
}
