/**
 * A guest agent for machines that have no guest: a process on this machine, in namespaces of its own. What it starts ends
 * with it, and its /run is nobody else's.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'

/** The variable that names its socket to `told-guest.ts`. */
export const AGENT_VARIABLE = 'VMPKG_TEST_AGENT'

const SERVER = join(import.meta.dirname, 'agent-server.ts')
const GUEST = join(import.meta.dirname, 'told-guest.ts')

/** What a command needs in its environment so that guests answer it. */
export const TOLD_GUEST = { NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --import=${GUEST}`.trim() }

export interface GuestAgentProcess extends AsyncDisposable {
  readonly socket: string
}

/** @param socket a path outside of /run */
export async function startGuestAgent(socket: string): Promise<GuestAgentProcess> {
  const namespaces = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
  const rights = process.getuid?.() === 0 ? [] : ['--map-root-user']
  const script = 'mount -t tmpfs tmpfs /run && exec "$@"'
  const words = [...namespaces, ...rights, 'sh', '-c', script, 'sh', process.execPath, SERVER, socket]
  const child = spawn('unshare', words, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'close')
  const isThere = await Promise.race([once(child.stdout, 'data').then(() => true), ended.then(() => false)])
  if (!isThere) throw new Error('the agent does not start')
  return {
    socket,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
      await rm(socket, { force: true })
    },
  }
}
