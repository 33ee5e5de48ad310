/** The package as `npm pack` makes it, unpacked beside a program that uses it: nothing else can be imported there. */
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')
const tool = (name: string): string => join(root, 'node_modules/.bin', name)

export interface PackedPackage extends Disposable {
  /** A folder with the package in its `node_modules`, and nothing else. */
  readonly folder: string
  /** The unpacked package. */
  readonly unpacked: string
  readonly archive: string
  readonly archiveBytes: number
  /** Complaints of the compiler about what stands in the folder, `''` for none. */
  compile(settings: Readonly<Record<string, unknown>>, ...files: readonly string[]): string
  /** What publint says, and whether it is content. */
  publint(): { readonly status: number | null; readonly output: string }
}

export function packPackage(): PackedPackage {
  const place = mkdtempSync(join(tmpdir(), 'vp-'))
  try {
    return packIn(place)
  } catch (error) {
    rmSync(place, { recursive: true, force: true })
    throw error
  }
}

function packIn(place: string): PackedPackage {
  const [source, folder] = [join(place, 'source'), join(place, 'consumer')]
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { files: string[] }
  for (const name of ['package.json', 'README.md', 'LICENSE', ...manifest.files.filter((file) => file !== 'dist')])
    cpSync(join(root, name), join(source, name), { recursive: true })
  execFileSync(tool('tsc'), ['-p', join(root, 'tsconfig.build.json'), '--outDir', join(source, 'dist')])
  execFileSync(process.execPath, [join(root, 'bundle.ts'), join(source, 'dist')])
  const npm = ['pack', '--ignore-scripts', '--offline', '--silent', '--pack-destination', place]
  const archive = join(place, execFileSync('npm', npm, { cwd: source, encoding: 'utf8' }).trim())
  const unpacked = join(folder, 'node_modules/vmpkg')
  mkdirSync(unpacked, { recursive: true })
  execFileSync('tar', ['-xzf', archive, '-C', unpacked, '--strip-components=1'])
  return {
    folder,
    unpacked,
    archive,
    archiveBytes: statSync(archive).size,
    compile: (settings, ...files) => {
      const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')]
      const options = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
      const args = ['--ignoreConfig', '--noEmit', '--target', 'es2024', ...types, ...options, ...files]
      return spawnSync(tool('tsc'), args, { cwd: folder, encoding: 'utf8' }).stdout
    },
    publint: () => {
      const { status, stdout, stderr } = spawnSync(tool('publint'), ['run', '--strict', archive], { encoding: 'utf8' })
      return { status, output: stdout + stderr }
    },
    [Symbol.dispose]: () => rmSync(place, { recursive: true, force: true }),
  }
}
