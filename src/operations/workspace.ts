/**
 * What every operation works with: the ports, the folders, the databases and the libvirt connection of this run, each
 * opened when first needed. With `write` the root's lock is held and what dead commands left has been undone; with
 * `late` what dead commands left has been undone, and the lock is taken by `lock()` once plan and downloads are done.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { NO_PREFERENCES, type Preferences } from '../catalogue/policy.ts'
import { isVmpkgError } from '../errors.ts'
import type { Emit } from '../events.ts'
import { type ConnectionChoice, type ConnectionReason, chooseConnection } from '../host/connection-choice.ts'
import type { Connect } from '../libvirt/connect.ts'
import type { Clock, Http, Processes, Randomness, Terminal } from '../ports.ts'
import { ArchiveReferences } from '../state/archive-references.ts'
import { openStateDatabase, openTrustDatabase } from '../state/database.ts'
import { Definitions } from '../state/definitions.ts'
import { prepareConnectionFolders, prepareFolders } from '../state/folders.ts'
import { History } from '../state/history.ts'
import { ImageReferences } from '../state/image-references.ts'
import { InstalledPackages } from '../state/installed.ts'
import type { Journal } from '../state/journal.ts'
import { KeptValues } from '../state/kept-values.ts'
import type { LockOptions } from '../state/lock.ts'
import { type ConnectionPaths, connectionPaths, locatePaths, type Paths } from '../state/paths.ts'
import { Pools } from '../state/pools.ts'
import { describeCommandLine } from './command-line.ts'

export interface Outside {
  readonly clock: Clock
  readonly randomness: Randomness
  readonly processes: Processes
  readonly terminal: Terminal
  readonly http: Http
  /** `http` asks nobody, and programs that would must not be started. */
  readonly isOffline?: boolean
  readonly emit: Emit
  readonly signal: AbortSignal
}

export interface WorkspaceOptions {
  readonly outside: Outside
  /** From `--root` or `VMPKG_ROOT`. */
  readonly root: string | undefined
  /** From `--connect`. */
  readonly connect: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  readonly uid: number
  readonly home: string
  /** Working folder, for relative paths. */
  readonly folder: string
  /** The command line, for the lock and the journal. */
  readonly command: readonly string[]
  /** Interpreter and program of this very vmpkg. Without it private hosts get no supervisor. */
  readonly program?: readonly [string, string] | undefined
  readonly write: boolean | 'late'
  /** It frees space, also where there is none. */
  readonly relief?: boolean | undefined
  /** How long to wait for another vmpkg; a minute by default. */
  readonly waitSeconds?: number | undefined
}

export class Workspace {
  readonly outside: Outside
  readonly paths: Paths
  readonly isRoot: boolean
  readonly env: WorkspaceOptions['env']
  readonly folder: string
  readonly command: string
  readonly program: WorkspaceOptions['program']
  readonly home: string
  /** As given: below which folder all of the state is. */
  readonly root: string | undefined
  /** Places that stand in for the addresses of sources in this run, by name of the source: a bundle, a folder. */
  readonly instead = new Map<string, URL>()
  #state: DatabaseSync | undefined
  #trust: DatabaseSync | undefined
  #lock: AsyncDisposable | undefined
  #journal: Journal | undefined
  #connection: { uri: string; connect: Connect } | undefined
  #chosen: ConnectionChoice | undefined
  readonly #waitSeconds: number | undefined
  #readPreferences: ((path: string) => Preferences) | undefined

  constructor(options: WorkspaceOptions, paths: Paths) {
    this.outside = options.outside
    this.paths = paths
    this.isRoot = options.uid === 0
    this.env = options.env
    this.folder = options.folder
    this.command = describeCommandLine(options.command)
    this.program = options.program
    this.home = options.home
    this.root = options.root === undefined || options.root === '' ? undefined : resolve(options.root)
    this.#waitSeconds = options.waitSeconds
  }

  get state(): DatabaseSync {
    this.#state ??= openStateDatabase(this.paths.database)
    return this.#state
  }

  get trust(): DatabaseSync {
    this.#trust ??= openTrustDatabase(this.paths.trustDatabase)
    return this.#trust
  }

  /** Only with `write`. */
  get journal(): Journal {
    if (this.#journal === undefined) throw new TypeError('the journal is for those who hold the lock')
    return this.#journal
  }

  /** Pins and channels. @throws {VmpkgError} `PREFERENCES_INVALID` */
  get preferences(): Preferences {
    return this.#readPreferences?.(this.paths.preferences) ?? NO_PREFERENCES
  }

  /** Which libvirt: a URI, `private` or `private:NAME`. Decided once a run. */
  get connectionName(): string {
    if (this.#chosen === undefined) throw new TypeError('the connection is chosen when the workspace opens')
    return this.#chosen.type === 'uri' ? this.#chosen.uri : `private:${this.#chosen.name}`
  }

  /** Why that libvirt. */
  get connectionReason(): ConnectionReason | undefined {
    return this.#chosen?.because
  }

  get connectionPaths(): ConnectionPaths {
    return connectionPaths(this.paths, this.connectionName)
  }

  get installed(): InstalledPackages {
    return new InstalledPackages(this.state, this.connectionPaths.key)
  }

  get imageReferences(): ImageReferences {
    return new ImageReferences(this.state, this.connectionPaths.key)
  }

  get archiveReferences(): ArchiveReferences {
    return new ArchiveReferences(this.state, this.connectionPaths.key)
  }

  get keptValues(): KeptValues {
    return new KeptValues(this.state, this.connectionPaths.key)
  }

  get pools(): Pools {
    return new Pools(this.state, this.connectionPaths.key)
  }

  get definitions(): Definitions {
    return new Definitions(this.state, this.connectionPaths.key)
  }

  get history(): History {
    return new History(this.state, this.connectionPaths.key)
  }

  /** Whether this process may change what others would, too. */
  get isLocked(): boolean {
    return this.#lock !== undefined
  }

  /** The open connection to libvirt. @throws {VmpkgError} `LIBVIRT_UNREACHABLE` `PRIVATE_HOST_FAILED` */
  async connect(): Promise<Connect> {
    if (this.#connection === undefined) {
      const { openConnection } = await import('./connection.ts')
      this.#connection = await openConnection(this, { start: true })
      prepareConnectionFolders(this.connectionPaths, { isRoot: this.isRoot })
    }
    return this.#connection.connect
  }

  /** Like `connect`, but does not start a private host that is not running. */
  async connectIfRunning(): Promise<Connect | undefined> {
    if (this.#connection === undefined) {
      const { openConnection } = await import('./connection.ts')
      this.#connection = await openConnection(this, { start: false })
    }
    return this.#connection?.connect
  }

  /**
   * Another connection in place of one that is over, for a process that lives long; the daemon's silence ends it.
   * `undefined` where the private host does not run.
   */
  async reconnect(): Promise<Connect | undefined> {
    const old = this.#connection
    this.#connection = undefined
    await old?.connect.close()
    const { openConnection } = await import('./connection.ts')
    this.#connection = await openConnection(this, { start: false, keepalive: { intervalMs: 10_000, count: 6 } })
    if (this.#connection !== undefined) prepareConnectionFolders(this.connectionPaths, { isRoot: this.isRoot })
    return this.#connection?.connect
  }

  /** The URI that virsh and virt-manager take for the open connection. */
  get uri(): string {
    return this.#connection?.uri ?? this.connectionName
  }

  async close(): Promise<void> {
    await this.#connection?.connect.close()
    this.#state?.close()
    this.#trust?.close()
    this.#connection = this.#state = this.#trust = undefined
    await this.unlock()
  }

  /** @internal used by `openWorkspace` only */
  async prepare(options: WorkspaceOptions, chosen: ConnectionChoice): Promise<void> {
    this.#chosen = chosen
    if (options.relief === true) (await import('../state/reserve.ts')).spendReserve(this.paths.state)
    prepareFolders(this.paths, { isRoot: this.isRoot })
    // Reading YAML takes longer to load than the rest of a list, and few hosts have such a file.
    if (existsSync(this.paths.preferences)) {
      this.#readPreferences = (await import('../sources/preferences.ts')).readPreferences
    }
    if (options.write === true || (options.write === 'late' && (await this.isUnfinished()))) await this.lock()
    if (options.write === 'late') await this.unlock()
  }

  /**
   * Takes the root's writer lock, waits for another holder where there is one, and undoes what dead commands left. Does
   * nothing when the lock is held already; `close` gives it back.
   * @throws {VmpkgError} `LOCK_HELD` `ABORTED`
   */
  async lock(): Promise<void> {
    const { emit } = this.outside
    await this.#takeLock({
      ...(this.#waitSeconds === undefined ? {} : { timeoutMs: this.#waitSeconds * 1000 }),
      onWait: (holder) =>
        emit({
          type: 'noted',
          message: `Waiting for ${holder === undefined ? 'another vmpkg' : `process ${holder.pid} (${holder.command})`}`,
        }),
    })
  }

  /** The same for somebody who has other things to do: false where another vmpkg holds it. Give it back by `unlock`. */
  async tryLock(): Promise<boolean> {
    try {
      await this.#takeLock({ timeoutMs: 0 })
      return true
    } catch (error) {
      if (isVmpkgError(error, 'LOCK_HELD')) return false
      throw error
    }
  }

  async unlock(): Promise<void> {
    await this.#lock?.[Symbol.asyncDispose]()
    this.#lock = undefined
    this.#journal = undefined
  }

  async #takeLock(options: Pick<LockOptions, 'timeoutMs' | 'onWait'>): Promise<void> {
    if (this.#lock !== undefined) return
    const { clock, signal } = this.outside
    const [{ acquireLock }, { Journal }, { readOwnIdentity }, { keepReserve }] = await Promise.all([
      import('../state/lock.ts'),
      import('../state/journal.ts'),
      import('../state/process-identity.ts'),
      import('../state/reserve.ts'),
    ])
    this.#lock = await acquireLock({ path: this.paths.lock, command: this.command, signal, ...options })
    this.#journal = new Journal(this.state, clock, readOwnIdentity())
    const { recover } = await import('./recover.ts')
    await recover(this)
    keepReserve(this.paths.state)
  }

  /** True where a command died half way: a plan made before that is undone would be wrong. */
  async isUnfinished(): Promise<boolean> {
    const [{ Journal }, { readOwnIdentity }] = await Promise.all([
      import('../state/journal.ts'),
      import('../state/process-identity.ts'),
    ])
    const { key } = this.connectionPaths
    const journal = new Journal(this.state, this.outside.clock, readOwnIdentity())
    return journal.pending().some(({ connection }) => connection === key)
  }
}

/** Opens the workspace; close it in any case. @throws {VmpkgError} `LOCK_HELD` `STATE_INVALID` `NO_RIGHTS` */
export async function openWorkspace(options: WorkspaceOptions): Promise<Workspace> {
  const { root, env, uid, home } = options
  const paths = locatePaths({ isRoot: uid === 0, home, env, ...(root === undefined ? {} : { root }) })
  const workspace = new Workspace(options, paths)
  try {
    await workspace.prepare(options, await chooseConnectionFor(options))
    return workspace
  } catch (error) {
    await workspace.close()
    throw error
  }
}

/** Looks at the system's socket only when nobody says which libvirt. */
async function chooseConnectionFor({ connect, env, uid }: WorkspaceOptions): Promise<ConnectionChoice> {
  const isSaid = [connect, env['VMPKG_CONNECT'], env['LIBVIRT_DEFAULT_URI']].some(
    (text) => text !== undefined && text !== '',
  )
  const canUseSystem = !isSaid && (await (await import('../host/preflight.ts')).canUseSystemLibvirt())
  const areNamespacesClosed =
    !isSaid &&
    !canUseSystem &&
    uid !== 0 &&
    (await (await import('../host/private-host-support.ts')).areNamespacesClosed())
  return chooseConnection({ flag: connect, env, canUseSystem, areNamespacesClosed })
}
