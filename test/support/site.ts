/**
 * A user's whole place for a test: a signed registry, a root that trusts it, a private host; and what an observer who
 * does not believe vmpkg sees of it, by virsh, SQLite and the file system.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { type Cli, makeCli } from './cli.ts'
import { fixedClock } from './fixed-clock.ts'
import { buildRegistry, type TestPackage, type TestRegistry } from './registry-builder.ts'

const execute = promisify(execFile)

export interface Observation {
  readonly domains: readonly string[]
  readonly networks: readonly string[]
  /** Overlays, mediums and logs, whole or not. */
  readonly machineFiles: readonly string[]
  /** With what was granted. */
  readonly installed: readonly string[]
  readonly parameters: readonly string[]
  /** The history's aside, which keeps former versions for a while. */
  readonly imageHolders: readonly string[]
  /** Operations that the journal has as unfinished. */
  readonly pending: readonly string[]
  /** Files of the stores that are not what their name says, and unfinished ones. */
  readonly damaged: readonly string[]
}

export const NOTHING: Observation = {
  domains: [],
  networks: [],
  machineFiles: [],
  installed: [],
  parameters: [],
  imageHolders: [],
  pending: [],
  damaged: [],
}

export interface Site {
  readonly cli: Cli
  readonly registry: TestRegistry
  /** URI of the private host. */
  readonly uri: string
  virsh(...args: readonly string[]): Promise<string>
  observe(): Promise<Observation>
  close(): Promise<void>
}

/**
 * @param name of the private host
 * @param root of the state; a temporary folder by default
 */
export async function makeSite(name: string, packages: readonly TestPackage[], root?: string): Promise<Site> {
  const cli = await makeCli(`private:${name}`, root)
  const registry = await buildRegistry({ clock: fixedClock(new Date()), packages })
  const close = async (): Promise<void> => {
    await cli.close()
    await registry[Symbol.asyncDispose]()
  }
  try {
    await cli.ok(['source', 'add', 'test', registry.folder, '--root-file', join(registry.folder, 'root', '1.json')])
    await cli.ok(['update'])
    const { uri } = await cli.json(['host', 'private', 'start', name])
    const virsh: Site['virsh'] = async (...args) => (await execute('virsh', ['-c', String(uri), ...args])).stdout
    const state = join(cli.env['VMPKG_ROOT'] ?? '', 'var', 'lib', 'vmpkg')
    return { cli, registry, uri: String(uri), virsh, observe: () => observe(virsh, state), close }
  } catch (error) {
    await close()
    throw error
  }
}

async function observe(virsh: Site['virsh'], state: string): Promise<Observation> {
  const names = (text: string): string[] => text.split('\n').filter((line) => line !== '')
  const listed = async (folder: string): Promise<string[]> => readdir(folder, { recursive: true }).catch(() => [])
  const database = new DatabaseSync(join(state, 'state.db'))
  const column = (sql: string): string[] =>
    database
      .prepare(sql)
      .all()
      .map((row) => String(Object.values(row)[0]))
  try {
    return {
      domains: names(await virsh('list', '--all', '--name')),
      networks: names(await virsh('net-list', '--all', '--name')),
      machineFiles: (await listed(join(state, 'connections'))).filter((path) => /[0-9a-f]{8}-[0-9a-f]{4}-/.test(path)),
      installed: column("SELECT name || ' ' || version || ' ' || grants FROM installed ORDER BY name"),
      parameters: column("SELECT package || ' ' || name || '=' || value FROM parameters ORDER BY package, name"),
      imageHolders: column(
        "SELECT DISTINCT holder FROM image_references WHERE holder NOT LIKE 'history %' ORDER BY holder",
      ),
      pending: column("SELECT operation || ' ' || subject FROM transactions WHERE outcome IS NULL"),
      damaged: [...(await findDamaged(join(state, 'packages'))), ...(await findDamaged(join(state, 'images')))],
    }
  } finally {
    database.close()
  }
}

async function findDamaged(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true })
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
  const wrong: string[] = []
  for (const file of files) {
    const digest = createHash('sha256')
      .update(await readFile(file))
      .digest('hex')
    if (basename(file).replace(/\.vmpkg$/, '') !== digest) wrong.push(file)
  }
  return wrong
}
