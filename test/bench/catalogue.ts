/**
 * A catalogue of 100,000 package versions: the first update, one without a change, one with one version more, searching,
 * showing, and planning an installation; against apt-get and apt-cache on a private root with the same packages.
 */
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Catalogue } from '../../src/catalogue/catalogue.ts'
import { openCatalogueDatabase } from '../../src/catalogue/schema.ts'
import { sha256 } from '../../src/model/digest.ts'
import { buildLargeRegistry, findLargeRegistry, type LargeRegistry, publish } from '../support/large-registry.ts'
import { formatMs, formatRows, interleave, type Report, runProgram } from './measure.ts'

const VMPKG = join(import.meta.dirname, '..', '..', 'dist', 'bin.js')
const COUNT = 100_000
const ROUNDS = 5

export async function measureCatalogue(): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-bench-'))
  try {
    const registry = await findOrBuild(folder)
    await publish(registry, 'base')
    const root = join(folder, 'root')
    const vmpkg = (args: readonly string[], at = root) =>
      runProgram(process.execPath, [VMPKG, ...args], { env: environment(folder, at) })
    vmpkg(['source', 'add', 'large', registry.folder, '--root-file', join(registry.folder, 'root', '1.json')])
    const first = timed(folder, root, ['update'])
    const apt = await makeApt(join(folder, 'apt'), join(root, 'var', 'cache', 'vmpkg', 'catalogue.db'))
    apt('apt-get', 'update')
    const more: Timed[] = []
    for (let round = 0; round < 3; round++) {
      const copy = join(folder, `copy-${round}`)
      await cp(root, copy, { recursive: true })
      await publish(registry, 'one-more')
      more.push(timed(folder, copy, ['update']))
      await publish(registry, 'base')
      await rm(copy, { recursive: true })
    }
    const [name = ''] = vmpkg(['search', 'torrator']).split('\t')
    const times = await interleave(ROUNDS, {
      update: () => void vmpkg(['update']),
      aptUpdate: () => void apt('apt-get', 'update'),
      search: () => void vmpkg(['search', 'torrator']),
      aptSearch: () => void apt('apt-cache', 'search', 'torrator'),
      show: () => void vmpkg(['show', name]),
      aptShow: () => void apt('apt-cache', 'show', name),
      policy: () => void vmpkg(['policy', name]),
      aptPolicy: () => void apt('apt-cache', 'policy', name),
      plan: () =>
        void runProgram('sh', ['-c', `"$0" "$@" || [ $? = 1 ]`, process.execPath, VMPKG, 'why-not', name], {
          env: environment(folder, root),
        }),
      aptPlan: () => void apt('apt-get', '--simulate', 'install', name),
      list: () => void vmpkg(['list']),
    })
    const peer = (command: string, milliseconds: readonly number[]) => ({ name: `\`${command}\``, milliseconds })
    const peaks = [
      ['first update', first],
      ['update with one version more', more[0]],
      ['update without a change', timed(folder, root, ['update'])],
      ['search', timed(folder, root, ['search', 'torrator'])],
      ['list', timed(folder, root, ['list'])],
    ] as const
    return {
      title: 'A catalogue of 100,000 package versions',
      about:
        `${COUNT.toLocaleString('en')} versions of ${(COUNT / 5).toLocaleString('en')} packages, each line signed by its publisher, from a folder; ` +
        `the first update, in which every signature is checked, took ${formatMs(first.milliseconds)} (once). ` +
        `Whole processes, ${ROUNDS} rounds. apt reads a Packages file with the same names, versions, relations and summaries from a folder, ` +
        'marked as trusted, so it checks no signature. Most that was resident: ' +
        `${peaks.map(([what, one]) => `${what} ${one?.peakMib ?? '?'} MiB`).join(', ')}.`,
      table: formatRows([
        {
          what: '`vmpkg update`, no change',
          milliseconds: times.update,
          peer: peer('apt-get update', times.aptUpdate),
        },
        { what: '`vmpkg update`, one version more', milliseconds: more.map((one) => one.milliseconds) },
        { what: '`vmpkg search`', milliseconds: times.search, peer: peer('apt-cache search', times.aptSearch) },
        { what: '`vmpkg show`', milliseconds: times.show, peer: peer('apt-cache show', times.aptShow) },
        { what: '`vmpkg policy`', milliseconds: times.policy, peer: peer('apt-cache policy', times.aptPolicy) },
        {
          what: 'planning an installation (`vmpkg why-not`)',
          milliseconds: times.plan,
          peer: peer('apt-get --simulate install', times.aptPlan),
        },
        { what: '`vmpkg list`, 20,000 packages', milliseconds: times.list },
      ]),
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Building takes a minute: VMPKG_BENCH_CACHE names a folder that keeps it. */
async function findOrBuild(folder: string): Promise<LargeRegistry> {
  const place = join(process.env['VMPKG_BENCH_CACHE'] ?? folder, `registry-${COUNT}`)
  return (await findLargeRegistry(place)) ?? (await buildLargeRegistry(place, COUNT))
}

function environment(home: string, root: string): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], HOME: home, VMPKG_ROOT: root, VMPKG_CONNECT: 'test:///default' }
}

interface Timed {
  readonly milliseconds: number
  /** Resident, threads included. */
  readonly peakMib: number
}

function timed(folder: string, root: string, args: readonly string[]): Timed {
  const began = performance.now()
  const report = join(folder, 'resident')
  runProgram('/usr/bin/time', ['-f', '%M', '-o', report, process.execPath, VMPKG, ...args], {
    env: environment(folder, root),
  })
  const milliseconds = performance.now() - began
  return { milliseconds, peakMib: Math.round(Number(runProgram('cat', [report])) / 1024) }
}

/** A private root for apt, with the packages of our catalogue in a folder that it trusts. */
async function makeApt(folder: string, catalogue: string): Promise<(program: string, ...args: string[]) => string> {
  const database = openCatalogueDatabase(catalogue)
  const packages = database
    .prepare('SELECT name, version, summary, line FROM packages ORDER BY name, rank')
    .all()
    .map((row) => {
      const [name, version, summary] = [row['name'], row['version'], row['summary']].map(String)
      const line = JSON.parse(String(row['line'])) as { depends: readonly string[]; provides: readonly string[] }
      const relations = [
        ...(line.depends.length > 0 ? [`Depends: ${line.depends.join(', ')}`] : []),
        ...(line.provides.length > 0 ? [`Provides: ${line.provides.join(', ')}`] : []),
      ]
      return [
        `Package: ${name}`,
        `Version: ${version}`,
        'Architecture: all',
        'Maintainer: Nobody <nobody@example.org>',
        ...relations,
        `Filename: ./${name}_${version}_all.deb`,
        'Size: 1000',
        `SHA256: ${'0'.repeat(64)}`,
        `Description: ${summary}`,
      ].join('\n')
    })
  const known = new Catalogue(database, { arch: 'amd64', seed: '' }).sources()[0]?.count
  database.close()
  if (packages.length !== known) throw new Error(`${packages.length} stanzas for ${known} versions`)
  for (const path of [
    'repo',
    'etc/apt/preferences.d',
    'etc/apt/apt.conf.d',
    'var/lib/apt/lists/partial',
    'var/cache/apt/archives/partial',
    'var/lib/dpkg',
  ]) {
    await mkdir(join(folder, path), { recursive: true })
  }
  const repo = join(folder, 'repo')
  const text = Buffer.from(`${packages.join('\n\n')}\n`)
  await writeFile(join(repo, 'Packages'), text)
  await writeFile(
    join(repo, 'Release'),
    `Date: ${new Date().toUTCString().replace('GMT', 'UTC')}\nSHA256:\n ${sha256(text)} ${text.length} Packages\n`,
  )
  await writeFile(join(folder, 'etc/apt/sources.list'), `deb [trusted=yes] file:${repo} ./\n`)
  await writeFile(join(folder, 'var/lib/dpkg/status'), '')
  const options = [
    `Dir=${folder}`,
    `Dir::State::status=${join(folder, 'var/lib/dpkg/status')}`,
    'APT::Sandbox::User=root',
    'Acquire::Languages=none',
    // Some systems, such as container images, switch apt's own cache off; it is what makes it fast.
    'Dir::Cache::pkgcache=pkgcache.bin',
    'Dir::Cache::srcpkgcache=srcpkgcache.bin',
  ]
  return (program, ...args) =>
    runProgram(program, [...options.flatMap((one) => ['-o', one]), ...args], {
      env: { PATH: process.env['PATH'], HOME: folder, LANG: 'C.UTF-8' },
    })
}
