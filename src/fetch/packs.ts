/** Ranges of packs from a source's mirrors, as `image/` asks for them. */
import type { BlobSource } from './blob-source.ts'
import { download } from './download.ts'
import { type Mirror, type Mirrors, mirrorSet, originOf } from './mirror.ts'

interface Served {
  readonly path: string
  readonly start: number
  end: number
  readonly mirror: Mirror
}

/** Frames are checked soon after they came: who sent what before the last of these ranges matters no more. */
const MAX_SERVED = 1024

export function packSource(from: Mirrors): BlobSource {
  const served: Served[] = []
  const { mirrors, penalties } = mirrorSet(from)
  return {
    origin: originOf(from),
    places: mirrors.length,
    read: (range) =>
      download(from, {
        ...range,
        onServed: (mirror, start, end) => {
          const last = served.at(-1)
          const isNext = last?.path === range.path && last.mirror === mirror && last.end === start
          if (isNext && last !== undefined) last.end = end
          else served.push({ path: range.path, start, end, mirror })
          if (served.length > MAX_SERVED) served.shift()
        },
      }),
    distrust: ({ path, start, end }) => {
      const guilty = served.filter((one) => one.path === path && one.start < end && start < one.end)
      for (const { base } of new Set(guilty.map(({ mirror }) => mirror))) penalties.blame(base, 'wrong-bytes')
    },
  }
}
