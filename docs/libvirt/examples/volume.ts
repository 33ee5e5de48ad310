import { createReadStream, createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { Connect } from 'vmpkg/libvirt'

const [poolName = 'default', file = 'disk.raw'] = process.argv.slice(2)
const { size } = await stat(file)
const xml = `<volume><name>copy.raw</name><capacity>${size}</capacity><target><format type='raw'/></target></volume>`

await using connect = await Connect.open()
const pool = await connect.storagePoolLookupByName({ name: poolName })
const volume = await pool.storageVolCreateXML({ xml })
const upload = await volume.upload({ offset: 0n, length: BigInt(size), flags: ['sparse'] })
await pipeline(createReadStream(file), counting('up'), upload)
const download = await volume.download({ offset: 0n, length: 0n, flags: ['sparse'] })
await pipeline(download, counting('down'), createWriteStream(`${file}.back`))

/** A step of a pipeline that tells how far it is. */
function counting(way: string) {
  return async function* (chunks: AsyncIterable<Buffer>) {
    let done = 0
    for await (const chunk of chunks) {
      done += chunk.length
      process.stdout.write(`\r${way} ${Math.floor((100 * done) / size)} %`)
      yield chunk
    }
    process.stdout.write('\n')
  }
}
