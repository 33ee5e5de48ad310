/** Fetches one image into a store. Arguments: base URL, store folder, registry folder, JSON of the image, transport digest. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { packSource } from '../../../src/fetch/packs.ts'
import { ImageStore, type StoredImage } from '../../../src/image/store.ts'
import { systemHttp } from '../../../src/node/http.ts'

const [base = '', folder = '', registry = '', json = '', transport = ''] = process.argv.slice(2)
const image = JSON.parse(json) as StoredImage
await new ImageStore(folder).fetch({
  image,
  mapBytes: await readFile(join(registry, 'map', image.map.sha256)),
  indexBytes: await readFile(join(registry, 'transport', transport)),
  blobs: packSource({ http: systemHttp({}), base: new URL(base) }),
  subject: 'image',
  threads: 1,
})
console.log('done')
