/**
 * Ends a private host. The end of its first process is the end of all: the kernel kills every process of the process
 * namespace, and drops interfaces, firewall rules and mounts with the last of them.
 *
 * Source: pid_namespaces(7). Test oracles: /proc, ip.
 */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { VmpkgError } from '../errors.ts'
import type { Processes } from '../ports.ts'
import { removePrivateFolder } from './private-host-folder.ts'
import {
  findPrivateHost,
  type PrivateHost,
  type PrivateHostFolders,
  privateHostFolders,
} from './private-host-record.ts'
import { isProcessAlive } from './process-identity.ts'
import { SYSTEM_PATH } from './tools.ts'

const KEEPER_TRIES = 500

export interface StopOptions extends PrivateHostFolders {
  readonly name: string
  /** Remove what libvirt kept too: definitions, caches, logs. Default false. */
  readonly removeDurable?: boolean
  readonly processes: Processes
}

/**
 * Ends the host as a power cut ends a machine (shut guests down before) and removes its runtime folder, a stale one
 * too. Returns true when a host was living, once no process of it is left.
 * @throws {VmpkgError} `PRIVATE_HOST_FAILED` when it does not end within 10 s; `NAME_INVALID`
 */
export async function stopPrivateHost(options: StopOptions): Promise<boolean> {
  const own = privateHostFolders(options.name, options)
  const host = await findPrivateHost(options.name, options)
  if (host !== undefined) {
    await killPrivateHost(host, options.processes)
    await waitForKeeper(host)
  }
  const rootless = host?.rootless ?? true
  await removePrivateFolder(own.runtimeDir, rootless, options.processes)
  if (options.removeDurable === true) await removePrivateFolder(own.durableDir, rootless, options.processes)
  return host !== undefined
}

/**
 * Kills the first process and returns when the whole process namespace is gone.
 * @throws {VmpkgError} `PRIVATE_HOST_FAILED` when it does not end within 10 s
 */
export async function killPrivateHost(host: PrivateHost, processes: Processes): Promise<void> {
  if (!(await isProcessAlive(host))) return
  await processes.run('sh', ['-c', 'kill -9 "$1"', 'sh', String(host.pid)], { env: { PATH: SYSTEM_PATH } })
  for (let tries = 0; tries < 500; tries++) {
    if (!(await isProcessAlive(host))) return
    await sleep(20)
  }
  throw new VmpkgError('PRIVATE_HOST_FAILED', `The private host ${host.name} (process ${host.pid}) does not end`, {
    hint: 'A process inside hangs in the kernel: look for state D in the list of ps, then stop it again.',
  })
}

/**
 * The keeper outside writes `ended` last, once the supervisor has ended too, which may be at work in the state that the
 * caller is about to remove. The keeper may have been killed itself, so this does not wait for ever.
 */
async function waitForKeeper(host: PrivateHost): Promise<void> {
  for (let tries = 0; tries < KEEPER_TRIES; tries++) {
    const done = await access(join(host.runtimeFolder, 'ended')).then(
      () => true,
      () => false,
    )
    if (done) return
    await sleep(20)
  }
}
