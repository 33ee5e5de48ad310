/**
 * An rsync server as a place to publish to: a daemon with a writable module, or over ssh, where an account that may do
 * nothing but rsync (rrsync) is enough. rsync writes each file under a temporary name and renames it. Announcements, and
 * with them the swap of the envelope, need no more than writing, listing and removing. Source: rsync(1).
 * Test oracle: a real daemon and a real sshd, and what `node:fs` finds in their folders.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { RunResult } from '../ports.ts'
import { swapByAnnouncement } from './announced-swap.ts'
import { openSshConnection, type SshConnection } from './ssh-connection.ts'
import { type PublishTarget, refuseLarge, targetFailed } from './target.ts'
import type { SshPlace } from './target-location.ts'
import { type RemoteOptions, textEnvironment } from './target-sftp.ts'

/** `-rw-r--r--          1,234 2026/11/25 18:00:00 root/1.json` */
const LISTED = /^-\S{9,10}\s+([\d,.]+) \d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d (.+)$/
/** A file that is not there is not an error; a folder with a slash at its end stands for what is directly in it. */
const LIST = ['--list-only', '--ignore-missing-args', '--files-from=-']
/** Words of a command line. */
const MAX_SOURCES = 200
const BASE = ['-s', '--no-motd', '--no-human-readable', '--timeout=60']

/** Over ssh. */
export async function rsyncSshTarget(name: string, place: SshPlace, options: RemoteOptions): Promise<PublishTarget> {
  const ssh = await openSshConnection(place, options.processes)
  const host = place.host.startsWith('[') ? ssh.destination.replace(/[^@]+$/, place.host) : ssh.destination
  // rsync splits the words of -e at blanks, outside of quotes.
  const shell = ['ssh', ...ssh.options.map((option) => (/[ "]/.test(option) ? `'${option}'` : option))].join(' ')
  return new RsyncTarget(name, `${host}:${place.path}`, ['-e', shell], options, ssh)
}

/** A daemon. Its password is in RSYNC_PASSWORD. */
export function rsyncDaemonTarget(name: string, url: string, options: RemoteOptions): PublishTarget {
  return new RsyncTarget(name, url, [], options, undefined)
}

class RsyncTarget implements PublishTarget {
  readonly name: string
  readonly #place: string
  readonly #words: readonly string[]
  readonly #options: RemoteOptions
  readonly #ssh: SshConnection | undefined

  constructor(
    name: string,
    place: string,
    words: readonly string[],
    options: RemoteOptions,
    ssh: SshConnection | undefined,
  ) {
    this.name = name
    this.#place = place
    this.#words = words
    this.#options = options
    this.#ssh = ssh
  }

  async sizes(paths: readonly string[]): Promise<ReadonlyMap<string, number>> {
    if (paths.length === 0) return new Map()
    // A list of files wants a destination, to which --list-only writes nothing.
    const result = await this.#rsync([...LIST, `${this.#place}/`, tmpdir()], paths)
    this.#requireRead('look at files', result)
    return new Map(parseListing(result.stdout))
  }

  async list(folders: readonly string[]): Promise<readonly string[]> {
    const result = await this.#rsync(
      [...LIST, `${this.#place}/`, tmpdir()],
      folders.map((folder) => `${folder}/`),
    )
    this.#requireRead('list folders', result)
    return parseListing(result.stdout).map(([path]) => path)
  }

  async fetch(files: Parameters<PublishTarget['fetch']>[0], into: string): Promise<void> {
    for (let at = 0; at < files.length; at += MAX_SOURCES) {
      // Not by --files-from: rsync 3.5.0's daemon finds none of them below a folder of a module without chroot.
      const sources = files.slice(at, at + MAX_SOURCES).map(({ path }) => `${this.#place}/./${path}`)
      const words = ['--relative', '--ignore-missing-args', '--ignore-times', ...sources, `${into}/`]
      this.#requireRead('read files', await this.#rsync(words))
    }
    await refuseLarge(this.name, files, into)
  }

  async store(folder: string, paths: readonly string[], onStored: (path: string) => void): Promise<void> {
    const words = ['--files-from=-', '--ignore-existing', '--chmod=D755,F644', `${folder}/`, `${this.#place}/`]
    const result = await this.#rsync(words, paths)
    if (result.exitCode !== 0) throw targetFailed(this.name, 'write files', result.stderr)
    paths.forEach(onStored)
  }

  /** What is not in an empty folder is deleted there, and everything else is protected by the last rule. */
  async remove(paths: readonly string[]): Promise<void> {
    const empty = await mkdtemp(join(tmpdir(), 'vmpkg-empty-'))
    try {
      for (const folder of new Set(paths.map(dirname))) {
        const names = paths.filter((path) => dirname(path) === folder).map((path) => `--include=/${basename(path)}`)
        const words = ['--dirs', '--delete', ...names, '--exclude=*', `${empty}/`, `${this.#place}/${folder}/`]
        const result = await this.#rsync(words)
        if (result.exitCode !== 0) throw targetFailed(this.name, 'remove files', result.stderr)
      }
    } finally {
      await rm(empty, { recursive: true, force: true })
    }
  }

  async swapEnvelope(before: Uint8Array | undefined, after: Uint8Array): Promise<void> {
    const { signal } = this.#options
    const put = async (path: string, bytes: Uint8Array, timeoutMs: number | undefined): Promise<void> =>
      this.#replace(path, bytes, timeoutMs)
    await swapByAnnouncement({ target: this, put, before, after, signal })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ssh?.[Symbol.asyncDispose]()
  }

  async #replace(path: string, bytes: Uint8Array, timeoutMs: number | undefined): Promise<void> {
    const local = await mkdtemp(join(tmpdir(), 'vmpkg-put-'))
    try {
      await mkdir(dirname(join(local, path)), { recursive: true })
      await writeFile(join(local, path), bytes)
      const words = ['--files-from=-', '--ignore-times', '--chmod=D755,F644', `${local}/`, `${this.#place}/`]
      const result = await this.#rsync(words, [path], timeoutMs)
      if (result.exitCode !== 0) throw targetFailed(this.name, `write ${path}`, result.stderr)
    } finally {
      await rm(local, { recursive: true, force: true })
    }
  }

  async #rsync(words: readonly string[], files?: readonly string[], timeoutMs?: number): Promise<RunResult> {
    const { processes, env, signal } = this.#options
    return processes.run('rsync', [...BASE, ...this.#words, ...words], {
      env: textEnvironment(env),
      ...(files !== undefined && { input: `${files.join('\n')}\n` }),
      ...(signal && { signal }),
      ...(timeoutMs !== undefined && { timeoutMs }),
    })
  }

  /** Where the registry's folder itself is not there, nothing in it is: that is an answer. */
  #requireRead(what: string, { exitCode, stderr }: RunResult): void {
    if (exitCode === 0 || /change_dir ".*" (?:\(in \S+\) )?failed: .*\(2\)$/m.test(stderr)) return
    throw targetFailed(this.name, what, stderr)
  }
}

function parseListing(text: string): readonly (readonly [path: string, size: number])[] {
  return text.split('\n').flatMap((line) => {
    const [, size, path] = LISTED.exec(line) ?? []
    return size === undefined || path === undefined ? [] : [[path, Number(size.replaceAll(/[,.]/g, ''))] as const]
  })
}
