/**
 * The running kernel: release, command line, and which modules it has, loaded or can load.
 *
 * Source: proc(5), modules.builtin and modules.dep of kmod (modules.dep(5)).
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { listFolder, readAttribute } from './attribute.ts'

export interface KernelFacts {
  /** `6.1.0-18-cloud-amd64` */
  readonly release: string
  /** Words of the command line; quoted ones keep their quotes. */
  readonly commandLine: readonly string[]
  /** Names with underscores. */
  readonly loadedModules: ReadonlySet<string>
  readonly builtinModules: ReadonlySet<string>
  /** Loadable ones; absent where the lists of this kernel cannot be read. */
  readonly availableModules?: ReadonlySet<string>
}

/** @param roots `/proc`, and the folder above `lib/modules` */
export async function readKernel({
  procfs,
  target,
}: {
  readonly procfs: string
  readonly target: string
}): Promise<KernelFacts> {
  const release =
    (await readAttribute(join(procfs, 'sys', 'kernel', 'osrelease'))) ??
    /^Linux version (\S+)/.exec((await readAttribute(join(procfs, 'version'))) ?? '')?.[1] ??
    (await newestRelease(target))
  const modules = join(target, 'lib', 'modules', release)
  const [commandLine, loaded, builtin, available] = await Promise.all([
    readAttribute(join(procfs, 'cmdline')),
    readFile(join(procfs, 'modules'), 'utf8').catch(() => ''),
    readFile(join(modules, 'modules.builtin'), 'utf8').catch(() => ''),
    readFile(join(modules, 'modules.dep'), 'utf8').catch(() => undefined),
  ])
  return {
    release,
    commandLine: splitCommandLine(commandLine ?? ''),
    loadedModules: new Set(loaded.split('\n').flatMap((line) => line.split(' ', 1).filter(Boolean))),
    builtinModules: new Set(builtin.split('\n').flatMap(moduleName)),
    ...(available !== undefined && { availableModules: new Set(available.split('\n').flatMap(moduleName)) }),
  }
}

/** `kernel/drivers/vfio/pci/vfio-pci.ko.xz: …` → `vfio_pci` */
function moduleName(line: string): string[] {
  const name = /([^/:]+)\.ko(?:\.\w+)?(?::|$)/.exec(line)?.[1]
  return name === undefined ? [] : [name.replaceAll('-', '_')]
}

/** A tree that is not running has no /proc: then the highest version that is installed counts. */
async function newestRelease(target: string): Promise<string> {
  const releases = await listFolder(join(target, 'lib', 'modules'))
  return releases.toSorted((a, b) => compareReleases(a, b)).at(-1) ?? ''
}

/** Words between blanks; blanks inside double quotes do not part (Linux lib/cmdline.c, next_arg). */
export function splitCommandLine(text: string): string[] {
  return text.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? []
}

/** Compares by major and minor number, as `6.1.0-18-amd64` and `5.19`. */
export function compareReleases(a: string, b: string): number {
  const [x, y] = [a, b].map((text) =>
    (/^(\d+)\.(\d+)(?:\.(\d+))?/.exec(text) ?? []).slice(1).map((d) => Number(d ?? 0)),
  )
  for (let i = 0; i < 3; i++) {
    const difference = (x?.[i] ?? 0) - (y?.[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** True for that kernel and later ones; an unknown release counts as new. */
export function isAtLeast(release: string, version: string): boolean {
  return !/^\d+\.\d+/.test(release) || compareReleases(release, version) >= 0
}
