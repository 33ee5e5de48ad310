/** From unpacked or installed packages to the raw images of one recipe, one file a role. */
import { chmod, copyFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { appendHashTree } from '../image/hash-tree.ts'
import type { Bootstrapped, Installed } from './bootstrap.ts'
import type { BuildTools } from './build-tool.ts'
import { makeErofs, makeExt4, uuidFrom } from './filesystem.ts'
import { makeInitrd } from './initrd.ts'
import { findKernel, findModuleFiles, indexModules, type Kernel } from './kernel-modules.ts'
import { type DebianRecipe, type ExtractRecipe, hasVerity, type MinbaseRecipe, type RecipeOutput } from './recipe.ts'
import {
  addAccounts,
  applyRecipe,
  copyModules,
  createSkeleton,
  keepFiles,
  overlayFolder,
  removePaths,
  writeAccounts,
} from './tree.ts'
import { makeUefiDisk, ROOT_ARGUMENTS } from './uefi-disk.ts'
import { makeUnifiedKernel } from './unified-kernel.ts'

const MIB = 1024 * 1024
const BUSYBOX = 'bin/busybox'
const VERITY_MODULE = 'dm-verity'
const STUB = 'usr/lib/systemd/boot/efi/linuxx64.efi.stub'
/** Unpacked beside the kernel of a disk that boots by itself; not installed in it. */
export const BOOT_PACKAGES: readonly string[] = ['busybox-static', 'systemd-boot-efi']

interface ImageJob<R extends DebianRecipe> {
  readonly recipe: R
  /** Unpacked packages, the kernel among them. */
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
export async function makeImages(tools: BuildTools, job: ImageJob<ExtractRecipe>): Promise<void> {
  const kernel = await findKernel(job.base.tree)
  await indexModules(tools, job.base.tree, kernel)
  const root = await makeRoot(tools, job, kernel)
  for (const output of job.recipe.outputs) await makeImage(tools, job, { output, kernel, root })
}

async function makeRoot(tools: BuildTools, job: ImageJob<ExtractRecipe>, kernel: Kernel): Promise<string> {
  const { recipe, base } = job
  const root = join(job.work, 'root')
  await createSkeleton(root)
  await keepFiles(base.tree, root, recipe.keep)
  await addToRoot(tools, job, kernel, root)
  await writeAccounts(root, recipe.users)
  return root
}

/**
 * Makes the disk of a recipe whose packages are installed; `installed.tree` becomes its root.
 * @throws {VmpkgError} `RECIPE_INVALID`, `TOOL_MISSING`, `BUILD_FAILED`, `ABORTED`
 */
export async function makeBootDisk(
  tools: BuildTools,
  job: ImageJob<MinbaseRecipe> & { readonly installed: Installed },
): Promise<void> {
  const { recipe, base, installed, work } = job
  const [output] = recipe.outputs
  const root = installed.tree
  const kernel = await findKernel(base.tree)
  await indexModules(tools, base.tree, kernel)
  await removePaths(root, recipe.remove)
  await addToRoot(tools, job, kernel, root)
  await addAccounts(root, recipe.users)
  const initrd = join(work, 'initrd.zst')
  const modules = await findModuleFiles(tools, base.tree, kernel, output.modules)
  await makeInitrd(tools, {
    base: base.tree,
    busybox: join(base.tree, BUSYBOX),
    modules,
    work,
    target: initrd,
  })
  const kernelImage = join(work, 'kernel.efi')
  await makeUnifiedKernel(tools, {
    stub: join(base.tree, STUB),
    kernel: join(base.tree, kernel.image),
    initrd,
    osRelease: join(root, 'usr/lib/os-release'),
    commandLine: `${ROOT_ARGUMENTS} ${output.commandLine}`,
    work,
    target: kernelImage,
  })
  await makeUefiDisk(tools, {
    kernelImage,
    root,
    ownerships: installed.ownerships,
    identity: job.identity,
    label: output.label,
    sizeBytes: output.sizeMib * MIB,
    work,
    target: join(job.target, output.role),
  })
}

/** What every recipe adds to its tree: the kernel's modules, folders of files, modes and links. */
async function addToRoot(tools: BuildTools, job: ImageJob<DebianRecipe>, kernel: Kernel, root: string): Promise<void> {
  const { recipe, base, packageDir } = job
  const modules = await findModuleFiles(tools, base.tree, kernel, recipe.kernel.modules)
  await copyModules(base.tree, root, modules, kernel.release)
  await indexModules(tools, root, kernel)
  await addFiles(root, recipe, packageDir)
}

/** Folders of files, modes and links of a recipe. */
export async function addFiles(
  root: string,
  recipe: Pick<DebianRecipe, 'files' | 'directories' | 'links'>,
  packageDir: string,
): Promise<void> {
  for (const { from, executable } of recipe.files) {
    await overlayFolder(locateFolder(packageDir, from), root, executable)
  }
  await applyRecipe(root, recipe)
}

async function makeImage(
  tools: BuildTools,
  job: ImageJob<ExtractRecipe>,
  made: { readonly output: RecipeOutput; readonly kernel: Kernel; readonly root: string },
): Promise<void> {
  const { output, kernel, root } = made
  const target = join(job.target, output.role)
  const uuid = uuidFrom(`${job.identity} ${output.role}`)
  if (output.role === 'kernel') {
    await copyFile(join(job.base.tree, kernel.image), target)
    await chmod(target, 0o644)
  } else if (output.role === 'initrd') {
    const names = hasVerity(job.recipe) ? [...output.modules, VERITY_MODULE] : output.modules
    const modules = await findModuleFiles(tools, job.base.tree, kernel, names)
    await makeInitrd(tools, {
      base: job.base.tree,
      busybox: join(job.base.tree, BUSYBOX),
      modules,
      hasVerity: hasVerity(job.recipe),
      work: job.work,
      target,
    })
  } else if (output.role === 'root') {
    await makeErofs(tools, root, target, uuid)
    if (output.verity) await appendHashTree(target)
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
