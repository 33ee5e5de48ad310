/**
 * The disk that `passthrough-host.ts` mounts at /opt: vmpkg compiled from this checkout with the npm packages it needs,
 * the project's own Node.js, and a registry signed on the spot with the packages that are asked for.
 */
import { createHash } from 'node:crypto'
import { chmod, cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cachedFolder } from './cached-folder.ts'
import { makeExt4Disk } from './passthrough-image.ts'
import { realProcesses } from './real-processes.ts'

const TOP = join(import.meta.dirname, '..', '..')
const LIMIT_MS = 400_000
const ROLES = ['root', 'publisher', 'promoter', 'timestamp']
const LAUNCHER = '#!/bin/sh\nexec /opt/bin/node /opt/vmpkg/dist/bin.js "$@"\n'

/**
 * Makes the disk in `folder`.
 * @param templates folders of templates/ whose packages the registry has; their images are built once and kept
 * @returns the file
 */
export async function makePassthroughPayload(folder: string, templates: readonly string[]): Promise<string> {
  const payload = join(folder, 'payload')
  const program = join(payload, 'vmpkg')
  await mkdir(join(payload, 'bin'), { recursive: true })
  await compile(join(program, 'dist'))
  await cp(join(TOP, 'templates'), join(program, 'templates'), { recursive: true })
  await cp(join(TOP, 'package.json'), join(program, 'package.json'))
  await copyModules(program)
  await cp(process.execPath, join(payload, 'bin', 'node'))
  await writeFile(join(payload, 'bin', 'vmpkg'), LAUNCHER)
  await chmod(join(payload, 'bin', 'vmpkg'), 0o755)
  if (templates.length > 0) await makeRegistry(program, join(payload, 'registry'), folder, templates)
  const disk = join(folder, 'payload.ext4')
  const { stdout: size } = await run('du', ['-sm', payload])
  await makeExt4Disk(payload, disk, Math.ceil(Number.parseInt(size, 10) * 1.2) + 32)
  return disk
}

async function compile(dist: string): Promise<void> {
  const compiler = join(TOP, 'node_modules', 'typescript', 'bin', 'tsc')
  const without = ['--sourceMap', 'false', '--declaration', 'false', '--declarationMap', 'false']
  await run(process.execPath, [compiler, '-p', join(TOP, 'tsconfig.build.json'), '--outDir', dist, ...without])
  await run(process.execPath, [join(TOP, 'bundle.ts'), dist])
}

/** What the lock file installs without development packages. */
async function copyModules(program: string): Promise<void> {
  const { packages } = JSON.parse(await readFile(join(TOP, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; optional?: boolean }>
  }
  for (const [path, { dev, optional }] of Object.entries(packages)) {
    if (path === '' || dev === true || optional === true) continue
    const filter = (source: string): boolean => !/\.(?:map|md|d\.[cm]?ts)$/.test(source)
    await cp(join(TOP, path), join(program, path), { recursive: true, filter })
  }
}

async function makeRegistry(
  program: string,
  registry: string,
  work: string,
  templates: readonly string[],
): Promise<void> {
  const env = { ...process.env, VMPKG_ROOT: join(work, 'publisher') }
  const vmpkg = (...args: string[]): Promise<unknown> =>
    run(process.execPath, [join(program, 'dist', 'bin.js'), ...args], env)
  const content = [...templates, await digestOf(join(TOP, 'templates')), await digestOf(join(TOP, 'src', 'publish'))]
  const built = await cachedFolder('passthrough-packages', content, async (unfinished) => {
    await vmpkg('build', ...templates.map((name) => join(TOP, 'templates', name)), '--out', unfinished)
  })
  const keys = ['--keys', join(work, 'keys')]
  for (const role of ROLES) await vmpkg('key', 'generate', role, ...keys, '--no-passphrase')
  const roles = ['--publisher', 'publisher=*', '--promoter', 'promoter', '--timestamp', 'timestamp']
  await vmpkg('repo', 'init', registry, ...keys, '--root-key', 'root', '--threshold', '1', ...roles)
  await vmpkg('publish', registry, ...(await readdir(built)).map((name) => join(built, name)), ...keys)
}

/** Of every file below a folder, name and content. */
async function digestOf(folder: string): Promise<string> {
  const hash = createHash('sha256')
  for (const entry of (await readdir(folder, { recursive: true, withFileTypes: true })).toSorted((a, b) =>
    join(a.parentPath, a.name) < join(b.parentPath, b.name) ? -1 : 1,
  )) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    hash.update(`${path.slice(folder.length)}\0`).update(await readFile(path))
  }
  return hash.digest('hex')
}

async function run(
  program: string,
  args: readonly string[],
  env?: Readonly<Record<string, string>>,
): Promise<{ stdout: string }> {
  const result = await realProcesses.run(program, args, { cwd: TOP, timeoutMs: LIMIT_MS, ...(env && { env }) })
  if (result.exitCode !== 0)
    throw new Error(`${program} ${args[1] ?? ''}: ${result.stderr.slice(-2000)}${result.stdout.slice(-2000)}`)
  return result
}
