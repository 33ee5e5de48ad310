/**
 * Puts the older image into a new store, as an installed host has it, then fetches the later one and prints the bytes that
 * moved. Arguments: registry folder, store folder, older file, later file, `full`, `chunks` or `delta`.
 */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { chmod, copyFile, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { packSource } from '../../src/fetch/packs.ts'
import { type AlikeImage, ImageStore } from '../../src/image/store.ts'
import { parseSha256 } from '../../src/model/digest.ts'
import { systemHttp } from '../../src/node/http.ts'
import type { Published } from './image-publish.ts'

const [registry = '', folder = '', before = '', after = '', mode = ''] = process.argv.slice(2)

async function factsOf(file: string): Promise<Published> {
  const name = `${createHash('sha256').update(file).digest('hex')}.json`
  return JSON.parse(await readFile(join(registry, 'facts', name), 'utf8')) as Published
}

const store = new ImageStore(folder)
const alike: AlikeImage[] = []
const later = await factsOf(after)
let bytes = 0
if (mode !== 'full') {
  const old = await factsOf(before)
  const digest = parseSha256(old.digest)
  await mkdir(join(folder, 'maps'), { recursive: true })
  await copyFile(before, store.pathOf(digest), constants.COPYFILE_FICLONE)
  await chmod(store.pathOf(digest), 0o444)
  await copyFile(old.map.file, join(folder, 'maps', old.map.sha256))
  const map = { sha256: parseSha256(old.map.sha256) }
  const made = mode === 'delta' ? later.deltas.find(({ from }) => from === digest) : undefined
  const index = made && { sha256: parseSha256(made.index.sha256), size: made.index.size }
  alike.push({
    digest,
    map,
    ...(made &&
      index && {
        delta: {
          index,
          packBytes: made.packBytes,
          readIndex: async () => readFile(join(registry, 'transport', index.sha256)),
        },
      }),
  })
}
const { size } = later
await store.fetch({
  image: {
    digest: parseSha256(later.digest),
    size,
    map: { sha256: parseSha256(later.map.sha256), size: later.map.size },
  },
  mapBytes: await readFile(later.map.file),
  indexBytes: await readFile(later.transport.file),
  blobs: packSource({ http: systemHttp({}), base: pathToFileURL(`${registry}/`) }),
  alike,
  subject: 'image',
  emit: (event) => {
    if (event.type === 'transfer-planned') bytes = event.chosen.bytes + event.indexBytes
  },
})
console.log(bytes)
