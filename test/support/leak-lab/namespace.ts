/**
 * The namespaces of a leak lab: user, network, mount, PID, UTS and IPC, made by the test and gone with it. Process 1 in
 * them is `server.py`, which ends with its standard input, so a killed test leaves nothing but a temporary folder.
 *
 * Root inside is no user of the host's own: as root the lab is mapped to a range of foreign ids, so that no script that
 * runs in it can write a setting of the real kernel (those of a network namespace excepted, which are the lab's).
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdtemp, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const FOREIGN = 100_000
const SERVER = join(import.meta.dirname, 'server.py')

export interface Namespace {
  /** A folder that both sides see; for captures. */
  readonly dir: string
  /** One operation of `server.py`; throws what it complains of. */
  request<T = Record<string, unknown>>(op: string, parameters?: Readonly<Record<string, unknown>>): Promise<T>
  /** Runs a program in the network namespace `ns` to its end and returns its output; throws when it fails. */
  run(ns: string, ...argv: readonly string[]): Promise<string>
  stop(): Promise<void>
}

const isRoot = process.getuid?.() === 0
const USER = ['--user', ...(isRoot ? [] : ['--map-root-user', '--map-auto'])]

/** A reason to skip tests that need a lab, or `false`. */
export function labMissing(): string | false {
  if (!existsSync('/usr/bin/python3')) return 'There is no /usr/bin/python3'
  const { status, stderr } = spawnSync(
    'unshare',
    [...USER, '--net', ...(isRoot ? ['true'] : ['ip', 'link', 'set', 'lo', 'up'])],
    { encoding: 'utf8' },
  )
  return status === 0 ? false : `This user may make no user namespace with a range of ids: ${stderr?.trim()}`
}

export async function startNamespace(): Promise<Namespace> {
  const dir = await mkdtemp(join(tmpdir(), 'vmpkg-leak-'))
  const holder = spawn('unshare', [...USER, 'cat'], {
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  let server: ChildProcess | undefined
  try {
    await untilOwnUserNamespace(holder)
    if (isRoot) {
      for (const map of ['uid_map', 'gid_map']) await writeFile(`/proc/${holder.pid}/${map}`, `0 ${FOREIGN} 65536`)
      await chown(dir, FOREIGN, FOREIGN)
    }
    await chmod(dir, 0o755)
    const inside = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--uts', '--ipc', '--mount-proc']
    server = spawn(
      'nsenter',
      [
        `--user=/proc/${holder.pid}/ns/user`,
        '--setuid=0',
        '--setgid=0',
        'unshare',
        ...inside,
        '/usr/bin/python3',
        '-I',
        '-c',
        await readFile(SERVER, 'utf8'),
      ],
      { stdio: ['pipe', 'pipe', 'inherit'], cwd: '/' },
    )
    const request = talkTo(server)
    const namespace: Namespace = {
      dir,
      request,
      async run(ns, ...argv) {
        const { status, stdout, stderr } = await request<{ status: number; stdout: string; stderr: string }>('run', {
          ns,
          argv,
        })
        if (status !== 0) throw new Error(`${argv.join(' ')} in ${ns}: ${stderr.trim() || stdout.trim()}`)
        return stdout
      },
      async stop() {
        await ended(server)
        await ended(holder)
        await rm(dir, { recursive: true, force: true })
      },
    }
    await namespace.run('host', 'mount', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', '/run')
    return namespace
  } catch (error) {
    await ended(server)
    await ended(holder)
    await rm(dir, { recursive: true, force: true })
    throw error
  }
}

/** Until `unshare` has left the namespace that it was started in. */
async function untilOwnUserNamespace(child: ChildProcess): Promise<void> {
  const own = await readlink('/proc/self/ns/user')
  for (let tries = 0; tries < 500; tries++) {
    const theirs = await readlink(`/proc/${child.pid}/ns/user`).catch(() => own)
    const map = await readFile(`/proc/${child.pid}/uid_map`, 'utf8').catch(() => '')
    if (theirs !== own && (isRoot || map.trim().split('\n').length > 1)) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('unshare makes no user namespace here')
}

export function talkTo(server: ChildProcess): Namespace['request'] {
  const { stdin, stdout } = server
  if (stdin === null || stdout === null) throw new Error('no pipes')
  const waiting: { readonly resolve: (line: string) => void; readonly reject: (error: Error) => void }[] = []
  createInterface(stdout).on('line', (line) => waiting.shift()?.resolve(line))
  server.once('close', (code) => {
    for (const { reject } of waiting.splice(0)) reject(new Error(`The lab's first process ended with ${code}`))
  })
  stdin.on('error', () => {}) // its end is told by `close`
  return async <T>(op: string, parameters: Readonly<Record<string, unknown>> = {}): Promise<T> => {
    const line = await new Promise<string>((resolve, reject) => {
      if (server.exitCode !== null) reject(new Error('The lab has ended'))
      waiting.push({ resolve, reject })
      stdin.write(`${JSON.stringify({ op, ...parameters })}\n`)
    })
    const answer = JSON.parse(line) as { error?: string } & T
    if (answer.error !== undefined) throw new Error(`${op}: ${answer.error}`)
    return answer
  }
}

async function ended(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('close', resolve))
  child.stdin?.end()
  const late = setTimeout(() => child.kill('SIGKILL'), 3000)
  await gone
  clearTimeout(late)
}
