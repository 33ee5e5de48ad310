/**
 * Preloaded (`node --import`) into a command, worker threads included: counts every operation that changes files below
 * the named folders, SQLite databases there, or libvirt by its socket, and lets one of them go wrong. The functions are
 * patched in place before any module of vmpkg is loaded, so named imports see the patches.
 *
 * What SQLite does inside one statement is SQLite's to get right: databases are hit between statements (decisions 30).
 */
import fs from 'node:fs'
import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import { join, resolve } from 'node:path'
import sqlite from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads'
import { FAULT_VARIABLE, type FaultPlan } from './fault.ts'
import { PowerLoss } from './power-loss.ts'

type Call = (this: unknown, ...args: never[]) => unknown
type Args = readonly unknown[]
type Members = Record<string, Call>

/** For other preloads: something else that a fault may hit. */
export const counting = { around: async <T>(_kind: string, call: () => Promise<T>): Promise<T> => call() }

const text = process.env[FAULT_VARIABLE]
if (text !== undefined) await install(JSON.parse(text) as FaultPlan)

async function install(plan: FaultPlan): Promise<void> {
  const { at, way } = plan
  const real = { appendFileSync: fs.appendFileSync, readlinkSync: fs.readlinkSync, kill: process.kill.bind(process) }
  const power = way === 'power' ? new PowerLoss(plan.stash) : undefined
  const counter = sharedCounter()
  const folders = plan.folders.map((folder) => `${folder}/`)

  const isOurs = (path: string): boolean => folders.some((folder) => path.startsWith(folder))
  const die = (): never => {
    real.kill(process.pid, 'SIGKILL')
    for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0) // until the signal is there
  }
  /** True when the fault is due at this operation. */
  const count = (kind: string, path: string): boolean => {
    const number = Atomics.add(counter, 0, 1) + 1
    real.appendFileSync(plan.trace, `${JSON.stringify({ number, kind, path })}\n`)
    return number === at
  }
  const failure = (kind: string, path: string): Error => {
    const [errno, words] = ERRORS[way] ?? [0, '']
    return Object.assign(new Error(`${way}: ${words}, ${kind} '${path}'`), { code: way, errno, syscall: kind, path })
  }

  /** Decides what to do, does it, and remembers what is not durable yet. */
  function around(kind: string, path: string, self: unknown, args: Args, call: Call, tear?: () => void): unknown {
    const isDue = count(kind, path)
    if (isDue && way === 'before') die()
    if (isDue && way === 'torn') {
      tear?.()
      die()
    }
    if (isDue && ERRORS[way] !== undefined) throw failure(kind, path)
    const named = args.map((arg) => (typeof arg === 'string' ? throughDescriptor(arg) : arg))
    const note = power?.prepare(kind, path, named)
    const end = (): void => {
      if (isDue && way === 'power') power?.strike()
      if (isDue) die()
    }
    const finish = <T>(result: T): T => {
      note?.()
      end()
      return result
    }
    // One that fails by itself is over as well.
    const fail = (error: unknown): never => {
      end()
      throw error
    }
    try {
      const result: unknown = Reflect.apply(call, self, args)
      return result instanceof Promise ? result.then(finish, fail) : finish(result)
    } catch (error) {
      return fail(error)
    }
  }

  counting.around = async (kind, call) => around(kind, '', undefined, [], call) as ReturnType<typeof call>

  function pathOf(value: unknown): string {
    if (typeof value === 'number') return ofDescriptor(value)
    if (typeof value === 'object' && value !== null && 'fd' in value) return ofDescriptor(Number(value.fd))
    return value instanceof URL ? fileURLToPath(value) : resolve(throughDescriptor(String(value)))
  }
  /** A name in a folder that is held open. */
  function throughDescriptor(path: string): string {
    const [, fd, rest = ''] = /^\/proc\/self\/fd\/(\d+)(\/.*)?$/.exec(path) ?? []
    return fd === undefined ? path : ofDescriptor(Number(fd)) + rest
  }
  function ofDescriptor(fd: number): string {
    try {
      return real.readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return ''
    }
  }

  /** The path that an operation changes is its argument `index`. */
  function patchPath(target: Members, name: string, index: number, kind = name.replace(/Sync$/, '')): void {
    const call = target[name]
    if (call === undefined) return
    target[name] = function patched(this: unknown, ...args: never[]) {
      const path = pathOf(args[index])
      if (!isOurs(path) || (kind === 'mkdir' && fs.existsSync(path))) return Reflect.apply(call, this, args)
      return around(kind, path, this, args, call, TEARS[kind]?.(path, args))
    }
  }

  /** Opening counts where it makes or empties a file. */
  function patchOpen(target: Members, name: string): void {
    const call = target[name]
    if (call === undefined) return
    target[name] = function patched(this: unknown, ...args: never[]) {
      const path = pathOf(args[0])
      if (!isOurs(path) || !isMaking(args[1])) return Reflect.apply(call, this, args)
      return around('open', path, this, args, call)
    }
  }

  function patchCallback(target: Members, name: string): void {
    const call = target[name]
    if (call === undefined) return
    target[name] = function patched(this: unknown, ...args: never[]) {
      const path = pathOf(args[0])
      if (!isOurs(path)) return Reflect.apply(call, this, args)
      const isDue = count(name, path)
      if (isDue && (way === 'before' || way === 'torn')) die()
      const done = args.at(-1) as unknown as (error: Error | null, ...rest: unknown[]) => void
      if (isDue && ERRORS[way] !== undefined) {
        setImmediate(() => done(failure(name, path)))
        return undefined
      }
      const note = power?.prepare(name, path, args)
      const wrapped = (...results: [Error | null, ...unknown[]]): void => {
        note?.()
        if (isDue && way === 'power') power?.strike()
        if (isDue) die()
        done(...results)
      }
      return Reflect.apply(call, this, [...args.slice(0, -1), wrapped])
    }
  }

  const library = fs as unknown as Members
  const async = promises as unknown as Members
  // The first argument is what changes, except where something gets a second name.
  for (const [names, index] of [
    [['writeFile', 'appendFile', 'unlink', 'rm', 'rmdir', 'mkdir', 'mkdtemp', 'truncate', 'chmod', 'utimes'], 0],
    [['rename', 'link', 'symlink', 'copyFile', 'cp'], 1],
  ] as const) {
    for (const name of names) {
      patchPath(library, `${name}Sync`, index)
      patchPath(async, name, index)
    }
  }
  for (const name of ['writeSync', 'writevSync', 'ftruncateSync', 'fchmodSync', 'fsyncSync', 'fdatasyncSync']) {
    patchPath(library, name, 0)
  }
  patchOpen(library, 'openSync')
  patchOpen(async, 'open')
  for (const name of ['write', 'writev', 'fsync', 'ftruncate', 'unlink']) patchCallback(library, name)

  const handle = await promises.open('/dev/null', 'r')
  const prototype = Object.getPrototypeOf(handle) as Members
  await handle.close()
  for (const name of [
    'write',
    'writev',
    'writeFile',
    'appendFile',
    'sync',
    'datasync',
    'truncate',
    'chmod',
    'utimes',
  ]) {
    const call = prototype[name]
    if (call === undefined) continue
    prototype[name] = function patched(this: unknown, ...args: never[]) {
      const path = pathOf(this)
      if (!isOurs(path)) return Reflect.apply(call, this, args)
      const kind = `FileHandle.${name}`
      return around(kind, path, this, args, call, TEARS[kind]?.((this as { fd: number }).fd, args))
    }
  }

  patchSqlite()
  patchLibvirt()
  syncBuiltinESMExports()

  function patchSqlite(): void {
    const database = sqlite.DatabaseSync.prototype as unknown as Members & { location: () => string | null }
    const statement = sqlite.StatementSync.prototype as unknown as Members
    const owners = new WeakMap<object, string>()
    const { exec, prepare } = database
    const { run } = statement
    if (exec === undefined || prepare === undefined || run === undefined) throw new Error('another node:sqlite')
    database['exec'] = function patched(this: unknown, ...args: never[]) {
      const path = (this as typeof database).location() ?? ''
      if (!isOurs(path)) return Reflect.apply(exec, this, args)
      return sql(String(args[0]), path, this, args, exec)
    }
    database['prepare'] = function patched(this: unknown, ...args: never[]) {
      const prepared = Reflect.apply(prepare, this, args) as object
      owners.set(prepared, (this as typeof database).location() ?? '')
      return prepared
    }
    statement['run'] = function patched(this: unknown, ...args: never[]) {
      const path = owners.get(this as object) ?? ''
      if (!isOurs(path)) return Reflect.apply(run, this, args)
      return sql((this as { sourceSQL: string }).sourceSQL, path, this, args, run)
    }
  }

  function sql(source: string, path: string, self: unknown, args: Args, call: Call): unknown {
    const kind = `sql ${source.trim().split(/\s+/).slice(0, 3).join(' ')}`
    const isDue = count(kind, path)
    if (isDue && (way === 'before' || way === 'torn')) die()
    if (isDue && ERRORS[way] !== undefined) {
      const errcode = way === 'ENOSPC' ? 13 : way === 'EACCES' ? 8 : 10
      throw Object.assign(new Error('injected'), { code: 'ERR_SQLITE_ERROR', errcode, errstr: 'injected' })
    }
    const result: unknown = Reflect.apply(call, self, args)
    if (isDue && way === 'power') power?.strike()
    if (isDue) die()
    return result
  }

  /** A call of libvirt: its number stands in the fourth word of the packet (`virnetprotocol.x`). */
  function patchLibvirt(): void {
    const socket = net.Socket.prototype as unknown as Members
    const { write } = socket
    if (write === undefined) throw new Error('another node:net')
    socket['write'] = function patched(this: unknown, ...args: never[]) {
      const [bytes] = args as Args
      if (!Buffer.isBuffer(bytes) || bytes.length < 28 || bytes.readUInt32BE(4) !== LIBVIRT_PROGRAM) {
        return Reflect.apply(write, this, args)
      }
      const isDue = count(`rpc ${bytes.readUInt32BE(12)}`, 'libvirt')
      if (isDue && (way === 'before' || way === 'torn')) die()
      if (isDue && ERRORS[way] !== undefined) {
        ;(this as net.Socket).destroy(failure('write', 'libvirt'))
        return false
      }
      const result = Reflect.apply(write, this, args)
      if (!isDue) return result
      // The client writes at the end of its turn. The daemon does what it was asked; nobody hears the answer.
      setImmediate(() => {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ANSWER_MS)
        if (way === 'power') power?.strike()
        die()
      })
      return result
    }
  }

  /** Half of an operation. */
  type Tear = (target: string | number, args: Args) => () => void
  const TEARS: Readonly<Record<string, Tear>> = {
    writeFile: (path, args) => () => fs.writeFileSync(path, half(args[1])),
    'FileHandle.writeFile': (fd, args) => () => void fs.writeSync(Number(fd), half(args[0])),
    'FileHandle.write': (fd, args) => () => {
      const [bytes, offset = 0, length, position] = args as [Uint8Array, number?, number?, number?]
      const whole = length ?? bytes.length - offset
      fs.writeSync(Number(fd), bytes, offset, Math.floor(whole / 2), position ?? null)
    },
    write: (fd, args) => () => {
      const [, bytes, offset = 0, length, position] = args as [number, Uint8Array, number?, number?, number?]
      const whole = length ?? bytes.length - offset
      fs.writeSync(Number(fd), bytes, offset, Math.floor(whole / 2), position ?? null)
    },
    copyFile: (path, args) => () => fs.writeFileSync(path, half(fs.readFileSync(String(args[0])))),
    rm: (target) => () => {
      const path = String(target)
      const names = fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? fs.readdirSync(path) : []
      for (const name of names.slice(0, names.length / 2)) fs.rmSync(join(path, name), { recursive: true })
    },
  }
}

/** `remote_protocol.x` */
const LIBVIRT_PROGRAM = 0x20008086
const ANSWER_MS = 400
const ERRORS: Readonly<Partial<Record<string, readonly [number, string]>>> = {
  ENOSPC: [-28, 'no space left on device'],
  EIO: [-5, 'i/o error'],
  EACCES: [-13, 'permission denied'],
}

/** One count for the process and its threads. */
function sharedCounter(): Int32Array {
  const name = 'vmpkg fault counter'
  if (isMainThread) setEnvironmentData(name, new SharedArrayBuffer(4))
  return new Int32Array(getEnvironmentData(name) as unknown as SharedArrayBuffer)
}

function isMaking(flags: unknown): boolean {
  if (typeof flags === 'string') return /[wa]/.test(flags)
  return typeof flags === 'number' && (flags & (fs.constants.O_CREAT | fs.constants.O_TRUNC)) !== 0
}

function half(content: unknown): Uint8Array {
  const bytes = typeof content === 'string' ? Buffer.from(content) : (content as Uint8Array)
  return bytes.subarray(0, Math.floor(bytes.length / 2))
}
