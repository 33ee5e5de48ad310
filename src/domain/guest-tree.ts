/** Files of a guest by its agent, as where a copy comes from and where it goes to: piece by piece, holes as holes. */
import { VmpkgError } from '../errors.ts'
import type { Randomness } from '../ports.ts'
import {
  type CopyEntry,
  type CopySink,
  type CopySource,
  checkTree,
  type FileToCopy,
  nameOf,
  parentOf,
} from './copy-tree.ts'
import {
  type AgentDomain,
  closeGuestFile,
  flushGuestFile,
  openGuestFile,
  readGuestFile,
  seekGuestFile,
  writeGuestFile,
} from './guest-agent.ts'
import { type GuestRunOutside, runInGuest, runScript } from './guest-run.ts'

/** A list of more is an attack, or work for tar. */
const MAXIMUM_LIST_BYTES = 64 * 1024 * 1024
/** Of names that one script is given. */
const BATCH_BYTES = 256 * 1024
/** Runs of zeros of this length, and at such places, become holes. */
const HOLE_BYTES = 65_536

/** Fields end with NUL: kind, mode, size, digest, path, target. A link that was named itself is followed. */
const LIST = `p=$(readlink -f -- "$1" && echo .) || { echo "$1: no such file or folder" >&2; exit 1; }
p=\${p%?.}
[ -e "$p" ] || { echo "$1: no such file or folder" >&2; exit 1; }
tell='for f; do
  h=- t=- k=s
  if [ -L "$f" ]; then k=l; t=$(readlink -- "$f"; echo .); t=\${t%?.}
  elif [ -d "$f" ]; then k=d
  elif [ -f "$f" ]; then k=f; h=$(sha256sum <"$f") || exit 1; h=\${h%% *}
  fi
  set -f; a=$(stat -c "%a %s" -- "$f") || exit 1
  for v in "$k" "\${a% *}" "\${a#* }" "$h" "$f" "$t"; do printf "%s\\\\0" "$v"; done
done'
if [ -d "$p" ]; then
  [ "$2" = yes ] || exit 4
  cd "$p" && exec find . -exec sh -c "$tell" sh {} +
fi
cd "\${p%/*}/" && exec sh -c "$tell" sh "./\${p##*/}"`

/** Reads fours of kind, mode, path, target; `find -exec` would take names for options. What was left a day ago goes. */
const MAKE = `exec xargs -0 -n 4 sh -c 'case $1 in
  t) find "$3" -maxdepth 1 -type f -name ".vmpkg-????????????-[0-9]*" -mmin +1440 -exec rm -f {} + 2>/dev/null || : ;;
  d) [ -d "$3" ] || mkdir -- "$3" || exit 255 ;;
  f) umask 077; : >"$3" || exit 255 ;;
  l) ln -sfn -- "$4" "$3" || exit 255 ;;
esac' sh`
const FINISH = `exec xargs -0 -n 4 sh -c 'case $1 in
  d) chmod "$2" "$3" || exit 255 ;;
  f) if [ -d "$4" ]; then echo "$4 is a folder" >&2; exit 255; fi
    chmod "$2" "$3" && mv -f -- "$3" "$4" || exit 255 ;;
esac' sh`
/** And makes them durable, so that a power cut after they have their names leaves no empty ones. */
const DIGEST = `exec xargs -0 sh -c 'for f; do sha256sum <"$f" || exit 255; done; sync -- "$@" 2>/dev/null || sync' sh`
const REMOVE = 'exec xargs -0 rm -f --'
const LOOK = 'if [ -d "$1" ]; then echo folder; elif [ -e "$1" ]; then echo file; else echo absent; fi'

/** What stands at a path, links followed. */
export async function lookAtGuestPath(
  domain: AgentDomain,
  path: string,
  signal: AbortSignal,
): Promise<'folder' | 'file' | 'absent'> {
  const said = (await runScript(domain, LOOK, [path], signal)).toString().trim()
  return said === 'folder' || said === 'file' ? said : 'absent'
}

/** @param path absolute */
export class GuestSource implements CopySource {
  readonly #domain: AgentDomain
  readonly #path: string
  readonly #isRecursive: boolean
  readonly #outside: GuestRunOutside
  readonly #digests = new Map<string, string>()

  constructor(
    domain: AgentDomain,
    path: string,
    { isRecursive, outside }: { readonly isRecursive: boolean; readonly outside: GuestRunOutside },
  ) {
    this.#domain = domain
    this.#path = path
    this.#isRecursive = isRecursive
    this.#outside = outside
  }

  /** @throws {VmpkgError} `FILE_NOT_FOUND`, `USAGE` for a folder that was not asked for, `AGENT_REFUSED` */
  async list(): Promise<readonly CopyEntry[]> {
    const pieces: Buffer[] = []
    let size = 0
    let said = ''
    const command = ['/bin/sh', '-c', LIST, 'sh', this.#path, this.#isRecursive ? 'yes' : 'no']
    const status = await runInGuest(
      this.#domain,
      {
        command,
        onOutput: (bytes) => {
          size += bytes.length
          if (size > MAXIMUM_LIST_BYTES) throw this.#refuse('a list of more than 64 MiB')
          pieces.push(Buffer.from(bytes))
        },
        onErrorOutput: (bytes) => {
          said = (said + Buffer.from(bytes).toString()).slice(0, 300)
        },
      },
      this.#outside,
    )
    if (status === 4) throw isFolder(`${this.#domain.name}:${this.#path}`)
    if (status !== 0) {
      throw new VmpkgError('FILE_NOT_FOUND', `${this.#domain.name}: ${said.trim() || `${this.#path} cannot be read`}`, {
        hint: `vmpkg exec ${this.#domain.name} -- ls -l / shows what there is.`,
      })
    }
    return checkTree(this.#parse(Buffer.concat(pieces)), this.#domain.name)
  }

  async *read({ path, size }: FileToCopy): AsyncGenerator<Buffer> {
    const opened = await openGuestFile(this.#domain, await this.#full(path), 'r')
    try {
      let left = size
      for (;;) {
        const piece = await readGuestFile(this.#domain, opened)
        if (piece.length === 0) break
        // A guest has no end of bytes to give.
        if (piece.length > left) throw changed(`${this.#domain.name}:${this.#path}`, path)
        left -= piece.length
        yield piece
      }
      if (left > 0) throw changed(`${this.#domain.name}:${this.#path}`, path)
    } finally {
      await closeGuestFile(this.#domain, opened)
    }
  }

  digestOf({ path }: FileToCopy): string | undefined {
    return this.#digests.get(path)
  }

  async #full(path: string): Promise<string> {
    return path === '' ? this.#path : `${this.#path.replace(/\/$/, '')}/${path}`
  }

  #parse(bytes: Buffer): readonly CopyEntry[] {
    const fields = bytes.toString('utf8').split('\0')
    if (fields.pop() !== '' || fields.length % 6 !== 0) throw this.#refuse('what is no list')
    const entries: CopyEntry[] = []
    const isTree = fields[4] === '.'
    for (let at = 0; at < fields.length; at += 6) {
      const [kind = '', mode = '', size = '', digest = '', name = '', target = ''] = fields.slice(at, at + 6)
      if (!/^[0-7]{1,5}$/.test(mode) || !/^\d{1,15}$/.test(size)) throw this.#refuse('what is no list')
      const path = name === '.' || !isTree ? '' : name.replace(/^\.\//, '')
      const of = { path, mode: Number.parseInt(mode, 8) & 0o7777 }
      if (kind === 'd') entries.push({ kind: 'directory', ...of })
      else if (kind === 'l') entries.push({ kind: 'link', path, target })
      else if (kind === 's') entries.push({ kind: 'special', path })
      else if (kind === 'f' && /^[0-9a-f]{64}$/.test(digest)) {
        this.#digests.set(path, digest)
        entries.push({ kind: 'file', ...of, size: Number(size) })
      } else throw this.#refuse('what is no list')
    }
    return entries
  }

  #refuse(what: string): VmpkgError {
    return new VmpkgError('AGENT_REFUSED', `${this.#domain.name} gives ${what}`, {
      hint: 'Copy a smaller folder, or look inside with vmpkg console.',
    })
  }
}

/** @param path absolute, of what the copy's own root becomes */
export class GuestSink implements CopySink {
  readonly #domain: AgentDomain
  readonly #path: string
  readonly #outside: GuestRunOutside
  readonly #mark: string
  /** Where each file is until it is whole. */
  readonly #temporary = new Map<string, string>()

  constructor(domain: AgentDomain, path: string, outside: GuestRunOutside & { readonly randomness: Randomness }) {
    this.#domain = domain
    this.#path = path
    this.#outside = outside
    this.#mark = Buffer.from(outside.randomness.bytes(6)).toString('hex')
  }

  async prepare(entries: readonly CopyEntry[]): Promise<void> {
    const records = entries.map((entry): readonly string[] => {
      if (entry.kind === 'directory') return ['d', '0', this.#full(entry.path), '-']
      if (entry.kind !== 'file') return []
      const full = this.#full(entry.path)
      const temporary = `${parentOf(full)}/.vmpkg-${this.#mark}-${this.#temporary.size}`
      this.#temporary.set(entry.path, temporary)
      return ['f', '0', temporary, '-']
    })
    const of = (wanted: string): readonly (readonly string[])[] => records.filter(([kind]) => kind === wanted)
    const folders = new Set([...this.#temporary.values()].map((path) => path.slice(0, path.lastIndexOf('/') + 1)))
    const tidying = [...folders].map((folder) => ['t', '0', folder, '-'])
    await this.#each(MAKE, [...of('d'), ...tidying, ...of('f')])
  }

  async write(file: FileToCopy, chunks: AsyncIterable<Buffer>): Promise<void> {
    // Made already, closed to others; `r+` leaves its mode.
    const opened = await openGuestFile(this.#domain, this.#temporary.get(file.path) ?? '', 'r+')
    try {
      let at = 0
      let written = 0
      for await (const chunk of chunks) {
        for (const { offset, length } of dataRuns(chunk, at + chunk.length === file.size)) {
          if (at + offset !== written) await seekGuestFile(this.#domain, opened, at + offset)
          await writeGuestFile(this.#domain, opened, chunk.subarray(offset, offset + length))
          written = at + offset + length
        }
        at += chunk.length
      }
      await flushGuestFile(this.#domain, opened)
    } finally {
      await closeGuestFile(this.#domain, opened)
    }
  }

  async finish(entries: readonly CopyEntry[], digests: ReadonlyMap<string, string>): Promise<void> {
    const written = [...this.#temporary].filter(([path]) => digests.has(path))
    const lines = (
      await this.#each(
        DIGEST,
        written.map(([, temporary]) => [temporary]),
      )
    )
      .toString()
      .trim()
      .split('\n')
    for (const [index, [path]] of written.entries()) {
      if (lines[index]?.split(' ')[0] === digests.get(path)) continue
      throw new VmpkgError('AGENT_REFUSED', `${this.#full(path)} arrived in ${this.#domain.name} with other content`, {
        hint: 'Nothing was replaced there. Is its disk full, or damaged?',
      })
    }
    const links = entries.flatMap((entry) =>
      entry.kind === 'link' ? [['l', '0', this.#full(entry.path), entry.target]] : [],
    )
    const names = entries.toReversed().flatMap((entry): readonly (readonly string[])[] => {
      if (entry.kind === 'directory') return [['d', entry.mode.toString(8), this.#full(entry.path), '-']]
      if (entry.kind !== 'file') return []
      return [['f', entry.mode.toString(8), this.#temporary.get(entry.path) ?? '', this.#full(entry.path)]]
    })
    await this.#each(MAKE, links)
    await this.#each(FINISH, names)
    this.#temporary.clear()
  }

  async abandon(): Promise<void> {
    const files = [...this.#temporary.values()].map((path) => [path])
    this.#temporary.clear()
    // The signal of the caller may be why.
    await this.#each(REMOVE, files, AbortSignal.timeout(30_000)).catch((error: unknown) => {
      if (!(error instanceof VmpkgError)) throw error
    })
  }

  #full(path: string): string {
    return path === '' ? this.#path : `${this.#path.replace(/\/$/, '')}/${path}`
  }

  /** In batches, in order. */
  async #each(
    script: string,
    records: readonly (readonly string[])[],
    signal: AbortSignal = this.#outside.signal,
  ): Promise<Buffer> {
    const output: Buffer[] = []
    let batch: string[] = []
    let size = 0
    const send = async (): Promise<void> => {
      if (batch.length > 0) output.push(await runScript(this.#domain, script, [], signal, Buffer.from(batch.join(''))))
      batch = []
      size = 0
    }
    for (const record of records) {
      for (const field of record) {
        batch.push(field, '\0')
        size += Buffer.byteLength(field) + 1
      }
      if (size > BATCH_BYTES) await send()
    }
    await send()
    return Buffer.concat(output)
  }
}

/** What of a chunk is written: all but long runs of zeros, whose end is written where the file ends. */
export function dataRuns(
  chunk: Buffer,
  isLast: boolean,
): readonly { readonly offset: number; readonly length: number }[] {
  const runs: { offset: number; length: number }[] = []
  for (let offset = 0; offset < chunk.length; offset += HOLE_BYTES) {
    const block = chunk.subarray(offset, offset + HOLE_BYTES)
    if (block.length === HOLE_BYTES && isZero(block) && !(isLast && offset + HOLE_BYTES === chunk.length)) continue
    const previous = runs.at(-1)
    if (previous !== undefined && previous.offset + previous.length === offset) previous.length += block.length
    else runs.push({ offset, length: block.length })
  }
  return runs
}

const ZEROS = Buffer.alloc(HOLE_BYTES)

function isZero(block: Buffer): boolean {
  return block.equals(ZEROS)
}

export function changed(from: string, path: string): VmpkgError {
  return new VmpkgError('FILE_UNREADABLE', `${nameOf(path) || from} changed while it was copied`, {
    hint: 'Try again, or copy it while nobody writes to it.',
    details: { from, path },
  })
}

export function isFolder(path: string): VmpkgError {
  return new VmpkgError('USAGE', `${path} is a folder`, { hint: 'Add -r to copy it with all that is in it.' })
}
