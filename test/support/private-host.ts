/**
 * One private host for a test suite: real system libvirt semantics, everything in a temporary folder, nothing left.
 *
 * A watchdog outside reads a pipe that only this test process holds open: whatever ends the tests, `kill -9` too, the
 * host and the folder go with them. Networks and traffic stay inside the host's network namespace.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { VmpkgError } from '../../src/errors.ts'
import { emitNothing } from '../../src/events.ts'
import type { PrivateHost, PrivateHostFolders, Uplink } from '../../src/host/private-host-record.ts'
import { privateHostPrefix, runInPrivateHost } from '../../src/host/private-host-run.ts'
import { startPrivateHost } from '../../src/host/private-host-start.ts'
import { stopPrivateHost } from '../../src/host/private-host-stop.ts'
import { checkPrivateHostSupport } from '../../src/host/private-host-support.ts'
import type { RunOptions, RunResult } from '../../src/ports.ts'
import { realProcesses } from './real-processes.ts'

/** A private host that lives no longer than this test process. */
export interface TestHost extends PrivateHostFolders {
  readonly host: PrivateHost
  readonly uri: string
  /** A temporary folder that guests inside can read; removed at the end. */
  readonly dir: string
  /** Runs a command inside to its end. */
  run(argv: readonly [string, ...string[]], options?: RunOptions): Promise<RunResult>
  /** Runs `virsh -c URI` outside, as a user would; throws its complaint when it fails. */
  virsh(...args: readonly string[]): Promise<string>
  /**
   * Starts a long-lived process inside; it ends with the host at the latest. To end it before, let it read its standard
   * input and close that: a signal would reach nsenter only.
   */
  spawn(argv: readonly [string, ...string[]]): ChildProcessWithoutNullStreams
  stop(): Promise<void>
}

/** A reason to skip tests that need a private host, or `false`. Read it once at the head of a test file. */
export async function privateHostMissing(uplink: Uplink = 'none'): Promise<string | false> {
  try {
    await checkPrivateHostSupport({ processes: realProcesses, rootless: userInfo().uid !== 0, uplink })
    return false
  } catch (error) {
    if (error instanceof VmpkgError) return `${error.message}. ${error.hint ?? ''}`
    throw error
  }
}

const WATCHDOG = `
read -r never
set -- "$1" "$2" "$3" $(sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null)
[ "$2" = "\${23:-}" ] && kill -9 "$1"
sleep 1
rm -rf -- "$3" 2>/dev/null || unshare --user --map-root-user --map-auto rm -rf -- "$3"
`

/** Starts a host under the name `test`; end it with `stop()` in `after`. */
export async function startTestHost(options: { readonly uplink?: Uplink } = {}): Promise<TestHost> {
  const dir = await mkdtemp(join(tmpdir(), 'vmpkg-host-'))
  const folders = { durableDir: join(dir, 'd'), runtimeDir: join(dir, 'r') }
  let host: PrivateHost
  try {
    const uplink = options.uplink ?? 'none'
    host = await startPrivateHost({ name: 'test', ...folders, uplink, processes: realProcesses, emit: emitNothing })
  } catch (error) {
    await rm(dir, { recursive: true, force: true })
    throw error
  }
  const watched = [String(host.pid), String(host.startTime), dir]
  const watchdog = spawn('sh', ['-c', WATCHDOG, 'watchdog', ...watched], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  watchdog.unref() // a test file that forgets to stop its host still ends, and the watchdog then stops it
  return {
    host,
    dir,
    ...folders,
    uri: host.uri,
    run: (argv, runOptions) => runInPrivateHost(host, argv, realProcesses, runOptions),
    virsh: (...args) => virsh(host.uri, args),
    spawn(argv) {
      const [program, ...prefix] = privateHostPrefix(host)
      return spawn(program, [...prefix, ...argv], { stdio: 'pipe' })
    },
    async stop() {
      await stopPrivateHost({ name: 'test', ...folders, removeDurable: true, processes: realProcesses })
      await rm(dir, { recursive: true, force: true })
      watchdog.kill('SIGKILL')
    },
  }
}

/** Runs `use` with a host that is gone afterwards, also when `use` fails. */
export async function withPrivateHost<T>(use: (host: TestHost) => Promise<T>): Promise<T> {
  const host = await startTestHost()
  try {
    return await use(host)
  } finally {
    await host.stop()
  }
}

async function virsh(uri: string, args: readonly string[]): Promise<string> {
  const result = await realProcesses.run('virsh', ['-q', '-c', uri, ...args], { timeoutMs: 60_000 })
  if (result.exitCode !== 0) throw new Error(`virsh ${args.join(' ')}: ${result.stderr.trim()}`)
  return result.stdout
}

/** The address that plays a server somewhere in the world; RFC 5737 keeps 198.51.100.0/24 for documentation. */
export const WORLD_ADDRESS = '198.51.100.1'

/** Gives the host's network namespace an interface with `WORLD_ADDRESS`; a bridge, since not every kernel has dummy. */
export async function addWorldInterface(host: TestHost): Promise<void> {
  const commands = [
    ['ip', 'link', 'add', 'world0', 'type', 'bridge'],
    ['ip', 'address', 'add', `${WORLD_ADDRESS}/24`, 'dev', 'world0'],
    ['ip', 'link', 'set', 'world0', 'up'],
  ] as const
  for (const command of commands) {
    const result = await host.run(command)
    if (result.exitCode !== 0) throw new Error(`${command.join(' ')}: ${result.stderr.trim()}`)
  }
}

const HTTP_SERVER = `
const [address, port, body] = process.argv.slice(1)
const answer = (request, response) => {
  console.log(request.socket.remoteAddress)
  response.end(body)
}
require('node:http').createServer(answer).listen(Number(port), address, () => console.log('listening'))
process.stdin.on('end', () => process.exit()).resume()
`

export interface WorldServer {
  /** The source address of every request so far, as the server sees it. */
  readonly clients: readonly string[]
  stop(): Promise<void>
}

/** Serves `body` for every HTTP request, from a process inside the host. Add the world's interface before. */
export async function startWorldServer(
  host: TestHost,
  body: string,
  port = 80,
  address = WORLD_ADDRESS,
): Promise<WorldServer> {
  const child = host.spawn([process.execPath, '-e', HTTP_SERVER, address, String(port), body])
  const clients: string[] = []
  let text = ''
  await new Promise<void>((resolve, reject) => {
    let complaint = ''
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (complaint += chunk))
    child.once('exit', () => reject(new Error(`The HTTP server inside ended: ${complaint}`)))
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      const lines = text.split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) {
        if (line === 'listening') resolve()
        else clients.push(line)
      }
    })
  })
  return {
    clients,
    async stop() {
      if (child.exitCode !== null) return
      const gone = once(child, 'exit')
      child.stdin.end()
      await gone
    },
  }
}
