/**
 * Fetches an image, then a later one, into a store on the volume, and prints JSON: what the later one took of the file system, how
 * many of its extents are shared, and whether both are whole. Arguments: the volume, the registry's folder.
 */
import { execFileSync } from 'node:child_process'
import { lstat, readFile, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { ImageStore } from '../../../src/image/store.ts'
import { parseSha256, sha256 } from '../../../src/model/digest.ts'
import { folderBlobs } from '../../support/folder-blobs.ts'

const [volume = '', registry = ''] = process.argv.slice(2)
const facts = JSON.parse(await readFile(join(registry, 'facts.json'), 'utf8')) as readonly {
  readonly digest: string
  readonly size: number
  readonly map: string
  readonly transport: string
}[]
const store = new ImageStore(join(volume, 'images'))
const used = async (): Promise<number> => {
  execFileSync('sync', ['-f', volume])
  const { blocks, bfree, bsize } = await statfs(volume)
  return (blocks - bfree) * bsize
}
const alike: { digest: ReturnType<typeof parseSha256>; map: { sha256: ReturnType<typeof parseSha256> } }[] = []
const fetched = []
for (const fact of facts) {
  const [mapBytes, indexBytes] = await Promise.all([readFile(fact.map), readFile(fact.transport)])
  const map = { sha256: sha256(mapBytes), size: mapBytes.length }
  const image = { digest: parseSha256(fact.digest), size: fact.size, map }
  const before = await used()
  const blobs = folderBlobs(registry)
  let localBytes = 0
  const path = await store.fetch({
    image,
    mapBytes,
    indexBytes,
    blobs,
    alike,
    subject: 'image',
    emit: (event) => {
      if (event.type === 'transfer-planned') localBytes = event.localBytes
    },
  })
  const took = (await used()) - before
  alike.push({ digest: image.digest, map: { sha256: map.sha256 } })
  const shared =
    execFileSync('filefrag', ['-v', path])
      .toString()
      .match(/\bshared\b/g)?.length ?? 0
  const { blocks, mode } = await lstat(path)
  const isWhole = sha256(await readFile(path)) === fact.digest
  fetched.push({ took, shared, localBytes, isWhole, moved: blobs.bytes, blocks: blocks * 512, mode: mode & 0o777 })
}
console.log(
  JSON.stringify({ fetched, left: await store.listUnreferenced({ images: new Set(alike.map((one) => one.digest)) }) }),
)
