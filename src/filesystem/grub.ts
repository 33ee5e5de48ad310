/**
 * xfs, btrfs, ntfs and fat by GRUB's own readers, which `grub-fstest` runs on a file: one short process for each point in
 * time. They follow a symbolic link at the end of a path (inside the same file system), tell neither owner nor mode, and
 * replay no journal.
 *
 * Source: grub-fstest(1), grub-core/fs. Test oracles: files made by mkfs.xfs -p, mkfs.btrfs --rootdir, ntfscp and mcopy.
 */
import { createHash, randomBytes } from 'node:crypto'
import { VmpkgError } from '../errors.ts'
import type { Entry, Limits, Listed, Place, Reader } from './entry.ts'
import { splitFrames } from './frames.ts'
import { tooLarge } from './limits.ts'
import type { Sandbox } from './sandbox.ts'
import { checkFound } from './tools.ts'

/** Arguments: MARK LIMIT WORD… pairs of image and GRUB's path. */
const EACH = `
mark=$1 limit=$2 verb=$3
shift 3
while [ $# -gt 0 ]; do
  echo "$mark begin"
  { timeout 20 grub-fstest "$1" -- $verb "$2" 2>/tmp/error; echo $? >/tmp/status; } | head -c "$limit"
  echo "$mark end $(cat /tmp/status) $(head -c 300 /tmp/error | tr '\\n\\r' '  ')"
  shift 2
done
`
const MAX_LISTING = 16 * 1024 * 1024

interface Outcome {
  readonly exitCode: number
  readonly said: string
}

export function grubReader(sandbox: Sandbox): Reader {
  async function each(
    verb: 'cat' | 'ls -l',
    places: readonly Place[],
    path: string,
    { limit, take }: { limit: number; take: (index: number, piece: Buffer) => Promise<void> | void },
  ): Promise<readonly Outcome[]> {
    const mark = `mark-${randomBytes(16).toString('hex')}`
    const pairs = places.flatMap((place) => [place.image, `${device(place)}${path}`])
    const outcomes: Outcome[] = []
    let isContent = false
    const { exitCode, stderr } = await sandbox.run(['sh', '-c', EACH, 'each', mark, String(limit), verb, ...pairs], {
      cpuSeconds: 60,
      output: async (stdout) => {
        for await (const part of splitFrames(stdout, mark)) {
          if ('head' in part) {
            const [, status, said = ''] = /^end (\d+) ?(.*)$/.exec(part.head) ?? []
            isContent = status === undefined
            if (status !== undefined) outcomes.push({ exitCode: Number(status), said })
          } else if (isContent) await take(outcomes.length, part.piece)
        }
      },
    })
    // The shell itself never fails; the sandbox may be killed for its time.
    if (outcomes.length < places.length) {
      throw new VmpkgError('IMAGE_DAMAGED', `The reader ended early (${exitCode}): ${stderr.trim().slice(-200)}`)
    }
    for (const outcome of outcomes) checkFound('grub-fstest', outcome.exitCode)
    return outcomes
  }

  const reader: Reader = {
    async look(places, path, { maxSize }: Limits) {
      const hashed = places.map(() => ({ size: 0, hash: createHash('sha256') }))
      const outcomes = await each('cat', places, path, {
        limit: maxSize + 1,
        take: (index, piece) => {
          const one = hashed[index]
          if (one === undefined) return
          one.hash.update(piece)
          one.size += piece.length
        },
      })
      return hashed.map(({ size, hash }, index): Entry => {
        if (size > maxSize) return tooLarge(undefined, maxSize)
        const outcome = outcomes[index]
        if (outcome?.exitCode === 0) return { state: 'file', size, sha256: hash.digest('hex') }
        return judge(outcome?.said ?? '')
      })
    },

    async read(place, path, file, take) {
      let size = 0
      await each('cat', [place], path, {
        limit: file.size + 1,
        take: async (_, piece) => {
          size += piece.length
          if (size > file.size) throw new VmpkgError('IMAGE_DAMAGED', `${path} is longer than before`)
          await take(piece)
        },
      })
    },

    async list(place, path): Promise<readonly Listed[] | undefined> {
      // `ls` of what is no folder says nothing, and succeeds.
      const [entry] = path === '/' ? [] : await reader.look([place], path, { maxSize: 0 })
      if (entry !== undefined && entry.state !== 'directory') return undefined
      const pieces: Buffer[] = []
      const folder = path.endsWith('/') ? path : `${path}/`
      const [outcome] = await each('ls -l', [place], folder, {
        limit: MAX_LISTING,
        take: (_, piece) => void pieces.push(Buffer.from(piece)),
      })
      if (outcome?.exitCode !== 0) return undefined
      return parseListing(Buffer.concat(pieces).toString())
    },
  }
  return reader
}

function judge(said: string): Entry {
  const text = said.replace(/^grub-fstest: error: (?:cannot open `[^]*': )?/, '').trim()
  if (/^(?:file `[^]*' not found|not a directory)/.test(text)) return { state: 'absent' }
  if (text.startsWith('not a regular file')) return { state: 'directory' }
  return { state: 'unreadable', reason: text === '' ? 'Its reader failed' : text.slice(0, 200) }
}

/** Size or DIR, an optional time, the name; a folder's has a slash. */
function parseListing(text: string): readonly Listed[] {
  return text.split('\n').flatMap((line): Listed[] => {
    const [, size = '', name = ''] = /^(DIR|\d+) +(?:\d{14} )?([^]+?) ?$/.exec(line) ?? []
    if (name === '') return []
    if (size === 'DIR') return [{ name: name.replace(/\/$/, ''), state: 'directory' }]
    return [{ name, state: 'file', size: Number(size) }]
  })
}

function device({ table, partition }: Place): string {
  if (table === 'none') return '(loop0)'
  return table === 'gpt' ? `(loop0,gpt${partition})` : `(loop0,msdos${partition})`
}
