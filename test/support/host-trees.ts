/**
 * Captured hosts: the sysfs and procfs trees in the test data of Debian's hwloc, util-linux and libvirt sources, each
 * with the tree's own expected output where the package has one.
 */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { HostRoots } from '../../src/host/kernel-files.ts'
import { debianSource } from './debian-source.ts'
import { realProcesses } from './real-processes.ts'

export interface HostTree extends HostRoots {
  /** `hwloc/64amd64-4s2n4ca2co` */
  readonly name: string
  /** Folder that holds `sys` and `proc`; what `lscpu --sysroot` takes. */
  readonly folder: string
  /** What the package expects its own tool to say. */
  readonly expected?: string
}

/** All trees; `folder` takes links to those of libvirt. */
export async function unpackHostTrees(folder: string): Promise<readonly HostTree[]> {
  return [...(await unpackHwlocTrees()), ...(await unpackUtilLinuxTrees()), ...(await linkLibvirtTrees(folder))]
}

export async function unpackHwlocTrees(): Promise<readonly HostTree[]> {
  const source = join(await debianSource('hwloc', { only: ['tests'] }), 'tests', 'hwloc', 'linux')
  const trees: HostTree[] = []
  for (const file of (await readdir(source)).filter((name) => name.endsWith('.tar.bz2')).toSorted()) {
    const name = basename(file, '.tar.bz2')
    const top = await unpack(join(source, file), join(source, '..', '..', '..', 'unpacked', name), [
      '--strip-components=1',
    ])
    const output = join(source, `${name}.output`)
    // Some expected outputs are of a run with options that merge or restrict what there is.
    const isPlain = existsSync(output) && !existsSync(join(source, `${name}.options`))
    trees.push({
      name: `hwloc/${name}`,
      ...rootsIn(top),
      ...(isPlain ? { expected: await readFile(output, 'utf8') } : {}),
    })
  }
  return trees
}

async function unpackUtilLinuxTrees(): Promise<readonly HostTree[]> {
  const source = join(await debianSource('util-linux', { only: ['tests/ts/lscpu'] }), 'tests', 'ts', 'lscpu', 'dumps')
  const trees: HostTree[] = []
  for (const file of (await readdir(source)).filter((name) => name.endsWith('.tar.gz')).toSorted()) {
    const name = basename(file, '.tar.gz')
    const top = await unpack(join(source, file), join(source, '..', '..', '..', '..', 'unpacked', name), [
      '--strip-components=1',
    ])
    trees.push({ name: `util-linux/${name}`, ...rootsIn(top) })
  }
  return trees
}

/** libvirt's trees hold `/sys/devices/system` only; `expected` is a capabilities document. */
export async function linkLibvirtTrees(folder: string): Promise<readonly HostTree[]> {
  const source = await debianSource('libvirt', { suite: 'trixie', only: ['tests', 'src/conf/schemas', 'docs/*.rst'] })
  const data = join(source, 'tests', 'vircaps2xmldata')
  const trees: HostTree[] = []
  for (const file of (await readdir(data)).filter((name) => /^vircaps-.*\.xml$/.test(name)).toSorted()) {
    const [, arch, name] = /^vircaps-([^-]+)-(.*)\.xml$/.exec(file) ?? []
    const system = join(data, `linux-${name}`, 'system')
    if (!existsSync(system)) continue
    const top = join(folder, 'libvirt', `${name}-${arch}`)
    await mkdir(join(top, 'sys', 'devices'), { recursive: true })
    await symlink(system, join(top, 'sys', 'devices', 'system'))
    trees.push({
      name: `libvirt/${name}-${arch}`,
      ...rootsIn(top),
      expected: await readFile(join(data, file), 'utf8'),
    })
  }
  return trees
}

function rootsIn(folder: string): HostRoots & { readonly folder: string } {
  return { folder, sysfs: join(folder, 'sys'), procfs: join(folder, 'proc') }
}

/** Unpacked trees stay beside the source packages: they are thousands of small files. */
async function unpack(archive: string, final: string, options: readonly string[]): Promise<string> {
  if (existsSync(final)) return final
  await mkdir(dirname(final), { recursive: true })
  const folder = await mkdtemp(`${final}-unfinished-`)
  const args = ['--extract', '--no-same-owner', '-C', folder, '-f', archive, ...options]
  const result = await realProcesses.run('tar', args, { timeoutMs: 60_000 })
  if (result.exitCode !== 0) throw new Error(`tar ${archive}: ${result.stderr.slice(-500)}`)
  await rename(folder, final).catch(async (error: unknown) => {
    await rm(folder, { recursive: true, force: true })
    // Another test file was faster.
    if (!existsSync(final)) throw error
  })
  return final
}
