/**
 * Which kernel modules an image carries: what `modprobe --show-depends` names for the recipe's list, dependencies and
 * soft dependencies included, in load order. Everything else of the kernel's thousands of modules stays out.
 */
import { chmod, readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { VmpkgError } from '../errors.ts'
import { type BuildTools, runTool } from './build-tool.ts'

export interface Kernel {
  /** `6.1.0-1-cloud-amd64` */
  readonly release: string
  /** The compressed kernel below the tree's root. */
  readonly image: string
}

/** @throws {VmpkgError} `BUILD_FAILED` unless the tree has exactly one kernel */
export async function findKernel(tree: string): Promise<Kernel> {
  const images = (await readdir(join(tree, 'boot'))).filter((name) => name.startsWith('vmlinuz-')).toSorted()
  const [image] = images
  if (image === undefined || images.length !== 1) {
    throw new VmpkgError('BUILD_FAILED', `Expected one kernel in the packages of the recipe, found ${images.length}`, {
      hint: 'Name one kernel package in the recipe, and do not list another among its packages.',
    })
  }
  return { release: image.slice('vmlinuz-'.length), image: `boot/${image}` }
}

/** Makes the module index of the tree, which `modprobe` reads; the same whatever the umask. */
export async function indexModules(tools: BuildTools, tree: string, kernel: Kernel): Promise<void> {
  await runTool(tools, 'depmod', ['-b', tree, kernel.release])
  const folder = join(tree, 'lib/modules', kernel.release)
  for (const name of await readdir(folder)) {
    if (name.startsWith('modules.')) await chmod(join(folder, name), 0o644)
  }
}

/**
 * Module files that the named modules need, in load order, as paths below the tree's root. Built-in ones need no file.
 * @throws {VmpkgError} `BUILD_FAILED` for a module that the kernel does not have
 */
export async function findModuleFiles(
  tools: BuildTools,
  tree: string,
  kernel: Kernel,
  modules: readonly string[],
): Promise<string[]> {
  const files = new Set<string>()
  for (const module of modules) {
    const { stdout } = await runTool(tools, 'modprobe', [
      `--dirname=${tree}`,
      `--set-version=${kernel.release}`,
      '--config=/dev/null',
      '--show-depends',
      module,
    ])
    for (const line of stdout.split('\n')) {
      const path = /^insmod (\/\S+\.ko)/.exec(line.trim())?.[1]
      if (path !== undefined) files.add(relative(tree, path))
    }
  }
  return [...files]
}
