/**
 * `npm run soak`: the long runs that are too long for every change, time-boxed. Prints the figures and writes them into
 * docs/soak.md. Cases follow from the seed and their number, so a run goes on where the last one ended:
 *
 *     npm run soak -- libvirt --minutes 10 --seed 1 --from 100000 --cases 100000
 * `--rootless` runs `chain` as an ordinary user; its figures stand beside those of root.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { soakApps } from './apps.ts'
import { soakChain } from './chain.ts'
import { soakClones, soakDebianClones } from './clones.ts'
import { soakCycles } from './cycles.ts'
import { soakFaults } from './faults.ts'
import { soakFiles } from './files.ts'
import { soakImages } from './images.ts'
import { soakLeaks } from './leaks.ts'
import { soakLibvirt } from './libvirt.ts'
import { soakPublish } from './publish.ts'
import { soakPull } from './pull.ts'
import { soakRaces } from './races.ts'
import { soakRender } from './render.ts'
import { soakResidue } from './residue.ts'
import { soakResolve } from './resolve.ts'
import { soakSnapshots } from './snapshots.ts'
import { soakStorage } from './storage.ts'
import { soakSwitches } from './switches.ts'
import { soakVfio } from './vfio.ts'
import { soakXml } from './xml.ts'

const PAGE = join(import.meta.dirname, '..', '..', 'docs', 'soak.md')
const PARTS = {
  apps: soakApps,
  chain: soakChain,
  clones: soakClones,
  'clones-debian': soakDebianClones,
  cycles: soakCycles,
  faults: soakFaults,
  files: soakFiles,
  images: soakImages,
  leaks: soakLeaks,
  libvirt: soakLibvirt,
  publish: soakPublish,
  pull: soakPull,
  races: soakRaces,
  render: soakRender,
  residue: soakResidue,
  resolve: soakResolve,
  snapshots: soakSnapshots,
  storage: soakStorage,
  switches: soakSwitches,
  xml: soakXml,
  vfio: soakVfio,
} as const
type Part = keyof typeof PARTS
/** A whole run of each, where no number is named. */
const CASES: Readonly<Record<Part, number>> = {
  apps: 1,
  chain: 1000,
  clones: 26,
  'clones-debian': 20,
  cycles: 1000,
  faults: 100_000,
  files: 1000,
  images: 1000,
  leaks: 100,
  libvirt: 107_000,
  publish: 10_000,
  pull: 1000,
  races: 1000,
  render: 1_000_000,
  residue: 4,
  resolve: 20_000,
  snapshots: 44,
  storage: 1,
  switches: 100,
  xml: 10_000,
  vfio: 1,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    cases: { type: 'string', default: '' },
    rootless: { type: 'boolean', default: false },
  },
})
const unknown = positionals.filter((word) => !Object.hasOwn(PARTS, word))
if (unknown.length > 0) throw new Error(`no part ${unknown.join(', ')}; there are ${Object.keys(PARTS).join(', ')}`)
const parts = positionals.length > 0 ? (positionals as Part[]) : (Object.keys(PARTS) as Part[])
const range = { seed: whole('seed'), from: whole('from') }

for (const part of parts) {
  const text = await PARTS[part]({
    ...range,
    rootless: values.rootless,
    cases: values.cases === '' ? CASES[part] : whole('cases'),
    until: Date.now() + whole('minutes') * 60_000,
  })
  const whereRun = `${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB of memory, Node.js ${process.versions.node}`
  console.log(text)
  await writePart(values.rootless && part === 'chain' ? 'chain-rootless' : part, `${text}\n\nMeasured on ${whereRun}.`)
}

function whole(name: 'minutes' | 'seed' | 'from' | 'cases'): number {
  const number = Number(values[name])
  if (!Number.isSafeInteger(number) || number < 0) throw new Error(`--${name} ${values[name]} is not a whole number`)
  return number
}

async function writePart(part: Part | 'chain-rootless', text: string): Promise<void> {
  const page = await readFile(PAGE, 'utf8')
  const [begin, end] = [`<!-- begin ${part} -->`, `<!-- end ${part} -->`]
  const [start, stop] = [page.indexOf(begin), page.indexOf(end)]
  if (start === -1 || stop < start) throw new Error(`docs/soak.md has no place for ${part}`)
  await writeFile(PAGE, `${page.slice(0, start + begin.length)}\n${text}\n${page.slice(stop)}`)
}
