/**
 * `vmpkg list` as a whole process, compiled and with a warm compile cache, against Node's own start and against
 * `virsh list --all`, with a small and a large catalogue.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Catalogue } from '../../src/catalogue/catalogue.ts'
import { openCatalogueDatabase } from '../../src/catalogue/schema.ts'
import { refreshOf } from '../support/catalogue-refresh.ts'
import { packageLine } from '../support/package-line.ts'
import { startTestHost } from '../support/private-host.ts'
import { formatRows, interleave, type Report, type Row, runProgram } from './measure.ts'

const VMPKG = join(import.meta.dirname, '..', '..', 'dist', 'bin.js')
const ROUNDS = 31
const COUNTS = [2, 2000] as const

/** What no command that reads our state can be faster than: Node opens the two databases and prints a line. */
const FLOOR = `
  import { DatabaseSync } from 'node:sqlite'
  import { statSync } from 'node:fs'
  for (const path of process.argv.slice(1)) {
    if (!statSync(path).isFile()) throw new Error(path)
    const database = new DatabaseSync(path)
    database.prepare('SELECT name FROM sqlite_schema').all()
    database.close()
  }
  process.stdout.write('done')
`

export async function measureList(): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-bench-'))
  const host = await startTestHost()
  try {
    const rows: Row[] = []
    for (const count of COUNTS) {
      const root = join(folder, String(count))
      await fillCatalogue(join(root, 'var', 'cache', 'vmpkg'), count)
      const env = { PATH: process.env['PATH'], HOME: folder, VMPKG_ROOT: root }
      const listed = runProgram(process.execPath, [VMPKG, 'list'], { env }).split('\n').length - 1
      if (listed !== count) throw new Error(`vmpkg list printed ${listed} packages of ${count}`)
      const databases = ['var/cache/vmpkg/catalogue.db', 'var/lib/vmpkg/state.db'].map((path) => join(root, path))
      const floor = ['--input-type=module', '-e', FLOOR, ...databases]
      const { vmpkg, node, least, virsh } = await interleave(ROUNDS, {
        vmpkg: () => void runProgram(process.execPath, [VMPKG, 'list'], { env }),
        node: () => void runProgram(process.execPath, ['-e', '0'], { env }),
        least: () => void runProgram(process.execPath, floor, { env }),
        virsh: () => void runProgram('virsh', ['-c', host.uri, 'list', '--all'], { env }),
      })
      const what = `\`vmpkg list\`, ${count} packages`
      rows.push({ what, milliseconds: vmpkg, peer: { name: '`node -e 0`', milliseconds: node }, goal: 1.5 })
      rows.push({ what, milliseconds: vmpkg, peer: { name: 'Node opening two SQLite files', milliseconds: least } })
      rows.push({ what, milliseconds: vmpkg, peer: { name: '`virsh list --all`', milliseconds: virsh } })
    }
    return {
      title: 'Start: `vmpkg list`',
      about: `Whole processes, from start to end, ${ROUNDS} rounds. virsh asks a private host without machines.`,
      table: formatRows(rows),
    }
  } finally {
    await host.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

async function fillCatalogue(folder: string, count: number): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const database = openCatalogueDatabase(join(folder, 'catalogue.db'))
  const lines = Array.from({ length: count }, (_, i) => packageLine(`package-${String(i).padStart(5, '0')}`, '1.0'))
  await new Catalogue(database, { arch: 'amd64', seed: '' }).replace(
    { name: 'example', priority: 500, addedAt: new Date() },
    ...refreshOf(lines),
  )
  database.close()
}
