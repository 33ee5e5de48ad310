/**
 * An sftp server as a place to publish to; it needs no shell. By the system's `sftp` in batch mode: files come under a name
 * of their own, then get their final name by SSH_FXP_RENAME, which never replaces (`rename -l`), the envelope by
 * posix-rename@openssh.com, which replaces at once. Source: sftp(1), draft-ietf-secsh-filexfer-02, OpenSSH's PROTOCOL.
 * Test oracle: OpenSSH's server, and what `node:fs` finds in its folder.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { VmpkgError } from '../errors.ts'
import type { Processes } from '../ports.ts'
import { swapByAnnouncement } from './announced-swap.ts'
import { openSshConnection, type SshConnection } from './ssh-connection.ts'
import { type PublishTarget, refuseLarge, targetFailed } from './target.ts'
import type { SshPlace } from './target-location.ts'

export interface RemoteOptions {
  readonly processes: Processes
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal?: AbortSignal | undefined
}

/** `-rw-r--r--    1 0        0            1234 Nov 25 18:00 root/1.json`, as OpenSSH prints it whatever the server is. */
const LISTED = /^-\S{9,10}\s+\S+\s+\S+\s+\S+\s+(\d+) .{12} (.+)$/

export async function sftpTarget(name: string, place: SshPlace, options: RemoteOptions): Promise<PublishTarget> {
  return new SftpTarget(name, place, options, await openSshConnection(place, options.processes))
}

class SftpTarget implements PublishTarget {
  readonly name: string
  readonly #folder: string
  readonly #options: RemoteOptions
  readonly #ssh: SshConnection

  constructor(name: string, { path }: SshPlace, options: RemoteOptions, ssh: SshConnection) {
    this.name = name
    this.#folder = path
    this.#options = options
    this.#ssh = ssh
  }

  async sizes(paths: readonly string[]): Promise<ReadonlyMap<string, number>> {
    if (paths.length === 0) return new Map()
    const output = await this.#run(
      'look at files',
      paths.map((path) => `-ls -lnf ${quote(`${this.#folder}/${path}`)}`),
    )
    return this.#parseSizes(output)
  }

  #parseSizes(output: string): ReadonlyMap<string, number> {
    const prefix = `${this.#folder}/`
    const found = new Map<string, number>()
    for (const line of output.split('\n')) {
      const [, size = '', path = ''] = LISTED.exec(line) ?? []
      if (path.startsWith(prefix)) found.set(path.slice(prefix.length), Number(size))
    }
    return found
  }

  async list(folders: readonly string[]): Promise<readonly string[]> {
    const output = await this.#run(
      'list folders',
      folders.map((folder) => `-ls -1f ${quote(`${this.#folder}/${folder}/`)}`),
    )
    const prefix = `${this.#folder}/`
    const lines = output.split('\n').filter((line) => line.startsWith(prefix))
    return lines.map((line) => line.slice(prefix.length).trimEnd().replace('//', '/'))
  }

  async fetch(files: Parameters<PublishTarget['fetch']>[0], into: string): Promise<void> {
    for (const { path } of files) await mkdir(dirname(join(into, path)), { recursive: true })
    // One that is not there is an answer.
    const lines = files.map(({ path }) => `-get ${quote(`${this.#folder}/${path}`)} ${quote(join(into, path))}`)
    if (lines.length > 0) await this.#run('read files', lines)
    await refuseLarge(this.name, files, into)
  }

  async store(folder: string, paths: readonly string[], onStored: (path: string) => void): Promise<void> {
    const folders = [this.#folder, ...[...new Set(paths.map(dirname))].map((kind) => `${this.#folder}/${kind}`)]
    const writes = paths.flatMap((path) => {
      const final = `${this.#folder}/${path}`
      const temporary = `${final}.${randomUUID()}.tmp`
      return [
        `put -f ${quote(join(folder, path))} ${quote(temporary)}`,
        `-chmod 644 ${quote(temporary)}`,
        // Another publisher may have been faster; then this one is not needed.
        `-rename -l ${quote(temporary)} ${quote(final)}`,
        `-rm ${quote(temporary)}`,
      ]
    })
    const looks = paths.map((path) => `-ls -lnf ${quote(`${this.#folder}/${path}`)}`)
    const makes = folders.map((kind) => `-mkdir ${quote(kind)}`)
    const found = this.#parseSizes(await this.#run('write files', [...makes, ...writes, ...looks]))
    for (const path of paths) {
      if (!found.has(path)) throw targetFailed(this.name, `write ${path}`, 'it is not there after its upload')
      onStored(path)
    }
  }

  async remove(paths: readonly string[]): Promise<void> {
    if (paths.length === 0) return
    await this.#run(
      'remove files',
      paths.map((path) => `-rm ${quote(`${this.#folder}/${path}`)}`),
    )
  }

  async swapEnvelope(before: Uint8Array | undefined, after: Uint8Array): Promise<void> {
    const { signal } = this.#options
    await swapByAnnouncement({
      target: this,
      put: async (path, bytes, timeoutMs) => this.#replace(path, bytes, timeoutMs),
      before,
      after,
      signal,
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ssh[Symbol.asyncDispose]()
  }

  async #replace(path: string, bytes: Uint8Array, timeoutMs: number | undefined): Promise<void> {
    const local = await mkdtemp(join(tmpdir(), 'vmpkg-put-'))
    const final = `${this.#folder}/${path}`
    const temporary = `${final}.${randomUUID()}.tmp`
    try {
      await writeFile(join(local, 'file'), bytes)
      const lines = [
        `-mkdir ${quote(this.#folder)}`,
        `-mkdir ${quote(dirname(final))}`,
        `put -f ${quote(join(local, 'file'))} ${quote(temporary)}`,
        `-chmod 644 ${quote(temporary)}`,
        `rename ${quote(temporary)} ${quote(final)}`,
      ]
      await this.#run(`write ${path}`, lines, timeoutMs)
    } finally {
      await rm(local, { recursive: true, force: true })
    }
  }

  /** A line that fails ends the batch, unless it begins with `-`. */
  async #run(what: string, lines: readonly string[], timeoutMs?: number): Promise<string> {
    const { processes, env, signal } = this.#options
    const { exitCode, stdout, stderr } = await processes.run(
      'sftp',
      ['-b', '-', ...this.#ssh.options, '--', this.#ssh.destination],
      {
        input: `${lines.join('\n')}\n`,
        env: textEnvironment(env),
        ...(signal && { signal }),
        ...(timeoutMs !== undefined && { timeoutMs }),
      },
    )
    if (exitCode !== 0) throw targetFailed(this.name, what, exitCode === 124 ? 'it took too long' : stderr)
    return stdout
  }
}

/** Messages and dates in the form that is parsed. */
export function textEnvironment(env: RemoteOptions['env']): Record<string, string> {
  const all: Record<string, string | undefined> = { ...env, LC_ALL: 'C', TZ: 'UTC' }
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined))
}

/** One word of a batch line; quoted, no character in it is a wildcard. */
function quote(text: string): string {
  // biome-ignore lint: control characters are what is looked for
  if (!/[\u0000-\u001f]/.test(text)) return `"${text.replaceAll(/["\\]/g, '\\$&')}"`
  throw new VmpkgError('USAGE', `${JSON.stringify(text)} cannot be given to sftp`, {
    hint: 'Name a path without control characters.',
  })
}
