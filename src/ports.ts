/**
 * The outside world as small interfaces, handed in from the edge. `node/` implements them for real, tests as they need.
 * The file system is not among them: its bugs are in the details, so code uses `node:fs` and tests real folders.
 */
import type { Readable } from 'node:stream'

/** Time. `now()` is UTC. */
export interface Clock {
  now(): Date
}

/** Cryptographically strong random bytes. */
export interface Randomness {
  bytes(count: number): Uint8Array
}

export interface RunOptions {
  readonly cwd?: string
  /** Replaces the environment entirely when given. */
  readonly env?: Readonly<Record<string, string>>
  /** A stream keeps standard input open until it ends. */
  readonly input?: string | Uint8Array | Readable
  /** Standard output as it comes; the result has all of it. */
  readonly onOutput?: (text: string) => void
  /** Takes standard output as it comes, of any length; the result's `stdout` is empty then. What it throws ends the program. */
  readonly output?: (stdout: AsyncIterable<Uint8Array>) => Promise<void>
  readonly signal?: AbortSignal
  /** Milliseconds until the process is killed. */
  readonly timeoutMs?: number
}

export interface RunResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program without a shell. A non-zero exit is a result, not an exception. */
export interface Processes {
  /** @throws {VmpkgError} `TOOL_MISSING` when the program cannot be found; `ABORTED` when the signal fires. */
  run(program: string, args: readonly string[], options?: RunOptions): Promise<RunResult>
}

/** Hands this process's terminal to a program until it ends. */
export interface Terminal {
  /** @returns the program's exit status. @throws {VmpkgError} `TOOL_MISSING` */
  attach(program: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<number>
}

/** Through which proxy: as the environment says, through none, or through this one (`http:` or `https:`). */
export type ProxyChoice = 'environment' | 'none' | URL

export interface HttpRequest {
  readonly url: URL
  /** `environment` by default. */
  readonly proxy?: ProxyChoice
  /** GET by default. */
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Sent as it is; its length belongs into the headers. */
  readonly body?: Uint8Array | Readable
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

export interface HttpResponse {
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Readable
}

/** One request, no redirect following, no decompression, no retries: policy lives in `fetch/`. */
export interface Http {
  request(request: HttpRequest): Promise<HttpResponse>
}
