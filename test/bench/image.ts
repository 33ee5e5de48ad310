/**
 * Measures packing and installing one raw image against `cp` and `sha256sum` of it, all in one run; docs/images.md has
 * the figures.
 *
 *     node test/bench/image.ts IMAGE [LEVEL...]
 */
import { execFile, execFileSync } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { type PackedImage, packImage } from '../../src/image/pack-image.ts'

const [file, ...levels] = process.argv.slice(2)
if (file === undefined) throw new Error('usage: node test/bench/image.ts IMAGE [LEVEL...]')
const folder = await mkdtemp(join(tmpdir(), 'vmpkg-bench-'))
const script = fileURLToPath(new URL('image-install.ts', import.meta.url))
const run = promisify(execFile)

async function measure(run: () => unknown): Promise<string> {
  const began = performance.now()
  await run()
  return ((performance.now() - began) / 1000).toFixed(2)
}

async function install(what: string, base: URL, packed: PackedImage): Promise<void> {
  const images = join(folder, 'images')
  const args = [base.href, images, packed.digest, String(packed.size), packed.map.file, packed.transport.file]
  const { stdout } = await run(process.execPath, [script, ...args])
  const told = JSON.parse(stdout) as Record<'seconds' | 'peakMib' | 'loopDelayMs' | 'loopDelay99Ms', number>
  console.log(
    `  ${what}: ${told.seconds.toFixed(2)} s, peak ${told.peakMib.toFixed(0)} MiB, event loop held up for ` +
      `${told.loopDelayMs.toFixed(0)} ms at most, ${told.loopDelay99Ms.toFixed(0)} ms at the 99th percentile`,
  )
  await rm(images, { recursive: true })
}

/** Ranges as `bytes=A-B` only: what our client asks for. */
const server = createServer((request, response) => {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
  const path = join(folder, 'registry', new URL(request.url ?? '/', 'http://localhost').pathname)
  const range = first === undefined ? {} : { start: Number(first), end: Number(last) }
  const headers = first === undefined ? {} : { 'content-range': `bytes ${first}-${last}/*` }
  response.writeHead(first === undefined ? 200 : 206, headers)
  createReadStream(path, { ...range, highWaterMark: 1024 * 1024 }).pipe(response)
})

try {
  const { size, blocks } = await stat(file)
  console.log(`${(size / 2 ** 20).toFixed(0)} MiB, ${((blocks * 512) / 2 ** 20).toFixed(0)} MiB allocated`)
  let packed: PackedImage | undefined
  const outDir = join(folder, 'registry')
  for (const level of levels.length > 0 ? levels.map(Number) : [12]) {
    await rm(outDir, { recursive: true, force: true })
    const seconds = await measure(async () => {
      packed = await packImage({ file, outDir, level })
    })
    const bytes = packed?.transport.fullBytes ?? 0
    console.log(`pack at level ${level}: ${seconds} s, ${(bytes / 2 ** 20).toFixed(1)} MiB to fetch`)
  }
  if (packed === undefined) throw new Error('nothing was packed')
  console.log(`map ${packed.map.size} bytes, transport index ${packed.transport.size} bytes`)
  server.listen(0, '127.0.0.1')
  for (let round = 1; round <= 3; round++) {
    console.log(`round ${round}`)
    const copy = join(folder, 'copy')
    const copied = await measure(() => execFileSync('cp', ['--sparse=always', file, copy]))
    const hashed = await measure(() => execFileSync('sha256sum', [copy], { stdio: 'ignore' }))
    await rm(copy)
    console.log(`  cp ${copied} s, sha256sum ${hashed} s`)
    await install('install from a folder', pathToFileURL(outDir), packed)
    await install(
      'install over loopback',
      new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`),
      packed,
    )
  }
} finally {
  server.close()
  await rm(folder, { recursive: true, force: true })
}
