/** Reaches the daemon over the transport of its target. What only some transports need is loaded when it is needed. */
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import type { Duplex } from 'node:stream'
import type { Surroundings } from './daemon-sockets.ts'
import { refuse } from './error.ts'
import type { CallOptions } from './rpc.ts'
import { dialUnix } from './transport-unix.ts'
import type { Target } from './uri.ts'

/** The surroundings of this process. */
export function surroundings(): Surroundings {
  return { env: process.env, uid: process.geteuid?.() ?? 0, home: homedir(), exists: existsSync, read: readText }
}

/**
 * A connection to the daemon. For ssh and its like it is only begun: what becomes of it is seen on the stream.
 * @throws {ConnectionClosed} when nothing answers
 * @throws {LibvirtError} `authFailed` for certificates, `operationTimeout`, `noServer`, `systemError` for files that
 * cannot be read
 */
export async function dial(target: Target, around: Surroundings, limits: CallOptions): Promise<Duplex> {
  limits.signal?.throwIfAborted()
  switch (target.transport) {
    case 'unix':
      return dialUnix(target, around, limits.signal)
    case 'tcp': {
      const { dialTcp } = await import('./transport-tcp.ts')
      return dialTcp(target, limits)
    }
    case 'tls': {
      const { dialTls } = await import('./transport-tls.ts')
      return dialTls(target, around, limits)
    }
    case 'ssh': {
      const [{ runCommand }, { sshCommand }] = await Promise.all([
        import('./transport-command.ts'),
        import('./transport-ssh.ts'),
      ])
      return runCommand(sshCommand(target, around.env))
    }
    case 'ext': {
      const { runCommand } = await import('./transport-command.ts')
      const { command } = target
      return runCommand({ program: command, args: [], env: around.env, label: command, hint: () => undefined })
    }
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw refuse('systemError', `cannot read ${path}: ${message}`, { cause: error })
  }
}
