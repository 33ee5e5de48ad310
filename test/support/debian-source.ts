/**
 * Source packages of Debian, for their test data: real XML documents, real sysfs trees. Fetched by apt, which checks
 * them against Debian's keyring, from the mirror that the machine's own apt configuration names; its lists lie in a
 * folder of ours, so the machine's own apt state stays as it is.
 *
 * Unpacked trees lie in `$XDG_CACHE_HOME/vmpkg-test` (or `~/.cache/vmpkg-test`) by suite and name; one that is there is
 * used again, an unfinished one is made anew. Remove the folder at any time, but not while tests run.
 */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { debianSources } from './debian-suites.ts'
import { realProcesses } from './real-processes.ts'

const LIMIT_MS = 300_000

/**
 * The unpacked upstream tarball of a source package (without Debian's patches).
 * @param only paths inside the tarball's top folder that are wanted, as tar patterns (`tests/*`); all without it
 */
export async function debianSource(
  name: string,
  { suite = 'bookworm', only = [] }: { readonly suite?: string; readonly only?: readonly string[] } = {},
): Promise<string> {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'vmpkg-test')
  const tree = join(cache, `source-${suite}-${name}`)
  if (existsSync(tree)) return tree
  await mkdir(cache, { recursive: true })
  const unfinished = await mkdtemp(`${tree}-unfinished-`)
  try {
    await fetchAndUnpack(name, suite, unfinished, only)
    await rename(join(unfinished, 'tree'), tree).catch(async (error: unknown) => {
      // Another test file was faster.
      if (!existsSync(tree)) throw error
    })
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
  return tree
}

async function fetchAndUnpack(name: string, suite: string, folder: string, only: readonly string[]): Promise<void> {
  for (const part of ['lists/partial', 'archives/partial', 'tree']) await mkdir(join(folder, part), { recursive: true })
  const lines = await debianSources(suite)
  await writeFile(join(folder, 'sources.list'), lines.map((line) => `${line.replace(/^deb /, 'deb-src ')}\n`).join(''))
  const options = [
    `Dir::Etc::SourceList=${join(folder, 'sources.list')}`,
    'Dir::Etc::SourceParts=-',
    `Dir::State::Lists=${join(folder, 'lists')}`,
    `Dir::Cache::archives=${join(folder, 'archives')}`,
    'Dir::Cache::pkgcache=',
    'Dir::Cache::srcpkgcache=',
    'Acquire::Languages=none',
    'Acquire::Check-Valid-Until=false',
    'APT::Sandbox::User=',
  ].flatMap((option) => ['-o', option])
  await run('apt-get', ['-qq', ...options, 'update'], folder)
  await run('apt-get', ['-qq', ...options, '--download-only', '--tar-only', 'source', name], folder)
  const archive = (await readdir(folder)).find((file) => /\.orig\.tar\.[a-z0-9]+$/.test(file))
  if (archive === undefined) throw new Error(`the source package ${name} of ${suite} has no upstream tarball`)
  const members = only.flatMap((path) => `*/${path}`)
  const wild = members.length === 0 ? [] : ['--wildcards', '--no-wildcards-match-slash', ...members]
  await run(
    'tar',
    ['--extract', '--no-same-owner', '--strip-components=1', '-C', join(folder, 'tree'), '-f', archive, ...wild],
    folder,
  )
}

async function run(command: string, args: readonly string[], cwd: string): Promise<void> {
  const result = await realProcesses.run(command, args, { cwd, timeoutMs: LIMIT_MS })
  if (result.exitCode !== 0) throw new Error(`${command} ${args.at(-1) ?? ''}: ${result.stderr.slice(-2000)}`)
}
