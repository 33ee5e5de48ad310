/**
 * The last step of `npm run build`: joins modules that the compiler made, since each costs a start a third of a millisecond.
 *
 * 1. dist/libvirt, the client that is published on its own: seventy small files cost a program 50 ms at every start, a few
 *    large ones 20. What most connections never need (TLS, SASL, ssh) stays apart and is loaded when an address asks for it.
 *    The modules that other folders import keep their names, so that there is one `LibvirtError` for all.
 * 2. The program, dist/bin.js, with its parts in dist/program, and in them the npm packages that read text: they are loaded at
 *    nearly every start (docs/decisions/0048). What talks to servers, checks signatures, unpacks or starts programs stays an
 *    npm package that is loaded when it is needed. The licences of what is in it stand beside it.
 *
 * What the library exports stays as the compiler made it, and so do declarations.
 *
 *     node bundle.ts [FOLDER]     dist unless another is given
 */
import { globSync, readFileSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type BuildOptions, build } from 'esbuild'

/** Loaded with their first use by `src/node` and others; `npm update` reaches them. */
const APART = ['aws4fetch', 'execa', 'got', 'openpgp', 'send', 'tar']
/** Threads, which are started by the name of their file beside the module that starts them. */
const WORKERS = ['image/frame-worker', 'catalogue/verify-worker']

const dist = process.argv[2] ?? join(import.meta.dirname, 'dist')
const shared = {
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  write: false,
} satisfies BuildOptions

await joinClient(join(dist, 'libvirt'))
await joinProgram(join(dist, 'program'))

async function joinClient(folder: string): Promise<void> {
  const importedAs = /from '(?:\.\.?\/)+libvirt\/([\w-]+)\.js'/g
  const imported = globSync('**/*.js', { cwd: dist })
    .filter((path) => !path.startsWith('libvirt/'))
    .flatMap((path) => [...readFileSync(join(dist, path), 'utf8').matchAll(importedAs)].map(([, name = '']) => name))
  const entries = [...new Set(['index', ...imported])].map((name) => join(folder, `${name}.js`))
  const before = (await readdir(folder)).filter((name) => /\.js(\.map)?$/.test(name))
  const { outputFiles } = await build({ ...shared, entryPoints: entries, outdir: folder })
  for (const name of before) await rm(join(folder, name))
  for (const { path, contents } of outputFiles) await writeFile(path, contents)
}

async function joinProgram(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder)
  const { outputFiles, metafile } = await build({
    ...shared,
    entryPoints: [
      { in: join(dist, 'bin.js'), out: 'bin' },
      ...WORKERS.map((name) => ({ in: join(dist, `${name}.js`), out: `program/${name.split('/')[1]}` })),
    ],
    outdir: dist,
    chunkNames: 'program/[name]-[hash]',
    external: APART,
    nodePaths: [join(import.meta.dirname, 'node_modules')], // for a FOLDER elsewhere
    // Packages of the older kind ask for parts of Node with it.
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
    },
    metafile: true,
    logOverride: { 'ignored-bare-import': 'silent' },
  })
  for (const { path, contents } of outputFiles) await writeFile(path, contents)
  await rm(join(dist, 'bin.js.map'), { force: true })
  await writeFile(join(folder, 'LICENSES'), await licences(Object.keys(metafile.inputs)))
}

/** Of the npm packages that those files are of. */
async function licences(files: readonly string[]): Promise<string> {
  const folders = new Set(files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []))
  const texts: string[] = []
  for (const folder of [...folders].toSorted()) {
    const { name, version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Record<
      string,
      string
    >
    const file = (await readdir(folder)).find((one) => /^licen[cs]e(\.\w+)?$/i.test(one))
    if (file === undefined && license === undefined) throw new Error(`${name} has no licence in ${dirname(folder)}`)
    const text = file === undefined ? `${license}` : await readFile(join(folder, file), 'utf8')
    texts.push(`${name} ${version}\n\n${text.trim()}\n`)
  }
  return texts.join(`\n${'-'.repeat(80)}\n\n`)
}
