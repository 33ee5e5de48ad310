/**
 * Publishing and updating at once, round after round: one publisher, a plain static server over its folder, three mirrors
 * that copy files in random order a few at a time, and two clients by the real `update`. One knows the server and must have
 * each version as soon as it is published; the other knows the mirrors first. Whatever any of them meets is an error.
 */
import assert from 'node:assert/strict'
import { copyFile, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { systemOutside } from '../../src/node/outside.ts'
import { addSource } from '../../src/operations/source-add.ts'
import { update } from '../../src/operations/update.ts'
import { openWorkspace, type Workspace } from '../../src/operations/workspace.ts'
import { ENVELOPE_PATH } from '../../src/publish/registry-folder.ts'
import { promotePackage } from '../../src/publish/registry-promote.ts'
import { resignRegistry } from '../../src/publish/registry-resign.ts'
import { Random } from './random.ts'
import { buildRegistry, type TestRegistry } from './registry-builder.ts'
import { startStaticServer } from './static-server.ts'

export interface CyclesRequest {
  readonly seed: number
  /** Number of the first cycle. */
  readonly from: number
  readonly cycles: number
  /** No cycle begins after this time. */
  readonly until: number
}

export interface CyclesResult {
  /** Number of the cycle to go on with. */
  readonly next: number
  readonly cycles: number
  readonly updates: number
  /** Updates that brought a new version. */
  readonly changed: number
  /** Files that mirrors copied. */
  readonly copied: number
  /** Updates of the client with mirrors that were answered with a version before the newest. */
  readonly behind: number
  readonly seconds: number
}

/** Cycles in one registry: its index grows, and with it the time of a cycle. */
const ROUND = 25
const MIRRORS = 3

export async function runPublishCycles({ seed, from, cycles, until }: CyclesRequest): Promise<CyclesResult> {
  const began = performance.now()
  const total = { cycles: 0, updates: 0, changed: 0, copied: 0, behind: 0 }
  let next = from
  while (next < from + cycles && Date.now() < until) {
    const end = Math.min(from + cycles, next - (next % ROUND) + ROUND)
    await using round = await Round.open(new Random(seed * 1_000_003 + Math.floor(next / ROUND)))
    for (; next < end && Date.now() < until; next++) {
      try {
        await round.cycle()
      } catch (cause) {
        throw new Error(`cycle ${next} of seed ${seed}`, { cause })
      }
    }
    total.cycles += round.cycles
    for (const key of ['updates', 'changed', 'copied', 'behind'] as const) total[key] += round[key]
  }
  return { ...total, next, seconds: (performance.now() - began) / 1000 }
}

class Round implements AsyncDisposable {
  cycles = 0
  updates = 0
  changed = 0
  copied = 0
  behind = 0
  readonly #random: Random
  readonly #registry: TestRegistry
  readonly #mirrors: readonly FolderMirror[]
  readonly #direct: Workspace
  readonly #mirrored: Workspace
  readonly #stack: AsyncDisposableStack
  #version = 1
  #packages = 0

  private constructor(
    random: Random,
    registry: TestRegistry,
    mirrors: readonly FolderMirror[],
    [direct, mirrored]: readonly [Workspace, Workspace],
    stack: AsyncDisposableStack,
  ) {
    this.#random = random
    this.#registry = registry
    this.#mirrors = mirrors
    this.#direct = direct
    this.#mirrored = mirrored
    this.#stack = stack
  }

  static async open(random: Random): Promise<Round> {
    const stack = new AsyncDisposableStack()
    const work = await mkdtemp(join(tmpdir(), 'vmpkg-cycles-'))
    stack.defer(async () => rm(work, { recursive: true, force: true }))
    const registry = stack.use(await buildRegistry())
    const server = stack.use(await startStaticServer(registry.folder))
    const mirrors = Array.from(
      { length: MIRRORS },
      (_, i) => new FolderMirror(registry.folder, join(work, `mirror-${i}`), random),
    )
    const bases: URL[] = []
    for (const mirror of mirrors) bases.push(stack.use(await startStaticServer(mirror.folder)).base)
    const rootFile = join(registry.folder, 'root', '1.json')
    const open = async (name: string, [url, ...others]: readonly URL[]): Promise<Workspace> => {
      const workspace = await openWorkspace({
        outside: {
          ...systemOutside({ emit: () => {}, signal: new AbortController().signal, env: {}, offline: false }),
          clock: registry.clock,
        },
        root: join(work, name),
        connect: 'test:///default',
        env: {},
        uid: process.getuid?.() ?? 0,
        home: work,
        folder: work,
        command: ['update'],
        write: true,
      })
      stack.defer(async () => workspace.close())
      const request = { name: 'test', url: url?.href ?? '', rootFile, fingerprints: [], expiry: undefined }
      await addSource(workspace, { ...request, mirrors: others.map(({ href }) => href) })
      return workspace
    }
    const clients = [await open('direct', [server.base]), await open('mirrored', [...bases, server.base])] as const
    return new Round(random, registry, mirrors, clients, stack)
  }

  /** One change is published while mirrors copy and both clients update; then the first client has the new version. */
  async cycle(): Promise<void> {
    const before = this.#version
    this.#registry.clock.advance(60_000)
    await Promise.all([
      this.#publish(),
      ...this.#mirrors.map(async (mirror) => this.#copy(mirror)),
      this.#update(this.#direct, before),
      this.#update(this.#mirrored, 0),
    ])
    assert.equal(await this.#update(this.#direct, this.#version), this.#version)
    const seen = await this.#update(this.#mirrored, 0)
    if (seen < this.#version) this.behind++
    this.cycles++
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }

  async #publish(): Promise<void> {
    const { promoter, timestamping, folder } = this.#registry
    const kind = this.#packages === 0 ? 0 : this.#random.below(3)
    if (kind === 0) {
      await this.#registry.add({ name: `app-n${this.#packages++}` })
    } else if (kind === 1) {
      const name = `app-n${this.#random.below(this.#packages)}`
      const channel = this.#random.pick(['stable', 'testing'])
      const entry = { name, version: '1.0-1', arch: 'amd64', channel } as const
      await promotePackage({ folder, entry, promoters: [promoter], timestamping })
    } else {
      await resignRegistry(folder, timestamping, { force: true })
    }
    this.#version++
  }

  async #copy(mirror: FolderMirror): Promise<void> {
    const count = this.#random.below(6)
    for (let i = 0; i < count; i++) this.copied += await mirror.step()
  }

  /** Versions never fall, and what was published before the update began is there. */
  async #update(workspace: Workspace, atLeast: number): Promise<number> {
    const { sources } = await update(workspace)
    const [source] = sources
    assert.ok(source !== undefined && source.version >= atLeast, `version ${source?.version}, not ${atLeast}`)
    this.updates++
    if (source.changed) this.changed++
    return source.version
  }
}

/** A mirror that knows no order: each step copies one file that differs, the envelope like any other. */
class FolderMirror {
  readonly folder: string
  readonly #from: string
  readonly #random: Random
  readonly #there = new Set<string>()

  constructor(from: string, folder: string, random: Random) {
    this.#from = from
    this.folder = folder
    this.#random = random
  }

  async step(): Promise<number> {
    const entries = await readdir(this.#from, { recursive: true, withFileTypes: true })
    const paths = entries
      .filter((entry) => entry.isFile() && /^(?:[0-9a-f]{64}.*|\d+\.json|envelope\.json)$/.test(entry.name))
      .filter(({ name }) => !name.endsWith('.tmp'))
      .map(({ parentPath, name }) => join(parentPath, name).slice(this.#from.length + 1))
      .filter((path) => path === ENVELOPE_PATH || !this.#there.has(path))
      .toSorted()
    if (paths.length === 0) return 0
    const path = this.#random.pick(paths)
    await mkdir(dirname(join(this.folder, path)), { recursive: true })
    await copyFile(join(this.#from, path), join(this.folder, `${path}.tmp`))
    await rename(join(this.folder, `${path}.tmp`), join(this.folder, path))
    this.#there.add(path)
    return 1
  }
}
