/**
 * Downloads of several processes into one store: one at a time works on an object, the others wait for it, and garbage
 * collection leaves alone what a living process has announced. Needs no writer lock of the root.
 *
 *     <folder>/000.lock … fff.lock   one of them is held while an object is fetched; chosen by its digest
 *     <folder>/leases.lock           held for moments: while a lease is written, and while garbage is collected
 *     <folder>/<pid>-<ticks>-<n>.json   a lease: what a process needs, gone or void with it
 *     <folder>/kept-<digest>.json       what was downloaded for later, until somebody collects garbage on purpose
 *
 * Locks are those of SQLite, so the kernel drops them with their holder and one of those who wait goes on. Lock files
 * stay: removing one that somebody waits for would let two in.
 *
 * Source: threats D04, L04. Test oracle: processes that wait, that are killed, and that collect garbage meanwhile.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isSha256, type Sha256 } from '../model/digest.ts'
import { type LockHolder, withLock } from './lock.ts'
import { isAlive, type ProcessIdentity, readOwnIdentity } from './process-identity.ts'

export interface ObjectLockOptions {
  /** `paths.downloads`. */
  readonly folder: string
  /** Of the object that is fetched. */
  readonly digest: Sha256
  /** Shown to those who wait. */
  readonly command: string
  readonly signal?: AbortSignal | undefined
  /** Called once when somebody else is at work. */
  readonly onWait?: (holder: LockHolder | undefined) => void
}

/**
 * Runs `use` while no other process does so for the object. Waits as long as it takes: a download may be long, and a
 * holder that dies is no obstacle.
 *
 * @throws {VmpkgError} `ABORTED`
 */
export async function withObject<T>(
  { folder, digest, ...options }: ObjectLockOptions,
  use: () => Promise<T>,
): Promise<T> {
  // Two objects that share a file only wait for each other needlessly, once in 4096 times.
  return withLock({ ...options, path: join(folder, `${digest.slice(0, 3)}.lock`), timeoutMs: Infinity }, use)
}

/** Digests of images, of their chunk maps, and of package archives. */
export interface Leased {
  readonly images: ReadonlySet<Sha256>
  readonly maps: ReadonlySet<Sha256>
  readonly archives: ReadonlySet<Sha256>
}

export interface LeaseOptions {
  readonly folder: string
  readonly command: string
  readonly signal?: AbortSignal | undefined
}

let count = 0

/** Announces what this process needs. Whatever of it is in the store from now on stays until the lease is disposed of. */
export async function openLease(options: LeaseOptions, needed: Leased): Promise<Disposable> {
  const { pid, startTicks } = readOwnIdentity()
  const path = join(options.folder, `${pid}-${startTicks}-${count++}.json`)
  await withLeases(options, () => writeFileSync(path, formatLease(needed), { mode: 0o600 }))
  return { [Symbol.dispose]: () => rmSync(path, { force: true }) }
}

/** Keeps a package, named by its archive, with all it needs until `withLeased` drops it or `forgetKept` is called. */
export async function keepDownload(options: LeaseOptions, archive: Sha256, needed: Leased): Promise<void> {
  const path = keptPath(options.folder, archive)
  await withLeases(options, () => writeFileSync(path, formatLease(needed), { mode: 0o600 }))
}

/** Something else refers to it now, or nobody needs it. */
export function forgetKept(folder: string, archive: Sha256): void {
  rmSync(keptPath(folder, archive), { force: true })
}

export interface WithLeasedOptions extends LeaseOptions {
  /** What was kept for later does not count. */
  readonly ignoreKept?: boolean
  /** And is no longer kept afterwards. */
  readonly dropKept?: boolean
}

/**
 * Runs `use` with everything that living processes have announced, and what is kept; nothing is announced meanwhile.
 * Leases of the dead are removed.
 */
export async function withLeased<T>(options: WithLeasedOptions, use: (leased: Leased) => Promise<T> | T): Promise<T> {
  const { ignoreKept = false, dropKept = false } = options
  return withLeases(options, async () => {
    const all = { images: new Set<Sha256>(), maps: new Set<Sha256>(), archives: new Set<Sha256>() }
    for (const name of readdirSync(options.folder)) {
      const isKept = /^kept-[0-9a-f]{64}\.json$/.test(name)
      if (!isKept && !/^\d+-\d+-\d+\.json$/.test(name)) continue
      if (isKept && dropKept) rmSync(join(options.folder, name), { force: true })
      if (isKept && ignoreKept) continue
      const lease = readLease(join(options.folder, name), isKept)
      if (lease === undefined) rmSync(join(options.folder, name), { force: true })
      for (const kind of KINDS) for (const digest of lease?.[kind] ?? []) all[kind].add(digest)
    }
    return use(all)
  })
}

function keptPath(folder: string, archive: Sha256): string {
  return join(folder, `kept-${archive}.json`)
}

const KINDS = ['images', 'maps', 'archives'] as const

async function withLeases<T>({ folder, ...options }: LeaseOptions, use: () => Promise<T> | T): Promise<T> {
  return withLock({ ...options, path: join(folder, 'leases.lock'), timeoutMs: Infinity }, async () => use())
}

function formatLease({ images, maps, archives }: Leased): string {
  return JSON.stringify({ holder: readOwnIdentity(), images: [...images], maps: [...maps], archives: [...archives] })
}

/** `undefined` where its holder is gone, or where it is no lease: it was then not written to its end. */
function readLease(
  path: string,
  isKept: boolean,
): Readonly<Record<(typeof KINDS)[number], readonly Sha256[]>> | undefined {
  try {
    const found = JSON.parse(readFileSync(path, 'utf8')) as Partial<Record<string, unknown>>
    const digests = (kind: string): readonly Sha256[] => {
      const list = found[kind]
      return Array.isArray(list) ? list.filter((one): one is Sha256 => typeof one === 'string' && isSha256(one)) : []
    }
    if (!isKept && !isAlive(found['holder'] as ProcessIdentity)) return undefined
    return { images: digests('images'), maps: digests('maps'), archives: digests('archives') }
  } catch {
    return undefined
  }
}
