/**
 * A place in which a verb can be run again and again from the same state: vmpkg's root, a registry with its keys, and on
 * demand a private host. `save` and `restore` copy files and define libvirt's objects anew; nothing of vmpkg is asked.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cp, mkdir, readdir, readFile, realpath, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { parseEnvelope, parseSignedFile } from '../../src/model/registry-schema.ts'
import { readRegistry } from '../../src/publish/registry-state.ts'
import { type Cli, type CliResult, makeCli } from '../support/cli.ts'
import { fixedClock } from '../support/fixed-clock.ts'
import { buildRegistry, type TestPackage, type TestRegistry } from '../support/registry-builder.ts'
import { FAULT_VARIABLE, type FaultPlan, type FaultWay, type Operation } from './fault.ts'

const execute = promisify(execFile)
const HOOK = join(import.meta.dirname, 'inject.ts')
/** Sockets and logs of the private host, and Node's compiled modules: not what a verb changes. */
const APART = /^root\/(run|var\/lib\/vmpkg\/private|var\/cache\/vmpkg\/compiled)(\/|$)/
const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g
/** Names of files that are not finished. */
const UNFINISHED = /^tmp\/|\.tmp$|\.partial$|\.iso\.|\.init-|\.init$/

/** What an observer sees, who does not believe vmpkg; random names are taken out. Plain JSON. */
export type Sight = Readonly<Record<string, unknown>>

export interface World {
  readonly cli: Cli
  /** A registry signed with keys that are not here, with the packages asked for. */
  readonly registry: TestRegistry
  /** Folder of everything that a verb may change; scenarios keep their registries and keys here. */
  readonly folder: string
  run(argv: readonly string[], env?: Readonly<Record<string, string>>): Promise<CliResult>
  /** Runs with a fault, or with none and only counted. */
  runFaulty(
    argv: readonly string[],
    fault: { readonly at: number; readonly way: FaultWay },
    env?: Readonly<Record<string, string>>,
  ): Promise<CliResult & { readonly operations: readonly Operation[] }>
  observe(): Promise<Sight>
  save(): Promise<void>
  restore(): Promise<void>
  /** Back to a place that nobody has used, the private host kept. */
  wipe(): Promise<void>
  close(): Promise<void>
}

export interface WorldOptions {
  readonly name: string
  readonly packages: readonly TestPackage[]
  /** Start a private host for it. */
  readonly host: boolean
}

export async function makeWorld({ name, packages, host }: WorldOptions): Promise<World> {
  const cli = await makeCli(`private:${name}`)
  const registry = await buildRegistry({ clock: fixedClock(new Date()), packages })
  const folder = await realpath(cli.folder)
  const apart = join(folder, '..', `${basename(folder)}-saved`)
  const stash = join(folder, '..', `${basename(folder)}-stash`)
  const trace = join(apart, '..', `${basename(folder)}-trace`)
  const close = async (): Promise<void> => {
    await cli.close()
    await registry[Symbol.asyncDispose]()
    for (const path of [apart, stash, trace]) await rm(path, { recursive: true, force: true })
  }
  try {
    await mkdir(stash)
    await mkdir(join(folder, 'tmp'))
    const scratch = { TMPDIR: join(folder, 'tmp'), ...inherited() }
    const uri = host ? String((await cli.json(['host', 'private', 'start', name]))['uri']) : undefined
    const libvirt = uri === undefined ? undefined : new SavedLibvirt(uri, apart)
    return {
      cli,
      registry,
      folder,
      run: (argv, env = {}) => cli.run(argv, '', { env: { ...scratch, ...env } }),
      async runFaulty(argv, { at, way }, env = {}) {
        for (const path of [trace, ...(await readdir(stash)).map((one) => join(stash, one))])
          await rm(path, { force: true })
        const plan: FaultPlan = { folders: [folder], trace, stash, at, way }
        const faulty = {
          [FAULT_VARIABLE]: JSON.stringify(plan),
          NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --import=${HOOK}`,
        }
        const result = await cli.run(argv, '', { env: { ...scratch, ...env, ...faulty } })
        const text = await readFile(trace, 'utf8').catch(() => '')
        const lines = text.split('\n').filter((line) => line !== '')
        return { ...result, operations: lines.map((line) => JSON.parse(line) as Operation) }
      },
      async observe() {
        return { ...(await observeFiles(folder)), ...(await libvirt?.observe()) }
      },
      async save() {
        await rm(apart, { recursive: true, force: true })
        await mkdir(apart, { recursive: true })
        await copyTop(folder, join(apart, 'files'))
        await libvirt?.save()
      },
      async restore() {
        await libvirt?.clear()
        await removeTop(folder)
        await execute('cp', ['-a', `${join(apart, 'files')}/.`, folder])
        await libvirt?.restore()
      },
      async wipe() {
        await libvirt?.clear()
        await removeTop(folder)
        await mkdir(join(folder, 'tmp'))
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** A check that a control run takes out is taken out of the commands it runs as well. */
function inherited(): Readonly<Record<string, string>> {
  const names = ['NODE_OPTIONS', 'VMPKG_TEST_DISABLE']
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  )
}

async function copyTop(folder: string, target: string): Promise<void> {
  const filter = (from: string): boolean => !APART.test(from.slice(folder.length + 1))
  await cp(folder, target, { recursive: true, preserveTimestamps: true, filter })
}

async function removeTop(folder: string, below = ''): Promise<void> {
  for (const entry of await readdir(join(folder, below), { withFileTypes: true })) {
    const path = join(below, entry.name)
    if (APART.test(path)) continue
    const isWay = entry.isDirectory() && /^root(\/var(\/(lib|cache)(\/vmpkg)?)?)?$/.test(path)
    if (isWay) await removeTop(folder, path)
    else await rm(join(folder, path), { recursive: true, force: true })
  }
}

/** libvirt's own objects as virsh shows them. */
class SavedLibvirt {
  readonly #uri: string
  readonly #folder: string
  readonly #xml: { kind: 'define' | 'net-define'; name: string; file: string; active: boolean }[] = []

  constructor(uri: string, folder: string) {
    this.#uri = uri
    this.#folder = folder
  }

  async #virsh(...args: readonly string[]): Promise<string> {
    return (await execute('virsh', ['-c', this.#uri, ...args])).stdout
  }

  async #names(...args: readonly string[]): Promise<string[]> {
    return (await this.#virsh(...args, '--name')).split('\n').filter((line) => line !== '')
  }

  async observe(): Promise<Sight> {
    return {
      domains: (await this.#names('list', '--all')).toSorted(),
      running: (await this.#names('list')).toSorted(),
      networks: (await this.#names('net-list', '--all')).toSorted(),
    }
  }

  async save(): Promise<void> {
    this.#xml.length = 0
    const lists = [
      { kind: 'net-define', list: 'net-list', dump: 'net-dumpxml' },
      { kind: 'define', list: 'list', dump: 'dumpxml' },
    ] as const
    for (const { kind, list, dump } of lists) {
      const active = await this.#names(list)
      for (const name of await this.#names(list, '--all')) {
        const file = join(this.#folder, `${kind}-${name}.xml`)
        await execute('sh', ['-c', 'virsh -c "$0" "$1" --inactive "$2" > "$3"', this.#uri, dump, name, file])
        this.#xml.push({ kind, name, file, active: active.includes(name) })
      }
    }
  }

  async clear(): Promise<void> {
    for (const name of await this.#names('list')) await this.#virsh('destroy', name)
    for (const name of await this.#names('list', '--all')) await this.#virsh('undefine', name, '--nvram')
    for (const name of await this.#names('net-list')) await this.#virsh('net-destroy', name)
    for (const name of await this.#names('net-list', '--all')) await this.#virsh('net-undefine', name)
  }

  async restore(): Promise<void> {
    for (const { kind, name, file, active } of this.#xml) {
      await this.#virsh(kind, file)
      if (active) await this.#virsh(kind === 'define' ? 'start' : 'net-start', name)
    }
  }
}

async function observeFiles(folder: string): Promise<Sight> {
  const state = join(folder, 'root/var/lib/vmpkg')
  const config = join(folder, 'root/etc/vmpkg')
  const paths = (await readdir(folder, { recursive: true })).filter((path) => !APART.test(path)).toSorted()
  const files = paths.filter((path) => !/\.(db|lock)(-wal|-shm|-journal)?$|\/lock(\.holder)?$/.test(path))
  const rows = (file: string, sql: string): string[] => column(file, sql).map((text) => text.replaceAll(UUID, 'UUID'))
  const stateDb = join(state, 'state.db')
  return {
    installed: rows(
      stateDb,
      "SELECT name || ' ' || version || ' ' || source || ' ' || grants FROM installed ORDER BY 1",
    ),
    parameters: rows(stateDb, "SELECT package || ' ' || name || '=' || value FROM parameters ORDER BY 1"),
    holders: rows(stateDb, "SELECT holder || ' ' || image FROM image_references ORDER BY 1"),
    pending: rows(stateDb, "SELECT operation || ' ' || subject FROM transactions WHERE outcome IS NULL ORDER BY id"),
    catalogue: rows(
      join(folder, 'root/var/cache/vmpkg/catalogue.db'),
      "SELECT name || ' ' || priority || ' ' || (SELECT count(*) FROM packages WHERE source = sources.name) FROM sources ORDER BY 1",
    ),
    sources: await contents(join(config, 'sources')),
    roots: await readdir(join(config, 'roots')).catch(() => []),
    machines: files
      .filter((path) => /connections\/[^/]+\/(overlays|mediums|logs)\/./.test(path))
      .map((path) => path.replace(UUID, 'UUID')),
    stores: files.filter(
      (path) => /vmpkg\/(packages|images)\/(maps\/)?[^/]+$/.test(path) && !path.endsWith('images/maps'),
    ),
    damaged: await findDamaged(folder, files),
    keys: await observeKeys(folder, files),
    registries: await observeRegistries(folder),
    unfinished: files.filter((path) => UNFINISHED.test(path)).map((path) => path.replace(/[^/]*$/, '*')),
  }
}

function column(file: string, sql: string): string[] {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(file)
    const rows = database.prepare(sql).all()
    return rows.map((row) => String(Object.values(row)[0]))
  } catch (error) {
    // Not there yet, or made and not filled yet, which is as good as not there.
    if (error instanceof Error && /unable to open|no such table/.test(error.message)) return []
    throw error
  } finally {
    database?.close()
  }
}

/** Source files by name, without the time they were added. */
async function contents(folder: string): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {}
  for (const name of (await readdir(folder).catch(() => [])).filter((one) => one.endsWith('.yaml')).toSorted()) {
    found[name] = (await readFile(join(folder, name), 'utf8')).replace(/^addedAt: .*$/m, '')
  }
  return found
}

/** Files whose name is a digest that is not theirs. */
async function findDamaged(folder: string, files: readonly string[]): Promise<readonly string[]> {
  const damaged: string[] = []
  for (const path of files) {
    const named = /^([0-9a-f]{64})(\.(json|vmpkg|jsonl\.zst))?$/.exec(basename(path))?.[1]
    if (named === undefined) continue
    const hash = createHash('sha256').update(await readFile(join(folder, path)))
    if (hash.digest('hex') !== named) damaged.push(path)
  }
  return damaged
}

/** How many of each kind, for a fingerprint is another one every time; and those that lack their other half. */
async function observeKeys(folder: string, files: readonly string[]): Promise<Sight> {
  const fingerprints = (pattern: RegExp): string[] => files.flatMap((path) => pattern.exec(path)?.[1] ?? [])
  const secret = fingerprints(/\/([0-9A-F]{40})\.secret\.asc$/)
  const certificates = fingerprints(/\/([0-9A-F]{40})\.asc$/)
  const whole = await Promise.all(
    files
      .filter((path) => path.endsWith('.asc'))
      .map(async (path) => /-----END PGP [A-Z ]+-----\s*$/.test(await readFile(join(folder, path), 'utf8'))),
  )
  return {
    pairs: secret.filter((one) => certificates.includes(one)).length,
    halves: secret.length + certificates.length - 2 * secret.filter((one) => certificates.includes(one)).length,
    torn: whole.filter((one) => !one).length,
  }
}

async function observeRegistries(folder: string): Promise<Sight> {
  const found: Record<string, unknown> = {}
  for (const name of (await readdir(folder)).filter((one) => /^registry[^.]*$/.test(one)).toSorted()) {
    const path = join(folder, name)
    try {
      const file = await readFile(join(path, 'envelope.json'))
      const { version, index, channels } = parseEnvelope(
        parseSignedFile(file, 'ENVELOPE_INVALID', 'The envelope', file.length).payload,
      )
      const { entries } = await readRegistry(path)
      const incoming = (await readdir(join(path, 'incoming')).catch(() => [])).filter((one) => one.endsWith('.json'))
      found[name] = {
        version,
        channels: channels.version,
        count: index.count,
        lines: entries.length,
        incoming: incoming.length,
      }
    } catch (error) {
      found[name] = String(error)
    }
  }
  return found
}
