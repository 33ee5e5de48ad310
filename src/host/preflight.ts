/**
 * What must hold before anything is downloaded: a libvirt that answers, disk space. Each refusal names what is missing and
 * the next step.
 *
 * Source: proc_meminfo(5), libvirt's socket at /run/libvirt/libvirt-sock (virtqemud-sock where daemons are modular).
 */
import { accessSync, constants } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { systemErrorCode, VmpkgError } from '../errors.ts'

/** The system libvirt's sockets, in the order in which libvirt's own client tries them. */
const SYSTEM_SOCKETS = ['/run/libvirt/virtqemud-sock', '/run/libvirt/libvirt-sock'] as const

export type SocketState = 'serving' | 'silent' | 'closed' | 'absent'

/** Looks at the file's rights first: a socket that may not be opened is another problem than one nobody serves. */
export async function inspectSocket(path: string, timeoutMs = 5_000): Promise<SocketState> {
  const code = accessFailure(path)
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'absent'
  if (code !== undefined) return 'closed'
  const { isDaemonReady } = await import('./daemon-ready.ts')
  return (await isDaemonReady(path, timeoutMs)) ? 'serving' : 'silent'
}

/** Synchronous: no thread pool is started for the commonest case, that no system libvirt runs. */
function accessFailure(path: string): string | undefined {
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
    return undefined
  } catch (error) {
    return systemErrorCode(error) ?? 'EACCES'
  }
}

/** True when this user may use the system's libvirt without a password; `canUseSystem` of `chooseConnection`. */
export async function canUseSystemLibvirt(sockets: readonly string[] = SYSTEM_SOCKETS): Promise<boolean> {
  for (const path of sockets) {
    if ((await inspectSocket(path)) === 'serving') return true
  }
  return false
}

/** The socket that serves. @throws {VmpkgError} `LIBVIRT_UNREACHABLE` with the way to reach it */
export async function getSystemSocket(sockets: readonly string[] = SYSTEM_SOCKETS): Promise<string> {
  const states: SocketState[] = []
  for (const path of sockets) {
    const state = await inspectSocket(path)
    if (state === 'serving') return path
    states.push(state)
  }
  throw new VmpkgError('LIBVIRT_UNREACHABLE', `The system's libvirt cannot be used: ${explain(states)}`, {
    hint: advise(states),
    details: { sockets: Object.fromEntries(sockets.map((path, index) => [path, states[index] ?? 'absent'])) },
  })
}

function explain(states: readonly SocketState[]): string {
  if (states.includes('closed')) return 'its socket is closed to you'
  if (states.includes('silent')) return 'its socket does not answer'
  return 'it does not run'
}

function advise(states: readonly SocketState[]): string {
  const instead = 'or use a host of your own: --connect private'
  if (states.includes('closed')) return `Run: sudo usermod -aG libvirt "$USER", log in again, ${instead}.`
  if (states.includes('silent')) return `Run: sudo systemctl restart libvirtd, ${instead}.`
  return `Run: sudo apt-get install libvirt-daemon-system && sudo systemctl start libvirtd, ${instead}.`
}

/** Free memory in KiB as the kernel estimates it; `undefined` when the text is not /proc/meminfo. */
export function parseAvailableMemoryKib(meminfo: string): number | undefined {
  const value = /^MemAvailable:\s+(\d+) kB$/m.exec(meminfo)?.[1]
  return value === undefined ? undefined : Number(value)
}

/**
 * Checks the file system that holds `folder`, or the nearest folder above it that exists.
 * @throws {VmpkgError} `NO_SPACE`
 */
export async function checkSpace(folder: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfsOfNearest(folder)
  const availableBytes = bavail * bsize
  if (neededBytes <= availableBytes) return
  const needed = Math.ceil(neededBytes / 1_048_576)
  const available = Math.floor(availableBytes / 1_048_576)
  throw new VmpkgError('NO_SPACE', `Not enough space in ${folder}: ${needed} MiB needed, ${available} MiB available`, {
    hint: 'Free some space there (vmpkg gc removes what nobody uses), or choose another place with --root.',
    details: { folder, neededBytes, availableBytes },
  })
}

/** Of the file system that holds `folder`, or will. */
export async function statfsOfNearest(folder: string): Promise<{ readonly bavail: number; readonly bsize: number }> {
  try {
    return await statfs(folder)
  } catch (error) {
    if (dirname(folder) === folder) throw error
    return statfsOfNearest(dirname(folder))
  }
}
