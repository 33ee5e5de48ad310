/**
 * A place in which a verb can be run again and again from the same state: vmpkg's root, a registry with its keys, and on
 * demand a private host. `save` and `restore` copy files and define libvirt's objects anew; nothing of vmpkg is asked.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, statSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, realpath, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { sha256 } from '../../src/model/digest.ts'
import { parseEnvelope, parseEnvelopeFile } from '../../src/model/registry-schema.ts'
import { readRegistry, verifyRegistryAs } from '../../src/publish/registry-state.ts'
import { parseDraft } from '../../src/publish/root-draft.ts'
import { type Cli, type CliResult, makeCli } from '../support/cli.ts'
import { fixedClock } from '../support/fixed-clock.ts'
import { AGENT_VARIABLE, type GuestAgentProcess, startGuestAgent } from '../support/guest-agent-process.ts'
import { buildRegistry, type TestPackage, type TestRegistry } from '../support/registry-builder.ts'
import { FAULT_VARIABLE, type FaultPlan, type FaultWay, type Operation } from './fault.ts'

const execute = promisify(execFile)
const HOOK = join(import.meta.dirname, 'inject.ts')
/** Sockets and logs of the private host, and Node's compiled modules: not what a verb changes. */
const APART = /^root\/(run|var\/lib\/vmpkg\/private|var\/cache\/vmpkg\/compiled)(\/|$)/
/** Of those what is there for machines: disks and mediums of ephemeral ones, keys of SSH. */
const IN_RUN = /^root\/run\/vmpkg\/private\/[^/]+\/(machines|ssh)\/./
/** The way there. The private host has some of these mounted, so they stay. */
const WAY = /^root(\/var(\/(lib|cache)(\/vmpkg)?)?|\/run(\/vmpkg(\/private(\/[^/]+(\/(machines|ssh))?)?)?)?)?$/
const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g
const MAC = /\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b/g
/** An address that follows from a MAC. */
const CLIENT_ADDRESS = /(?<=ADDRESS' value=')10\.\d+\.\d+\.\d+/g
/** libvirt counts the domains that it started. */
const DOMAIN_FOLDER = /\bdomain-\d+-/g
/** What a restore, a copy or a snapshot puts behind the UUID. */
const TAG = /(?<=\.)s?[0-9a-f]{8}(?=(?:-[a-z0-9]+)?\.(?:qcow2|raw|boot|nvram))/g
/** libvirt's names for machines that wait in pools, who makes them, and what tells them from others. */
const POOL_NAME = /(?<=pool-)[0-9a-f]{12}/g
const OF_MEMBER = /(?<= (?:attendant|shape)=['"\\]+)[0-9a-f -]+/g
const TIME = /\d{4}-\d\d-\d\dT[0-9:.]+Z/g
/** Names of files that are not finished. */
const UNFINISHED =
  /^tmp\/|cache\/vmpkg\/(scratch|import)-[^/]*$|\.tmp$|\.partial$|\.iso\.|\.init-|\.init$|\/ssh\/[^/]+\.new-[^/]*$|\/\.vmpkg-[0-9a-f]{12}-\d+$/

/** What an observer sees, who does not believe vmpkg; random names are taken out. Plain JSON. */
export type Sight = Readonly<Record<string, unknown>>

export interface World {
  readonly cli: Cli
  /** A registry signed with keys that are not here, with the packages asked for. */
  readonly registry: TestRegistry
  /** Folder of everything that a verb may change; scenarios keep their registries and keys here. */
  readonly folder: string
  /** On the private host. */
  virsh(...args: readonly string[]): Promise<string>
  run(argv: readonly string[], env?: Readonly<Record<string, string>>): Promise<CliResult>
  /** Runs with a fault, or with none and only counted. */
  runFaulty(
    argv: readonly string[],
    fault: { readonly at: number; readonly way: FaultWay },
    env?: Readonly<Record<string, string>>,
  ): Promise<CliResult & { readonly operations: readonly Operation[] }>
  observe(): Promise<Sight>
  /** Registries that a client would refuse as they lie there now. */
  findRefused(): Promise<readonly string[]>
  save(): Promise<void>
  restore(): Promise<void>
  /** Keeps the files as they are now under that key, until the world is closed. */
  keep(key: string): Promise<void>
  /** Brings the files that were kept, and says whether there were any. */
  recall(key: string): Promise<boolean>
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
  const registry = await buildRegistry({ clock: fixedClock(new Date()), packages, deltas: true })
  const folder = await realpath(cli.folder)
  const apart = join(folder, '..', `${basename(folder)}-saved`)
  const keeping = join(folder, '..', `${basename(folder)}-kept`)
  const stash = join(folder, '..', `${basename(folder)}-stash`)
  const trace = join(apart, '..', `${basename(folder)}-trace`)
  let agent: GuestAgentProcess | undefined
  const close = async (): Promise<void> => {
    await agent?.[Symbol.asyncDispose]()
    await cli.close()
    await registry[Symbol.asyncDispose]()
    for (const path of [apart, keeping, stash, trace]) await rm(path, { recursive: true, force: true })
  }
  try {
    await mkdir(stash)
    await mkdir(join(folder, 'tmp'))
    if (host) agent = await startGuestAgent(join(folder, '..', `${basename(folder)}-agent`))
    const scratch = {
      TMPDIR: join(folder, 'tmp'),
      ...(agent === undefined ? {} : { [AGENT_VARIABLE]: agent.socket }),
      ...inherited(),
    }
    const uri = host ? String((await cli.json(['host', 'private', 'start', name]))['uri']) : undefined
    const libvirt = uri === undefined ? undefined : new SavedLibvirt(uri, apart)
    return {
      cli,
      registry,
      folder,
      async virsh(...args) {
        if (libvirt === undefined) throw new TypeError('this world has no private host')
        return libvirt.virsh(...args)
      },
      run: (argv, env = {}) => cli.run(argv, '', { env: { ...scratch, ...env } }),
      async runFaulty(argv, { at, way }, env = {}) {
        for (const path of [trace, ...(await readdir(stash)).map((one) => join(stash, one))])
          await rm(path, { force: true })
        const plan: FaultPlan = { folders: [folder], trace, stash, at, way }
        const faulty = {
          [FAULT_VARIABLE]: JSON.stringify(plan),
          NODE_OPTIONS: `--import=${HOOK} ${env['NODE_OPTIONS'] ?? process.env['NODE_OPTIONS'] ?? ''}`,
        }
        const result = await cli.run(argv, '', { env: { ...scratch, ...env, ...faulty } })
        const text = await readFile(trace, 'utf8').catch(() => '')
        const lines = text.split('\n').filter((line) => line !== '')
        return { ...result, operations: lines.map((line) => JSON.parse(line) as Operation) }
      },
      async observe() {
        return plain({ ...(await observeFiles(folder)), ...(await libvirt?.observe()) }, libvirt?.identities ?? [])
      },
      findRefused: async () => findRefused(folder),
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
      async keep(key) {
        await copyTop(folder, join(keeping, createHash('sha256').update(key).digest('hex')))
      },
      async recall(key) {
        const kept = join(keeping, createHash('sha256').update(key).digest('hex'))
        if (!existsSync(kept)) return false
        await execute('cp', ['-a', `${kept}/.`, folder])
        return true
      },
      async wipe() {
        await libvirt?.clear({ secrets: true })
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

/** UUIDs and MACs of libvirt's objects that were there before stay; those that are made anew are taken out. */
function plain(sight: Sight, known: readonly string[]): Sight {
  const hide = (name: string) => (found: string) => (known.includes(found) ? found : name)
  const text = JSON.stringify(sight)
    .replace(UUID, hide('UUID'))
    .replace(MAC, hide('MAC'))
    .replace(CLIENT_ADDRESS, hide('ADDRESS'))
    .replace(TAG, 'TAG')
    .replace(POOL_NAME, 'NAME')
    .replace(OF_MEMBER, 'ITS')
    .replaceAll(DOMAIN_FOLDER, 'domain-N-')
  const hidden = JSON.parse(text) as Record<string, unknown>
  for (const [key, value] of Object.entries(hidden)) {
    if (Array.isArray(value)) hidden[key] = value.every((one) => typeof one === 'string') ? value.toSorted() : value
  }
  return hidden
}

async function copyTop(folder: string, target: string): Promise<void> {
  const filter = (from: string): boolean =>
    isOurs(from.slice(folder.length + 1)) || WAY.test(from.slice(folder.length + 1))
  await cp(folder, target, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true, filter })
}

async function removeTop(folder: string, below = ''): Promise<void> {
  for (const entry of await readdir(join(folder, below), { withFileTypes: true })) {
    const path = join(below, entry.name)
    if (entry.isDirectory() && WAY.test(path)) await removeTop(folder, path)
    else if (isOurs(path)) await rm(join(folder, path), { recursive: true, force: true })
  }
}

function isOurs(path: string): boolean {
  return IN_RUN.test(path) || !APART.test(path)
}

interface Saved {
  readonly kind: 'define' | 'net-define' | 'pool-define'
  readonly name: string
  readonly file: string
  readonly active: boolean
  readonly autostart: boolean
  /** Files of its snapshots, parents first. */
  readonly snapshots: readonly string[]
}

/** libvirt's own objects as virsh shows them. */
class SavedLibvirt {
  readonly #uri: string
  readonly #folder: string
  readonly #xml: Saved[] = []
  #saved: readonly string[] = []
  /** UUIDs and MACs of what was saved. */
  identities: readonly string[] = []

  constructor(uri: string, folder: string) {
    this.#uri = uri
    this.#folder = folder
  }

  async virsh(...args: readonly string[]): Promise<string> {
    return (await execute('virsh', ['-c', this.#uri, ...args])).stdout
  }

  async #names(...args: readonly string[]): Promise<string[]> {
    const lines = (await this.virsh(...args, '--name')).split('\n').map((line) => line.trim()) // pools have a tail of blanks
    return lines.filter((line) => line !== '')
  }

  async observe(): Promise<Sight> {
    const seen: Record<string, string[]> = {}
    for (const { what, list, dump } of LISTS) {
      seen[what] = []
      for (const name of await this.#names(list, '--all')) {
        const xml = await this.virsh(dump, '--inactive', name)
        // libvirt puts devices in another order when it is given its own XML.
        const lines = xml
          .replace(/\.[0-9a-f]{8}\.iso/g, '.NEW.iso')
          .replace(TIME, 'TIME')
          .split('\n')
          .filter((line) => !SPACE_OF_POOL.test(line))
          .toSorted()
        seen[what].push(`${name} ${lines.join('\n')}`)
      }
      if (what === 'domains') {
        seen['snapshots'] = []
        for (const name of await this.#names('list', '--all')) {
          const found = await this.virsh('snapshot-list', name, '--tree')
          seen['snapshots'].push(`${name} ${found.trim()}`)
        }
      }
      seen[`${what}, active`] = await this.#names(list)
      seen[`${what}, autostart`] = await this.#names(list, '--autostart', '--all')
    }
    seen['secrets'] = await this.#secrets()
    const running = await Promise.all((await this.#names('list')).map(async (name) => this.virsh('dumpxml', name)))
    const links = running.map((xml) => `${xml.match(/<name>.*<\/name>/)?.[0]} ${xml.match(/<link .*>/g)?.join(' ')}`)
    return { ...seen, links }
  }

  /** UUID and usage of each. What they hold nobody tells. */
  async #secrets(): Promise<string[]> {
    const lines = (await this.virsh('secret-list')).split('\n')
    return lines.filter((line) => /[0-9a-f]{8}-/.test(line)).map((line) => line.trim().replaceAll(/\s+/g, ' '))
  }

  async save(): Promise<void> {
    this.#xml.length = 0
    this.#saved = await this.#secrets()
    const identities: string[] = []
    for (const { kind, list, dump } of LISTS) {
      const active = await this.#names(list)
      const autostart = await this.#names(list, '--autostart', '--all')
      for (const name of await this.#names(list, '--all')) {
        const file = join(this.#folder, `${kind}-${name}.xml`)
        await execute('sh', ['-c', 'virsh -c "$0" "$1" --inactive "$2" > "$3"', this.#uri, dump, name, file])
        const snapshots = kind === 'define' ? await this.#saveSnapshots(name) : []
        const state = { active: active.includes(name), autostart: autostart.includes(name) }
        this.#xml.push({ kind, name, file, snapshots, ...state })
        const xml = await readFile(file, 'utf8')
        identities.push(...(xml.match(UUID) ?? []), ...(xml.match(MAC) ?? []), ...(xml.match(CLIENT_ADDRESS) ?? []))
      }
    }
    this.identities = identities
  }

  async #saveSnapshots(domain: string): Promise<readonly string[]> {
    const names = (await this.virsh('snapshot-list', domain, '--name', '--topological')).split('\n')
    const files: string[] = []
    for (const name of names.filter((one) => one !== '')) {
      const file = join(this.#folder, `snapshot-${domain}-${files.length}.xml`)
      const dump = 'virsh -c "$0" snapshot-dumpxml --security-info "$1" "$2" > "$3"'
      await execute('sh', ['-c', dump, this.#uri, domain, name, file])
      files.push(file)
    }
    return files
  }

  /** Secrets that were saved stay, for they could not be made again: a scenario that loses one proves nothing. */
  async clear({ secrets = false } = {}): Promise<void> {
    for (const name of await this.#names('list')) await this.virsh('destroy', name)
    for (const name of await this.#names('list', '--all'))
      await this.virsh('undefine', name, '--nvram', '--snapshots-metadata')
    for (const name of await this.#names('net-list')) await this.virsh('net-destroy', name)
    for (const name of await this.#names('net-list', '--all')) await this.virsh('net-undefine', name)
    for (const name of await this.#names('pool-list')) await this.virsh('pool-destroy', name)
    for (const name of await this.#names('pool-list', '--all')) await this.virsh('pool-undefine', name)
    for (const line of await this.#secrets()) {
      if (secrets || !this.#saved.includes(line)) await this.virsh('secret-undefine', line.split(' ')[0] ?? '')
    }
  }

  async restore(): Promise<void> {
    for (const { kind, name, file, active, autostart, snapshots } of this.#xml) {
      await this.virsh(kind, file)
      for (const [i, snapshot] of snapshots.entries()) {
        const current = i === snapshots.length - 1 ? ['--current'] : []
        await this.virsh('snapshot-create', name, snapshot, '--redefine', ...current)
      }
      const prefix = kind.replace('define', '')
      if (autostart) await this.virsh(`${prefix}autostart`, name)
      if (active) await this.virsh(`${prefix}start`, name)
    }
  }
}

const LISTS = [
  { kind: 'net-define', what: 'networks', list: 'net-list', dump: 'net-dumpxml' },
  { kind: 'pool-define', what: 'pools', list: 'pool-list', dump: 'pool-dumpxml' },
  { kind: 'define', what: 'domains', list: 'list', dump: 'dumpxml' },
] as const
/** Changes by itself. */
const SPACE_OF_POOL = /<(?:capacity|allocation|available) /

async function observeFiles(folder: string): Promise<Sight> {
  const state = join(folder, 'root/var/lib/vmpkg')
  const config = join(folder, 'root/etc/vmpkg')
  const paths = (await readdir(folder, { recursive: true })).filter(isOurs).toSorted()
  const files = paths.filter((path) => !/\.(db|lock)(-wal|-shm|-journal)?$|\/lock(\.holder)?$/.test(path))
  // What a command unpacks for itself is nobody's yet.
  const kept = files.filter((path) => !/cache\/vmpkg\/(scratch|import)-/.test(path))
  const damaged = await findDamaged(folder, kept)
  const stateDb = join(state, 'state.db')
  const ofState = (sql: string): string[] => column(stateDb, sql)
  const listed = async (path: string): Promise<string[]> => readdir(join(state, path)).catch(() => [])
  return {
    installed: ofState(
      "SELECT name || ' ' || version || ' ' || source || ' ' || grants || ' ' || is_auto || ' ' || is_held FROM installed",
    ),
    parameters: ofState("SELECT package || ' ' || name || '=' || value FROM parameters"),
    keptValues: ofState("SELECT package || ' ' || name || '=' || value FROM kept_values"),
    holders: distinct(ofState("SELECT holder || ' ' || image FROM image_references").map(withoutNumber)),
    archives: distinct(ofState("SELECT holder || ' ' || archive FROM archive_references").map(withoutNumber)),
    definitions: ofState("SELECT kind || ' ' || name || ' ' || package || ' ' || uuid FROM definitions"),
    history: distinct(
      ofState(
        "SELECT name || ' ' || coalesce(before ->> '$.line', '') || ' ' || coalesce(after, '') FROM package_changes",
      ).map((text) => text.replace(TIME, 'TIME')),
    ),
    wishes: ofState(
      "SELECT package || ' ' || size || ' ' || coalesce(mode, '') || ' ' || coalesce(net, '') FROM pools",
    ),
    storages: await observeStorages(folder, files),
    pending: ofState("SELECT operation || ' ' || subject FROM transactions WHERE outcome IS NULL"),
    catalogue: column(
      join(folder, 'root/var/cache/vmpkg/catalogue.db'),
      "SELECT name || ' ' || priority || ' ' || (SELECT count(*) FROM packages WHERE source = sources.name) FROM sources",
    ),
    sources: await contents(join(config, 'sources')),
    preferences: await readFile(join(config, 'preferences.yaml'), 'utf8').catch(() => ''),
    values: await contents(join(config, 'values')),
    roots: await observeRoots(config),
    machines: files
      // What the last backup read is remembered to spare work.
      .filter(
        (path) =>
          (/connections\/[^/]+\/(overlays|mediums|logs|data)\/./.test(path) && !path.endsWith('.index')) ||
          /^root\/run\/.*\/machines\/./.test(path),
      )
      .map((path) => path.replace(/\.[0-9a-f]{8}\.iso$/, '.NEW.iso')),
    // A damaged image is none; the next that needs it puts it aside and fetches it. What stands beside a partial, and what was
    // to be renamed, is gc's.
    stores: files.filter(
      (path) =>
        /lib\/vmpkg\/(packages|images)\/(maps\/)?[0-9a-f]{64}[^/]*$/.test(path) &&
        !/\.partial(?:\.(?:tag|frames|clone|old))?$|\.tmp$/.test(path) &&
        !damaged.includes(path),
    ),
    disks: await Promise.all(
      files
        .filter((path) => /^(?:disks|guest)\/./.test(path) && !UNFINISHED.test(path) && !existsAsFolder(folder, path))
        .map(async (path) => `${path} ${sha256(await readFile(join(folder, path)))}`),
    ),
    diskSizes: await Promise.all(
      files.filter((path) => /\/overlays\/[^/]*\.qcow2$/.test(path)).map((path) => sizeOf(join(folder, path))),
    ),
    ssh: await observeSsh(folder, files),
    kept: (await listed('downloads')).filter((name) => name.startsWith('kept-')),
    damaged,
    keys: await observeKeys(folder, files),
    backups: files.filter((path) => /^backups\/[^.][^/]*\/[^.][^/]*\/backup\.json$/.test(path)).map(withoutPoint),
    drafts: await Promise.all(
      files.filter((path) => path.endsWith('.draft')).map((path) => readDraft(join(folder, path))),
    ),
    registries: await observeRegistries(folder),
    registryFiles: files.filter((path) => /^registry-[^/]*\/.*[0-9a-f]{64}/.test(path)),
    unfinished: files.filter((path) => UNFINISHED.test(path)).map((path) => path.replace(/[^/]*$/, '*')),
  }
}

/** The record of each connection, and what belongs to a storage: marker, header of its key, folder. */
async function observeStorages(folder: string, files: readonly string[]): Promise<readonly string[]> {
  const own = files.filter((path) =>
    /(?:^|\/)(?:storage\.json|storage-[a-z0-9-]+\.luks|\.vmpkg-storage)$|^root\/(?:vault|spare)$/.test(path),
  )
  const texts = own.map(async (path) =>
    path.endsWith('.json') ? `${path} ${await readFile(join(folder, path), 'utf8')}` : path,
  )
  return Promise.all(texts)
}

function existsAsFolder(folder: string, path: string): boolean {
  return statSync(join(folder, path)).isDirectory()
}

/** What the guest sees of a disk: from byte 24 of the header on (QEMU, docs/interop/qcow2.txt). */
async function sizeOf(path: string): Promise<string> {
  return String((await readFile(path)).readBigUInt64BE(24))
}

/** Keys, and whether they are whole; which server is expected where. */
async function observeSsh(folder: string, files: readonly string[]): Promise<readonly string[]> {
  const own = files.filter((path) => /^root\/run\/.*\/ssh\/[^/]+\.keys\/(?:key|known_hosts)$/.test(path))
  return Promise.all(
    own.map(async (path) => {
      if (path.endsWith('known_hosts')) return `${path} ${await readFile(join(folder, path), 'utf8')}`
      const made = await execute('ssh-keygen', ['-y', '-f', join(folder, path)]).catch(() => undefined)
      const written = await readFile(join(folder, `${path}.pub`), 'utf8').catch(() => '')
      return `${path} ${made?.stdout.trim() === written.trim() ? 'whole' : 'broken'}`
    }),
  )
}

/** Of a backup the machine: its time is another one each time. */
function withoutPoint(path: string): string {
  return path.replace(/\/\d{8}T\d{6}Z\//, '/TIME/')
}

function distinct(rows: readonly string[]): readonly string[] {
  return [...new Set(rows)].toSorted()
}

/** The number of an entry in the history, which an entry that was undone uses up as well. */
function withoutNumber(row: string): string {
  return row.replace(/^history \d+/, 'history')
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

/** Source files by name, without the time they were added; of this host's own registry without its keys, made anew. */
async function contents(folder: string): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {}
  for (const name of (await readdir(folder).catch(() => [])).filter((one) => one.endsWith('.yaml')).toSorted()) {
    const text = (await readFile(join(folder, name), 'utf8')).replace(/^addedAt: .*$/m, '')
    found[name] = name === 'local.yaml' ? text.replace(/[0-9a-f]{32,64}|[0-9A-F]{40}/g, 'NEW') : text
  }
  return found
}

/** Root files that no source names, and sources whose root file is not there. */
async function observeRoots(config: string): Promise<Sight> {
  const roots = await readdir(join(config, 'roots')).catch(() => [])
  const sources = Object.values(await contents(join(config, 'sources')))
  const isNamed = (root: string): boolean => sources.some((text) => text.includes(basename(root, '.json')))
  return {
    orphans: roots.filter((root) => !isNamed(root)).length,
    missing: sources.filter((text) => !roots.some((root) => text.includes(basename(root, '.json')))).length,
  }
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

/** Of the draft of a root file what it leads to, and how many have signed it. */
async function readDraft(path: string): Promise<string> {
  const { root, signatures } = parseDraft(await readFile(path))
  return `root ${root.version}, ${signatures.length} signatures`
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

async function listRegistries(folder: string): Promise<readonly string[]> {
  const own = 'root/var/lib/vmpkg/local/registry'
  return [...(await readdir(folder)).filter((one) => /^registry[^.]*$/.test(one)).toSorted(), own]
}

/** Registries that a client who knows nothing would refuse, and why. Without its envelope a folder is none yet. */
async function findRefused(folder: string): Promise<readonly string[]> {
  const refused: string[] = []
  for (const name of await listRegistries(folder)) {
    const path = join(folder, name)
    const file = await readFile(join(path, 'envelope.json')).catch(() => undefined)
    if (file === undefined) continue
    await verifyRegistryAs(path, file, new Date()).catch((error: unknown) => refused.push(`${name}: ${String(error)}`))
  }
  return refused
}

async function observeRegistries(folder: string): Promise<Sight> {
  const found: Record<string, unknown> = {}
  for (const name of await listRegistries(folder)) {
    const path = join(folder, name)
    try {
      const file = await readFile(join(path, 'envelope.json'))
      const { version, index, channels } = parseEnvelope(parseEnvelopeFile(file).payload)
      const { entries, root, channels: promoted } = await readRegistry(path)
      const incoming = (await readdir(join(path, 'incoming')).catch(() => [])).filter((one) => one.endsWith('.json'))
      found[name] = {
        version,
        channels: channels.version,
        count: index.count,
        lines: entries.length,
        incoming: incoming.length,
        root: [root.version, root.root, root.timestamp, root.promoter, root.publishers].map((part) =>
          JSON.stringify(part).replace(/[0-9A-F]{40}/g, 'KEY'),
        ),
        promoted: promoted.entries,
        snapshots: (await readdir(join(path, 'snapshot')).catch(() => [])).filter((one) => one.endsWith('Z.json'))
          .length,
      }
    } catch (error) {
      // Without its envelope, which is written last, a folder is no registry yet.
      if (existsSync(join(path, 'envelope.json'))) found[name] = String(error)
    }
  }
  return found
}
