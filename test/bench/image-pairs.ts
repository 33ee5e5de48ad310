/**
 * Disk images of a Debian system as a publisher would build them, by the project's own recipes, in the states between which
 * users go: the release alone, the release with its security and update suites, a package more, the same inputs in a new
 * file system, and a sibling with other packages (design images 9). Needs mmdebstrap and a Debian mirror.
 */
import { existsSync } from 'node:fs'
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runProgram } from './measure.ts'

const BIN = join(import.meta.dirname, '..', '..', 'src', 'bin.ts')

const TEMPLATES = join(import.meta.dirname, '..', '..', 'templates')
const TEMPLATE = 'os-debian'
/** The mirror that has the release without its other suites. */
const MIRROR = process.env['VMPKG_BENCH_MIRROR'] ?? 'http://deb.debian.org/debian'

const STATES = {
  before: { options: ['--mirror', MIRROR] },
  after: {},
  more: { packages: ['tcpdump'] },
  // The file systems' identity follows the version.
  rebuilt: { version: '1.0.1-1' },
  sibling: { packages: ['nginx-light', 'openssh-server', 'python3-minimal'] },
} as const satisfies Readonly<Record<string, Changes>>

export type ImageState = keyof typeof STATES

/** The raw file; built where `folder` has it not yet. */
export async function makeBenchImage(folder: string, state: ImageState): Promise<string> {
  return buildImage(process.env['VMPKG_BENCH_IMAGES'] ?? folder, state, STATES[state])
}

interface Changes {
  readonly version?: string
  /** Beside those of the template. */
  readonly packages?: readonly string[]
  /** Of `vmpkg build`. */
  readonly options?: readonly string[]
}

async function buildImage(
  folder: string,
  state: ImageState,
  { version, packages = [], options = [] }: Changes,
): Promise<string> {
  const out = join(folder, state)
  const source = join(folder, 'source', state)
  const manifest = join(source, TEMPLATE, 'vmpkg.yaml')
  await rm(source, { recursive: true, force: true })
  for (const part of [TEMPLATE, 'shared']) await cp(join(TEMPLATES, part), join(source, part), { recursive: true })
  const text = await readFile(manifest, 'utf8')
  const own = /^version: (.*)$/m.exec(text)?.[1] ?? ''
  await writeFile(manifest, text.replace(`version: ${own}`, `version: ${version ?? own}`))
  const image = join(out, `${TEMPLATE}_${version ?? own}_amd64`, 'images', 'disk')
  if (existsSync(image)) return image
  const recipe = join(source, TEMPLATE, 'recipe.yaml')
  const lines = packages.map((name) => `  - ${name}\n`).join('')
  await writeFile(
    recipe,
    (await readFile(recipe, 'utf8')).replace(/^packages:\n/m, (head) => head + lines),
  )
  const places = ['--out', out, '--cache', join(folder, 'cache'), '--root', join(folder, 'root')]
  runProgram(process.execPath, [BIN, 'build', join(source, TEMPLATE), ...places, '--quiet', ...options])
  return image
}
