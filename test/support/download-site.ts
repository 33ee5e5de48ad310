/**
 * A registry on one or more real web servers and a root that trusts it, driven by operations instead of the command line.
 */
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { CatalogueEntry } from '../../src/catalogue/catalogue.ts'
import type { VmpkgEvent } from '../../src/events.ts'
import { systemHttp } from '../../src/node/http.ts'
import { openCatalogue } from '../../src/operations/catalogue.ts'
import { addSource } from '../../src/operations/source-add.ts'
import { openWorkspace, type Workspace } from '../../src/operations/workspace.ts'
import type { Http } from '../../src/ports.ts'
import { type FileServer, startFileServer } from './file-server.ts'
import { fixedClock } from './fixed-clock.ts'
import { realProcesses } from './real-processes.ts'
import { buildRegistry, type TestPackage, type TestRegistry } from './registry-builder.ts'
import { makeTempFolder } from './temp-folder.ts'

export interface DownloadSite {
  readonly folder: string
  readonly registry: TestRegistry
  /** The first is the source's own address, the others are its mirrors. */
  readonly servers: readonly [FileServer, ...FileServer[]]
  /** Of all workspaces that were opened. */
  readonly events: VmpkgEvent[]
  open(options?: { readonly write?: boolean; readonly http?: Http; readonly signal?: AbortSignal }): Promise<Workspace>
  /** The packages of that name as the catalogue has them. */
  find(workspace: Workspace, name: string): readonly CatalogueEntry[]
}

export async function makeDownloadSite(
  t: TestContext,
  packages: readonly TestPackage[],
  { mirrors = 0, later = [] }: { readonly mirrors?: number; readonly later?: readonly TestPackage[] } = {},
): Promise<DownloadSite> {
  const folder = await makeTempFolder(t)
  const registry = await buildRegistry({ clock: fixedClock(new Date()), packages, deltas: later.length > 0 })
  t.after(async () => registry[Symbol.asyncDispose]())
  if (later.length > 0) await registry.add(...later) // in a version of its own: with deltas from what was there
  const first = await startFileServer(t, readRegistry(registry))
  const others: FileServer[] = []
  for (let count = 0; count < mirrors; count++) others.push(await startFileServer(t, readRegistry(registry)))
  const events: VmpkgEvent[] = []
  const open: DownloadSite['open'] = async ({ write = false, http = systemHttp({}), signal } = {}) => {
    const workspace = await openWorkspace(
      workspaceOptions(folder, { write, http, signal: signal ?? new AbortController().signal, events }),
    )
    t.after(async () => workspace.close().catch(() => {})) // the test may have closed it already
    return workspace
  }
  const workspace = await open({ write: true })
  await addSource(workspace, {
    name: 'test',
    url: first.base.href,
    mirrors: others.map(({ base }) => base.href),
    proxy: undefined,
    rootFile: join(registry.folder, 'root', '1.json'),
    fingerprints: [],
    expiry: undefined,
  })
  await workspace.close()
  return {
    folder,
    registry,
    servers: [first, ...others],
    events,
    open,
    find: (opened, name) => {
      using catalogue = openCatalogue(opened)
      return catalogue.versions(name)
    },
  }
}

/** All files of a registry by their paths. */
export function readRegistry({ folder }: Pick<TestRegistry, 'folder'>): Readonly<Record<string, Buffer>> {
  const paths = readdirSync(folder, { recursive: true }).map(String)
  const files = paths.filter((path) => statSync(join(folder, path)).isFile())
  return Object.fromEntries(files.map((path) => [path, readFileSync(join(folder, path))]))
}

interface Outside {
  readonly write: boolean
  readonly http: Http
  readonly signal: AbortSignal
  readonly events: VmpkgEvent[]
}

export function workspaceOptions(
  folder: string,
  { write, http, signal, events }: Outside,
): Parameters<typeof openWorkspace>[0] {
  return {
    outside: {
      clock: { now: () => new Date() },
      randomness: { bytes: (count) => new Uint8Array(randomBytes(count)) },
      processes: realProcesses,
      terminal: { attach: async () => 0 },
      http,
      emit: (event) => void events.push(event),
      signal,
    },
    root: join(folder, 'root'),
    connect: 'test:///default',
    env: {},
    uid: process.getuid?.() ?? 0,
    home: folder,
    folder,
    command: ['download'],
    write,
  }
}
