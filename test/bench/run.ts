/**
 * `npm run bench`: measures vmpkg against the tools it stands beside, prints the tables and writes them into
 * docs/performance.md (the libvirt client's into its README too). Name parts to run only those (the others keep their figures):
 *
 *     npm run bench -- list catalogue image images image-changes image-versions image-memory start trust layers path libvirt xml planner render history pool clones clone-memory
 */
import { readFile, writeFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { measureCatalogue } from './catalogue.ts'
import { measureCloneMemory } from './clone-memory.ts'
import { measureClones } from './clones.ts'
import { measureHistory } from './history.ts'
import { measureImage } from './image.ts'
import { measureImageMemory } from './image-memory.ts'
import { measureImageVersions } from './image-versions.ts'
import { measureImageChanges, measureImages } from './images.ts'
import { measureLayers } from './layers.ts'
import { measureLibvirt } from './libvirt.ts'
import { measureList } from './list.ts'
import { type Report, runProgram } from './measure.ts'
import { measurePath } from './path.ts'
import { measurePlanner } from './planner.ts'
import { measurePool } from './pool.ts'
import { measureRender } from './render.ts'
import { measureStart } from './start.ts'
import { measureTrust } from './trust.ts'
import { measureVirtBuilder } from './virt-builder.ts'
import { measureXml } from './xml.ts'

const TOP = join(import.meta.dirname, '..', '..')
const PAGE = join(TOP, 'docs', 'performance.md')
/** The client is published on its own, so its figures stand in its own README too. */
const OTHER_PAGES: Readonly<Record<string, string>> = { libvirt: join(TOP, 'src', 'libvirt', 'README.md') }
/** Parts whose figures stand on the page that explains what is measured. */
const OWN_PAGES: Readonly<Record<string, string>> = {
  planner: join(TOP, 'docs', 'placement.md'),
  pool: join(TOP, 'docs', 'pool.md'),
}
const PARTS = {
  list: measureList,
  catalogue: measureCatalogue,
  image: measureImage,
  images: measureImages,
  'image-changes': measureImageChanges,
  'image-versions': measureImageVersions,
  'image-memory': measureImageMemory,
  'virt-builder': measureVirtBuilder,
  trust: measureTrust,
  start: measureStart,
  layers: measureLayers,
  path: measurePath,
  libvirt: measureLibvirt,
  xml: measureXml,
  planner: measurePlanner,
  render: measureRender,
  history: measureHistory,
  pool: measurePool,
  clones: measureClones,
  'clone-memory': measureCloneMemory,
} as const
type Part = keyof typeof PARTS

const wanted = process.argv.slice(2)
const unknown = wanted.filter((word) => !(word in PARTS))
if (unknown.length > 0) throw new Error(`no part ${unknown.join(', ')}; there are ${Object.keys(PARTS).join(', ')}`)
const parts = wanted.length > 0 ? (wanted as Part[]) : (Object.keys(PARTS) as Part[])

runProgram('npm', ['run', '--silent', 'build', '--prefix', TOP])
for (const part of parts) {
  console.error(`measuring ${part} …`)
  const text = formatReport(await PARTS[part](), await describeMachine())
  console.log(`${text}\n`)
  await writePart(OWN_PAGES[part] ?? PAGE, part, text)
  const other = OTHER_PAGES[part]
  if (other !== undefined) await writePart(other, part, text.replace(/^###.*\n+/, ''))
}

function formatReport({ title, about, table }: Report, machine: string): string {
  return `### ${title}\n\n${table}\n\n${about} ${machine}`
}

/** In general words: whoever reads the figures should know what kind of machine it was, not which one. */
async function describeMachine(): Promise<string> {
  const release = await readFile('/etc/os-release', 'utf8')
  const system = /^PRETTY_NAME="(.*)"$/m.exec(release)?.[1] ?? 'an unknown system'
  const load = (await readFile('/proc/loadavg', 'utf8')).split(' ')[0] ?? '?'
  return (
    `Measured on ${cpus().length} cores with ${Math.round(totalmem() / 2 ** 30)} GiB of memory, ${system}, ` +
    `libvirt ${versionOf('virsh')}, QEMU ${versionOf('qemu-system-x86_64')}, Node.js ${process.versions.node}; ` +
    `load ${load} when done.`
  )
}

function versionOf(program: string): string {
  return /\d+(\.\d+)+/.exec(runProgram(program, ['--version']))?.[0] ?? 'unknown'
}

async function writePart(path: string, part: Part, text: string): Promise<void> {
  const page = await readFile(path, 'utf8')
  const [begin, end] = [`<!-- begin ${part} -->`, `<!-- end ${part} -->`]
  const [before, after] = [page.indexOf(begin), page.indexOf(end)]
  if (before === -1 || after < before) throw new Error(`${path} has no place for ${part}`)
  await writeFile(path, `${page.slice(0, before + begin.length)}\n${text}\n${page.slice(after)}`)
}
