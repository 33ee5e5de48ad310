/**
 * ext2, ext3 and ext4 by debugfs: one process for all points in time. A journal that holds changes is replayed first, on
 * the point's overlay, because a snapshot of a running guest has its last seconds only there.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { Entry, Limits, Listed, Place, Reader } from './entry.ts'
import { type ExtFile, parseListing, parseStat } from './ext-output.ts'
import { collectFrames, splitFrames } from './frames.ts'
import { tooLarge } from './limits.ts'
import type { Sandbox } from './sandbox.ts'
import { checkFound } from './tools.ts'

/** Of what debugfs says about one path; a fast link's target is shorter than a block. */
const MAX_SAID = 64 * 1024
/** Of a listing. */
const MAX_LISTING = 16 * 1024 * 1024

/** One point that makes the reader crash costs no other its answer; many do not go on for ever. */
const MAX_RESTARTS = 8
const CRASHED = 'Its reader crashed over it'
const LOOK_CPU_SECONDS = 20
const READ_CPU_SECONDS = 280

const NEEDS_RECOVERY = /^Filesystem features:.* needs_recovery(?: |$)/m

type Found = ExtFile | Exclude<Entry, { state: 'file' }>

export function extReader(sandbox: Pick<Sandbox, 'run'>): Reader {
  /**
   * What debugfs says to each step, errors among the output, in order. Where it crashes or hangs over one, that one has
   * no answer, and another process goes on behind it.
   */
  async function say(steps: readonly (readonly string[])[], maxBytes: number): Promise<readonly string[]> {
    const said: string[] = []
    for (let start = 0; said.length < steps.length && start <= MAX_RESTARTS; start++) {
      const rest = steps.slice(said.length)
      const mark = newMark()
      const input = [...rest.flatMap((commands) => [mark, ...commands]), mark].join('\n')
      let frames: readonly { readonly body: Buffer }[] = []
      const { exitCode } = await sandbox.run(['sh', '-c', 'exec stdbuf -oL debugfs -f - 2>&1'], {
        input: `${input}\n`,
        cpuSeconds: LOOK_CPU_SECONDS,
        output: async (stdout) => {
          frames = await collectFrames(stdout, `debugfs: ${mark}`, maxBytes)
        },
      })
      checkFound('debugfs', exitCode)
      // The last frame is that of the last mark, or of the step that ended it all.
      const answered = frames.slice(0, Math.max(0, Math.min(rest.length, frames.length - 1)))
      said.push(...answered.map(({ body }) => body.toString()))
      if (said.length < steps.length) said.push(CRASHED)
    }
    return steps.map((_, index) => said[index] ?? CRASHED)
  }

  /** What `command` says at each place, after the journals of those that need it are replayed, each on its own overlay. */
  async function ask(places: readonly Place[], command: string, maxBytes: number): Promise<readonly string[]> {
    const question = (place: Place): readonly string[] => [`open -c ${device(place)}`, 'feature', command, 'close']
    const first = await say(places.map(question), maxBytes)
    const dirty = places.filter((_, index) => NEEDS_RECOVERY.test(first[index] ?? ''))
    if (dirty.length === 0) return first
    const again = await say(
      dirty.flatMap((place) => [[`open -w ${device(place)}`, 'journal_run', 'close'], question(place)]),
      maxBytes,
    )
    const answers = new Map(
      dirty.map((place, at) => {
        const answer = again[at * 2 + 1] ?? CRASHED
        return [place, NEEDS_RECOVERY.test(answer) ? 'Its journal cannot be replayed' : answer]
      }),
    )
    return places.map((place, index) => answers.get(place) ?? first[index] ?? CRASHED)
  }

  /** The content of a path at each place, in pieces. What follows a crash is read by another process. */
  async function stream(
    places: readonly Place[],
    path: string,
    take: (index: number, piece: Buffer) => Promise<void> | void,
  ): Promise<void> {
    const echo = Buffer.byteLength(`debugfs: cat ${quote(path)}\n`)
    let done = 0
    for (let start = 0; done < places.length && start <= MAX_RESTARTS; start++) {
      const mark = newMark()
      const input = places
        .slice(done)
        .flatMap((place) => [`open -c ${device(place)}`, mark, `cat ${quote(path)}`, `${mark} end`, 'close'])
      let isContent = false
      let skip = 0
      await sandbox.run(['debugfs', '-f', '-'], {
        input: `${input.join('\n')}\n`,
        cpuSeconds: READ_CPU_SECONDS,
        output: async (stdout) => {
          for await (const part of splitFrames(stdout, `debugfs: ${mark}`)) {
            if ('head' in part) {
              isContent = part.head !== 'end'
              if (isContent) skip = echo
              else done++
            } else if (isContent) {
              const dropped = Math.min(skip, part.piece.length)
              skip -= dropped
              if (dropped < part.piece.length) await take(done, part.piece.subarray(dropped))
            }
          }
        },
      })
      if (done < places.length) done++
    }
  }

  return {
    async look(places, path, limits) {
      const said = await ask(places, `stat ${quote(path)}`, MAX_SAID)
      const found = said.map((text): Found => parseStat(text))
      const files = places.flatMap((place, index) => {
        const one = found[index]
        return one?.state === 'file-found' && one.size <= limits.maxSize ? [{ place, index, size: one.size }] : []
      })
      const hashed = files.map(() => ({ size: 0, hash: createHash('sha256') }))
      if (files.length > 0) {
        await stream(
          files.map(({ place }) => place),
          path,
          (at, piece) => {
            const one = hashed[at]
            if (one === undefined) return
            const own = withinSize(piece, (files[at]?.size ?? 0) - one.size)
            one.hash.update(own)
            one.size += own.length
          },
        )
      }
      const digests = new Map(
        files.map(({ index }, at) => [
          index,
          { size: hashed[at]?.size ?? 0, sha256: hashed[at]?.hash.digest('hex') ?? '' },
        ]),
      )
      return found.map((one, index): Entry => finish(one, digests.get(index), limits))
    },

    async read(place, path, file, take) {
      let size = 0
      await stream([place], path, async (_, piece) => {
        const own = withinSize(piece, file.size - size)
        size += own.length
        if (own.length > 0) await take(own)
      })
    },

    async list(place, path): Promise<readonly Listed[] | undefined> {
      const [stat = ''] = await ask([place], `stat ${quote(path)}`, MAX_SAID)
      if (parseStat(stat).state !== 'directory') return undefined
      const [listing = ''] = await ask([place], `ls -p ${quote(path)}`, MAX_LISTING)
      return parseListing(listing)
    },
  }
}

interface Hashed {
  readonly size: number
  readonly sha256: string
}

function finish(found: Found, hashed: Hashed | undefined, { maxSize }: Limits): Entry {
  if (found.state !== 'file-found') return found
  const { size, mode, owner, group, modified } = found
  if (size > maxSize) return tooLarge(size, maxSize)
  if (hashed?.size !== size) {
    return { state: 'unreadable', reason: `Only ${hashed?.size ?? 0} of its ${size} bytes can be read` }
  }
  const facts = { mode, owner, group, ...(modified === undefined ? {} : { modified }) }
  return { state: 'file', size, sha256: hashed.sha256, ...facts }
}

/** Of a file whose data is in its inode debugfs gives all the room there, zeros after the end included. */
function withinSize(piece: Buffer, left: number): Buffer {
  return piece.length > left ? piece.subarray(0, Math.max(0, left)) : piece
}

function newMark(): string {
  return `mark-${randomBytes(16).toString('hex')}`
}

function device({ image, offset }: Place): string {
  return offset === 0 ? image : `${image}?offset=${offset}`
}

/** As its command parser has it: a quote inside quotes is written twice. */
function quote(path: string): string {
  return `"${path.replaceAll('"', '""')}"`
}
