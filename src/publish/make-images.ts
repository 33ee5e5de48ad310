/** From unpacked packages to the raw images of one recipe, one file a role. */
import { chmod, copyFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Bootstrapped } from './bootstrap.ts'
import type { BuildTools } from './build-tool.ts'
import { makeErofs, makeExt4, uuidFrom } from './filesystem.ts'
import { makeInitrd } from './initrd.ts'
import { findKernel, findModuleFiles, indexModules, type Kernel } from './kernel-modules.ts'
import type { Recipe, RecipeOutput } from './recipe.ts'
import { applyRecipe, copyModules, createSkeleton, keepFiles, overlayFolder } from './tree.ts'

const MIB = 1024 * 1024
const BUSYBOX = 'bin/busybox'

interface ImageJob {
  readonly recipe: Recipe
  readonly base: Bootstrapped
  readonly packageDir: string
  /** Name and version: what the file systems' UUIDs are derived from. */
  readonly identity: string
  readonly work: string
  /** Folder of the images; exists. */
  readonly target: string
}

/**
 * Makes every output of the recipe.
 * @throws {VmpkgError} `RECIPE_INVALID`, `TOOL_MISSING`, `BUILD_FAILED`, `ABORTED`
 */
export async function makeImages(tools: BuildTools, job: ImageJob): Promise<void> {
  const kernel = await findKernel(job.base.tree)
  await indexModules(tools, job.base.tree, kernel)
  const root = await makeRoot(tools, job, kernel)
  for (const output of job.recipe.outputs) await makeImage(tools, job, { output, kernel, root })
}

async function makeRoot(tools: BuildTools, job: ImageJob, kernel: Kernel): Promise<string> {
  const { recipe, base } = job
  const root = join(job.work, 'root')
  await createSkeleton(root)
  await keepFiles(base.tree, root, recipe.keep)
  await copyModules(
    base.tree,
    root,
    await findModuleFiles(tools, base.tree, kernel, recipe.kernel.modules),
    kernel.release,
  )
  await indexModules(tools, root, kernel)
  for (const { from, executable } of recipe.files)
    await overlayFolder(locateFolder(job.packageDir, from), root, executable)
  await applyRecipe(root, recipe)
  return root
}

async function makeImage(
  tools: BuildTools,
  job: ImageJob,
  made: { readonly output: RecipeOutput; readonly kernel: Kernel; readonly root: string },
): Promise<void> {
  const { output, kernel, root } = made
  const target = join(job.target, output.role)
  const uuid = uuidFrom(`${job.identity} ${output.role}`)
  if (output.role === 'kernel') {
    await copyFile(join(job.base.tree, kernel.image), target)
    await chmod(target, 0o644)
  } else if (output.role === 'initrd') {
    const modules = await findModuleFiles(tools, job.base.tree, kernel, output.modules)
    await makeInitrd(tools, {
      base: job.base.tree,
      busybox: join(job.base.tree, BUSYBOX),
      modules,
      work: job.work,
      target,
    })
  } else if (output.role === 'root') {
    await makeErofs(tools, root, target, uuid)
  } else if ('filesystem' in output) {
    await makeExt4(tools, { root, target, uuid, label: output.label, sizeBytes: output.sizeMib * MIB })
  }
}

/** `shared:NAME` is `../shared/NAME` beside the package's folder; anything else lies inside the package. */
function locateFolder(packageDir: string, from: string): string {
  return from.startsWith('shared:')
    ? resolve(packageDir, '..', 'shared', from.slice('shared:'.length))
    : join(packageDir, from)
}
