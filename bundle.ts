/**
 * The last step of `npm run build`: joins the modules of dist/libvirt that the compiler made. Seventy small files cost a
 * program 50 ms at every start, a few large ones 20; what most connections never need (TLS, SASL, ssh) stays apart and is
 * loaded when an address asks for it. The modules that other folders import keep their names, so that there is one
 * `LibvirtError` for all. Declarations stay as they are.
 *
 *     node bundle.ts [FOLDER]     dist unless another is given
 */
import { globSync, readFileSync } from 'node:fs'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'

const dist = process.argv[2] ?? join(import.meta.dirname, 'dist')
const folder = join(dist, 'libvirt')
const importedAs = /from '(?:\.\.?\/)+libvirt\/([\w-]+)\.js'/g
const imported = globSync('**/*.js', { cwd: dist })
  .filter((path) => !path.startsWith('libvirt/'))
  .flatMap((path) => [...readFileSync(join(dist, path), 'utf8').matchAll(importedAs)].map(([, name = '']) => name))
const entries = [...new Set(['index', ...imported])].map((name) => join(folder, `${name}.js`))
const before = (await readdir(folder)).filter((name) => /\.js(\.map)?$/.test(name))

const { outputFiles } = await build({
  entryPoints: entries,
  outdir: folder,
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  write: false,
})
for (const name of before) await rm(join(folder, name))
for (const { path, contents } of outputFiles) await writeFile(path, contents)
