/**
 * Installs one packed image into a new store and prints JSON: seconds, peak resident MiB, longest event loop delay in ms.
 * Arguments: base URL, folder of the store, digest, size, map file, transport file, threads. A process of its own, for its memory.
 */
import { readFile } from 'node:fs/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { packSource } from '../../src/fetch/packs.ts'
import { ImageStore } from '../../src/image/store.ts'
import { parseSha256, sha256 } from '../../src/model/digest.ts'
import { systemHttp } from '../../src/node/http.ts'

const [base = '', folder = '', digest = '', size = '', mapFile = '', transportFile = '', threads] =
  process.argv.slice(2)
const [mapBytes, indexBytes] = await Promise.all([readFile(mapFile), readFile(transportFile)])
const map = { sha256: sha256(mapBytes), size: mapBytes.length }
const loop = monitorEventLoopDelay({ resolution: 1 })
loop.enable()
const began = performance.now()
await new ImageStore(folder).fetch({
  image: { digest: parseSha256(digest), size: Number(size), map },
  mapBytes,
  indexBytes,
  blobs: packSource({ http: systemHttp({}), base: new URL(base) }),
  subject: 'image',
  ...(threads === undefined ? {} : { threads: Number(threads) }),
})
const seconds = (performance.now() - began) / 1000
loop.disable()
console.log(
  JSON.stringify({
    seconds,
    peakMib: process.resourceUsage().maxRSS / 1024,
    loopDelayMs: loop.max / 1e6,
    loopDelay99Ms: loop.percentile(99) / 1e6,
  }),
)
