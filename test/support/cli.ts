/** The command line as a process, on a root and a private host of its own that vanish with the test. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const BIN = join(import.meta.dirname, '..', '..', 'src', 'bin.ts')

export interface CliResult {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** Differences from an ordinary run. */
export interface CliWay {
  /** Words before the command, such as `unshare --mount --`. */
  readonly prefix?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export interface RunningCli {
  /** Calls back with each line of standard error as it comes. */
  onLine(listener: (line: string) => void): void
  /** Resolves once standard output has this. */
  said(pattern: RegExp): Promise<void>
  /** Writes to standard input and ends it; for a command that was started without input. */
  type(text: string): void
  readonly done: Promise<CliResult>
  kill(signal: NodeJS.Signals): void
}

export interface Cli {
  /** Temporary folder; the root is `root/` in it. */
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
  /** Words before every command. */
  readonly prefix: readonly string[]
  run(args: readonly string[], input?: string, way?: CliWay): Promise<CliResult>
  /** Without `input` standard input stays open until `type`. */
  start(args: readonly string[], input?: string, way?: CliWay): RunningCli
  /** Runs and parses the JSON result; fails with the command's own words when the status is not 0. */
  json(args: readonly string[]): Promise<Record<string, unknown>>
  /** Runs; fails with the command's own words when the status is not 0. */
  ok(args: readonly string[], input?: string): Promise<string>
  /** Stops the private host `NAME` and removes every file. */
  close(): Promise<void>
}

/**
 * @param connect value of VMPKG_CONNECT, `private:e2e` by default.
 * @param root where its state is, if not in its temporary folder; not removed with it
 * @param prefix words before every command, such as those that make it another user's
 */
export async function makeCli(connect = 'private:e2e', root?: string, prefix: readonly string[] = []): Promise<Cli> {
  const folder = await mkdtemp(join(tmpdir(), 'vmpkg-'))
  const env = {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin:/usr/sbin:/sbin',
    HOME: folder,
    LANG: 'C.UTF-8',
    VMPKG_ROOT: root ?? join(folder, 'root'),
    VMPKG_CONNECT: connect,
    VMPKG_SUPERVISOR: 'off', // tests say when somebody watches
  }
  const start: Cli['start'] = (args, input, way = {}) => {
    const [program = '', ...words] = [...prefix, ...(way.prefix ?? []), process.execPath, BIN, ...args]
    const child = spawn(program, words, { env: { ...env, ...way.env }, stdio: ['pipe', 'pipe', 'pipe'] })
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
    child.stdin.on('error', () => {}) // it may end before it has read everything
    if (input !== undefined) child.stdin.end(input)
    const { promise, resolve, reject } = Promise.withResolvers<CliResult>()
    child.once('error', reject)
    child.once('close', (status, signal) =>
      resolve({
        status: status ?? (signal === null ? -1 : 128),
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      }),
    )
    const onLine: RunningCli['onLine'] = (listener) => void createInterface(child.stderr).on('line', listener)
    const said: RunningCli['said'] = async (pattern) => {
      while (!pattern.test(Buffer.concat(stdout).toString()) && child.exitCode === null) {
        await new Promise((wake) => setTimeout(wake, 20))
      }
    }
    return {
      onLine,
      said,
      type: (text) => void child.stdin.end(text),
      done: promise,
      kill: (signal) => void child.kill(signal),
    }
  }
  const run: Cli['run'] = (args, input = '', way = {}) => start(args, input, way).done
  const ok: Cli['ok'] = async (args, input) => {
    const { status, stdout, stderr } = await run(args, input)
    if (status !== 0) throw new Error(`vmpkg ${args.join(' ')} exited ${status}\n${stdout}${stderr}`)
    return stdout
  }
  return {
    folder,
    env,
    prefix,
    run,
    start,
    ok,
    json: async (args) => JSON.parse(await ok([...args, '--json'])) as Record<string, unknown>,
    close: async () => {
      const [kind, name = 'default'] = connect.split(':')
      if (kind === 'private') await run(['host', 'private', 'stop', name, '--purge'])
      // A process that was killed may have others that still write.
      await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
    },
  }
}
