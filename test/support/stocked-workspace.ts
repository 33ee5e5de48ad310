/** A workspace of its own, without a registry: catalogue and installed packages are put in as a test wants them. */
import { mkdirSync } from 'node:fs'
import type { TestContext } from 'node:test'
import { Catalogue } from '../../src/catalogue/catalogue.ts'
import { openCatalogueDatabase } from '../../src/catalogue/schema.ts'
import type { PackageLine } from '../../src/model/line.ts'
import type { ChannelEntry } from '../../src/model/registry.ts'
import { systemOutside } from '../../src/node/outside.ts'
import { openWorkspace, type Workspace } from '../../src/operations/workspace.ts'
import { refreshOf } from './catalogue-refresh.ts'
import { makeTempFolder } from './temp-folder.ts'
import { candidate } from './universe.ts'

export interface Stock {
  /** As in `support/universe.ts`; of the source `example`, or of others by name, added in this order. */
  readonly sources: Readonly<Record<string, readonly string[]>>
  /** Installed from `example`; `~` for those installed as dependencies. */
  readonly installed?: readonly string[]
  readonly changes?: readonly Partial<ChannelEntry>[]
}

export async function stockWorkspace(t: TestContext, { sources, installed = [], changes }: Stock): Promise<Workspace> {
  const root = await makeTempFolder(t)
  const reopen = async () =>
    openWorkspace({
      outside: systemOutside({ emit: () => {}, signal: new AbortController().signal, env: {}, offline: true }),
      root,
      connect: 'test:///default',
      env: {},
      uid: 1000,
      home: root,
      folder: root,
      command: [],
      write: false,
    })
  const workspace = await reopen()
  t.after(async () => workspace.close())
  mkdirSync(workspace.paths.cache, { recursive: true })
  const database = openCatalogueDatabase(workspace.paths.catalogueDatabase)
  const catalogue = new Catalogue(database, { arch: 'amd64', seed: '' })
  for (const [at, [name, texts]] of Object.entries(sources).entries()) {
    const lines = texts.map((text) => candidate(text).line as PackageLine)
    const source = { name, priority: 500, addedAt: new Date(at * 1000) }
    await catalogue.replace(source, ...refreshOf(lines, changes))
  }
  database.close()
  for (const text of installed) {
    const line = candidate(text.replace(/^~/, '')).line as PackageLine
    const known = { grants: [], parameters: {}, installedAt: new Date(0), isHeld: false }
    workspace.installed.put({ ...known, line, source: 'example', isAuto: text.startsWith('~') })
  }
  return workspace
}
