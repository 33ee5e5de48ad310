/**
 * Starts a whole system libvirtd of one's own inside user, network, mount, process, host name and IPC namespaces.
 * Works as root and as an ordinary user; changes nothing on the outer machine but its two folders.
 *
 * The daemon outlives the command that started it: it has its own session and no terminal.
 * Source: private-host.md, unshare(1). Test oracles: virsh, /proc, ip.
 */
import { readFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { VmpkgError } from '../errors.ts'
import type { Emit } from '../events.ts'
import type { Processes } from '../ports.ts'
import { isDaemonReady } from './daemon-ready.ts'
import { formatLibvirtdConf, QEMU_CONF } from './private-host-config.ts'
import { makePrivateFolder } from './private-host-folder.ts'
import {
  findPrivateHost,
  type PrivateHost,
  type PrivateHostFolders,
  type PrivateHostRecord,
  privateHostFolders,
  type Uplink,
} from './private-host-record.ts'
import { FIRST, KEEP, LAUNCH, LOCKED } from './private-host-scripts.ts'
import { killPrivateHost } from './private-host-stop.ts'
import { checkPrivateHostSupport } from './private-host-support.ts'
import { isProcessAlive, readBootId } from './process-identity.ts'
import { SYSTEM_PATH } from './tools.ts'

const POLL_MS = 20
const RECORD_GRACE_MS = 5_000 // what a busy machine may need to make the namespaces

/** How to run `vmpkg supervise` for the host: it begins and ends with it, and is started again when it fails. */
export interface Supervisor {
  /** Interpreter and program. */
  readonly program: readonly [string, string]
  /** What `--connect` takes. */
  readonly connection: string
  readonly env: Readonly<Record<string, string>>
}

export interface StartOptions extends PrivateHostFolders {
  readonly name: string
  readonly uplink: Uplink
  /** Offer /dev/kvm to guests: only after a probe found that KVM runs guests here. Default false. */
  readonly kvm?: boolean
  /** A supervisor for it; none where it is absent. */
  readonly supervisor?: Supervisor | undefined
  /** Milliseconds until the daemon must answer; default 30 000. */
  readonly timeoutMs?: number
  readonly processes: Processes
  readonly emit: Emit
  readonly signal?: AbortSignal
}

/**
 * Starts the host and waits until its daemon answers; returns the one of this name that lives already, whatever its
 * uplink. A start that fails or is aborted leaves no process.
 * @throws {VmpkgError} `PRIVATE_HOST_FAILED`, `TOOL_MISSING`, `NAME_INVALID`, `ABORTED`
 */
export async function startPrivateHost(options: StartOptions): Promise<PrivateHost> {
  const own = privateHostFolders(options.name, options)
  const deadline = Date.now() + (options.timeoutMs ?? 30_000)
  const living = await findPrivateHost(options.name, options)
  if (living !== undefined) {
    if (living.uplink !== options.uplink) {
      const message = `The private host ${living.name} runs already, with uplink ${living.uplink}; stop it to change that`
      options.emit({ type: 'noted', message })
    }
    return waitUntilReady(living, options, deadline)
  }

  options.emit({ type: 'stage-started', stage: 'host', subject: `private host ${options.name}` })
  const { host: started, launched } = await launchOrFind(own, options, deadline)
  try {
    const host = await waitUntilReady(started, options, deadline)
    options.emit({ type: 'stage-finished', stage: 'host', subject: `private host ${options.name}` })
    return host
  } catch (error) {
    if (launched) await killPrivateHost(started, options.processes)
    throw error
  }
}

/**
 * The host once it is ready, for who found it living and must not start another in its place.
 * @throws {VmpkgError} `PRIVATE_HOST_FAILED` when it ends or does not answer in time; `ABORTED`
 */
export async function waitForPrivateHost(
  host: PrivateHost,
  options: Pick<StartOptions, 'runtimeDir' | 'timeoutMs' | 'signal'>,
): Promise<PrivateHost> {
  return waitUntilReady(host, options, Date.now() + (options.timeoutMs ?? 30_000))
}

/** Another caller may be starting this very host, or its predecessor be ending: both hold the locks for a moment. */
async function launchOrFind(
  own: PrivateHostFolders,
  options: StartOptions,
  deadline: number,
): Promise<{ host: PrivateHost; launched: boolean }> {
  const { uid } = userInfo()
  const rootless = uid !== 0
  const libvirtdConf = formatLibvirtdConf(own.runtimeDir)
  await checkPrivateHostSupport({ processes: options.processes, rootless, uplink: options.uplink })
  await makePrivateFolder(own.durableDir, uid)
  await makePrivateFolder(own.runtimeDir, uid)
  const record: PrivateHostRecord = {
    bootId: await readBootId(),
    durableFolder: own.durableDir,
    uplink: options.uplink,
    rootless,
  }
  const { program: [node, bin] = ['', ''], connection = '', env = {} } = options.supervisor ?? {}
  const environment = {
    ...env,
    VMPKG_NODE: node,
    VMPKG_BIN: bin,
    VMPKG_SUPERVISED: connection,
    PATH: SYSTEM_PATH,
    LANG: 'C',
    VMPKG_RUN: own.runtimeDir,
    VMPKG_KEEP: own.durableDir,
    VMPKG_RECORD: JSON.stringify(record),
    VMPKG_LIBVIRTD_CONF: libvirtdConf,
    VMPKG_QEMU_CONF: QEMU_CONF,
    VMPKG_UPLINK: options.uplink,
    VMPKG_KVM: options.kvm === true ? '1' : '0',
    VMPKG_ROOTLESS: rootless ? '1' : '0',
    VMPKG_SCRIPT_KEEP: KEEP,
    VMPKG_SCRIPT_FIRST: FIRST,
  }
  for (;;) {
    if (await launch(environment, options)) {
      return { host: await waitForRecord(own, options, deadline), launched: true }
    }
    const host = await findPrivateHost(options.name, options)
    if (host !== undefined) return { host, launched: false }
    if (Date.now() > deadline) {
      throw new VmpkgError('PRIVATE_HOST_FAILED', `The private host ${options.name} runs, but its sockets are gone`, {
        hint: 'A log-out removes them (loginctl enable-linger prevents that): kill its tini process, then start it again.',
      })
    }
    await pause(options.signal)
  }
}

/** False when the locks are held. Not interruptible, so that what it launched is always known. */
async function launch(env: Readonly<Record<string, string>>, options: StartOptions): Promise<boolean> {
  const script = ['-c', LAUNCH, 'vmpkg-private-host-launch']
  const { exitCode, stderr } = await options.processes.run('sh', script, { cwd: '/', env })
  if (exitCode === 0) return true
  if (exitCode === LOCKED) return false
  throw new VmpkgError('PRIVATE_HOST_FAILED', `Cannot launch the private host ${options.name}: ${tail(stderr)}`, {
    hint: `Check that you can write to ${env['VMPKG_RUN']} and ${env['VMPKG_KEEP']}, then start it again.`,
  })
}

/** From launch to record takes milliseconds, so an interruption waits for it and is heeded right after. */
async function waitForRecord(own: PrivateHostFolders, options: StartOptions, deadline: number): Promise<PrivateHost> {
  for (;;) {
    const host = await findPrivateHost(options.name, options)
    if (host !== undefined) return host
    const ended = await readFile(join(own.runtimeDir, 'ended'), 'utf8').catch(() => undefined)
    if (ended !== undefined) throw await startFailure(options.name, own.durableDir, 'ended while it started')
    if (Date.now() > deadline + RECORD_GRACE_MS) {
      throw await startFailure(options.name, own.durableDir, 'did not appear in time')
    }
    await sleep(POLL_MS)
  }
}

async function waitUntilReady(
  host: PrivateHost,
  options: Pick<StartOptions, 'runtimeDir' | 'signal'>,
  deadline: number,
): Promise<PrivateHost> {
  const { name, durableFolder } = host
  for (;;) {
    const leftMs = deadline - Date.now()
    if ((await isUplinkReady(host)) && (await isDaemonReady(host.socket, Math.min(Math.max(leftMs, 1), 5_000)))) {
      return (await findPrivateHost(name, options)) ?? host // read again: /dev/kvm inside is decided by now
    }
    if (!(await isProcessAlive(host))) throw await startFailure(name, durableFolder, 'ended while it started')
    if (leftMs <= 0) throw await startFailure(name, durableFolder, 'did not answer in time')
    await pause(options.signal)
  }
}

/** slirp4netns writes its ready file once the namespace has an address and a route. */
async function isUplinkReady(host: PrivateHost): Promise<boolean> {
  if (host.uplink === 'none') return true
  return (await readFile(join(host.runtimeFolder, 'uplink'), 'utf8').catch(() => '')) !== ''
}

async function pause(signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted === true) throw new VmpkgError('ABORTED', 'Starting the private host was interrupted')
  await sleep(POLL_MS)
}

async function startFailure(name: string, durableFolder: string, what: string): Promise<VmpkgError> {
  const path = join(durableFolder, 'host.log')
  const log = await readFile(path, 'utf8').catch(() => '')
  return new VmpkgError('PRIVATE_HOST_FAILED', `The private host ${name} ${what}: ${tail(log)}`, {
    hint: `Read ${path}; its last lines name the step that failed.`,
    details: { log: log.slice(-4_000) },
  })
}

/** The last line of a program's complaint, fit for a message. */
function tail(text: string): string {
  const line = text.trimEnd().split('\n').at(-1) ?? ''
  return JSON.stringify(line.slice(-300))
}
