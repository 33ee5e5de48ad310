/** Pools, volumes and their streams on a real session daemon and real files. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { after, before, describe, test } from 'node:test'
import { Connect } from '../../src/libvirt/connect.ts'
import { LibvirtError } from '../../src/libvirt/error.ts'
import { type StoragePool, storagePoolMethods, storageVolMethods } from '../../src/libvirt/storage.ts'
import { type PrivateLibvirt, startPrivateLibvirt, withoutLibvirt } from '../support/private-libvirt.ts'
import { notRecorded, recordCalls } from '../support/recorded-calls.ts'

const MIB = 1_048_576
const volXml = (name: string, sizeBytes: number) =>
  `<volume><name>${name}</name><capacity>${sizeBytes}</capacity><target><format type='raw'/></target></volume>`
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

describe('StoragePool and StorageVolume', { skip: withoutLibvirt, timeout: 120_000 }, () => {
  const recorded = recordCalls()
  let daemon: PrivateLibvirt
  let connect: Connect
  let pool: StoragePool
  let folder: string
  before(async () => {
    daemon = await startPrivateLibvirt()
    folder = join(await daemon.makeFolder('pools'), 'main')
    connect = await Connect.open(daemon.uri())
    const xml = `<pool type='dir'><name>main</name><target><path>${folder}</path></target></pool>`
    pool = await connect.storagePoolDefineXML({ xml })
    await pool.build()
    await pool.create()
  })
  after(async () => {
    await connect?.close()
    await daemon?.stop()
  })

  test('a pool is found by every key and tells its size', async () => {
    assert.equal((await connect.storagePoolLookupByName({ name: 'main' })).uuid, pool.uuid)
    assert.equal((await connect.storagePoolLookupByUuid({ uuid: pool.uuid })).name, 'main')
    assert.equal((await connect.storagePoolLookupByTargetPath({ path: folder })).name, 'main')
    assert.deepEqual(
      (await connect.listAllStoragePools({ flags: ['active'] })).map(({ name }) => name),
      ['main'],
    )
    const info = await pool.getInfo()
    assert.equal(info.state, 'running')
    assert.equal(info.capacity, info.allocation + info.available)
    await pool.refresh()
    await pool.setAutostart({ autostart: true })
    assert.deepEqual([await pool.getAutostart(), await pool.isActive()], [true, true])
    assert.equal(await pool.isPersistent(), true)
    assert.match(await pool.getXMLDesc(), /<pool type='dir'>/)
    assert.deepEqual(await connect.listAllStoragePools({ flags: ['rbd', 'iscsiDirect'] }), [])
  })

  test('sources of pools are looked for', async () => {
    await using driver = await Connect.open(daemon.uri('test:///default'))
    assert.match(await driver.findStoragePoolSources({ type: 'logical' }), /<name>testvg1<\/name>/)
    const srcSpec = "<source><host name='localhost'/></source>"
    assert.match(await driver.findStoragePoolSources({ type: 'netfs', srcSpec }), /<host name='localhost'\/>/)
    await assert.rejects(
      connect.findStoragePoolSources({ type: 'dir' }),
      (error) => error instanceof LibvirtError && error.is('noSupport'),
    )
  })

  test('a pool is made and removed, and tells of it', async () => {
    const feed = connect.events('pool.lifecycle')
    await feed.ready
    const path = await daemon.makeFolder('second')
    const second = await connect.storagePoolCreateXML({
      xml: `<pool type='dir'><name>second</name><target><path>${path}</path></target></pool>`,
    })
    await second.destroy()
    const kept = await connect.storagePoolDefineXML({
      xml: `<pool type='dir'><name>third</name><target><path>${path}</path></target></pool>`,
    })
    await kept.delete()
    await kept.undefine()
    const told: string[] = []
    for await (const event of feed) if (told.push(`${event.pool.name} ${event.event}`) === 5) break
    assert.deepEqual(told, ['second started', 'second stopped', 'third defined', 'third deleted', 'third undefined'])
  })

  test('a volume is found by every key, resized, copied, wiped and deleted', async () => {
    const vol = await pool.storageVolCreateXML({ xml: volXml('a.raw', MIB) })
    const path = await vol.getPath()
    assert.equal(path, join(folder, 'a.raw'))
    assert.equal((await connect.storageVolLookupByPath({ path })).name, 'a.raw')
    assert.equal((await connect.storageVolLookupByKey({ key: vol.key })).name, 'a.raw')
    assert.equal((await pool.storageVolLookupByName({ name: 'a.raw' })).key, vol.key)
    assert.equal((await vol.storagePoolLookupByVolume()).uuid, pool.uuid)
    assert.deepEqual(
      (await pool.listAllVolumes()).map(({ name }) => name),
      ['a.raw'],
    )
    await vol.resize({ capacity: BigInt(2 * MIB) })
    assert.equal((await vol.getInfo()).capacity, BigInt(2 * MIB))
    assert.equal((await vol.getInfoFlags({ flags: ['physical'] })).type, 'file')
    assert.match(await vol.getXMLDesc(), /a\.raw/)
    const copy = await pool.storageVolCreateXMLFrom({ xml: volXml('b.raw', 2 * MIB), cloneVol: vol })
    await copy.wipe({ algorithm: 'zero' })
    await copy.delete()
    await vol.delete()
    await assert.rejects(vol.getInfo(), (error) => error instanceof LibvirtError && error.is('noStorageVol'))
  })

  test('data goes up and comes down unchanged', async () => {
    const data = randomBytes(9 * MIB + 5)
    const vol = await pool.storageVolCreateXML({ xml: volXml('data.raw', data.length) })
    await pipeline(Readable.from(pieces(data)), await vol.upload({ offset: 0n, length: BigInt(data.length) }))
    assert.equal(sha256(await readFile(join(folder, 'data.raw'))), sha256(data))
    assert.equal(sha256(await collect(await vol.download({ offset: 0n, length: 0n }))), sha256(data))
    const part = await collect(await vol.download({ offset: 1000n, length: 2000n }))
    assert.deepEqual(part, data.subarray(1000, 3000))
  })

  test('holes stay holes up and down, and the bytes are the true ones', async () => {
    const data = Buffer.alloc(32 * MIB)
    randomBytes(100_000).copy(data, 5 * MIB)
    const vol = await pool.storageVolCreateXML({ xml: volXml('sparse.raw', data.length) })
    const up = await vol.upload({ offset: 0n, length: BigInt(data.length), flags: ['sparse'] })
    await pipeline(Readable.from(pieces(data)), up)
    const file = join(folder, 'sparse.raw')
    assert.equal(sha256(await readFile(file)), sha256(data))
    assert.ok((await stat(file)).blocks * 512 < 2 * MIB)
    const down = await collect(await vol.download({ offset: 0n, length: 0n, flags: ['sparse'] }))
    assert.equal(sha256(down), sha256(data))
  })

  test('a stream that is destroyed halfway leaves the connection usable', async () => {
    const vol = await pool.storageVolLookupByName({ name: 'data.raw' })
    const down = await vol.download({ offset: 0n, length: 0n })
    await new Promise((resolve) => down.once('readable', resolve))
    down.destroy()
    const up = await vol.upload({ offset: 0n, length: 0n })
    await new Promise((resolve) => up.write(Buffer.alloc(MIB), resolve))
    await up[Symbol.asyncDispose]()
    assert.equal(await pool.isActive(), true)
  })

  test('a slow reader holds the sender back and stalls no other call', async () => {
    const vol = await pool.storageVolLookupByName({ name: 'sparse.raw' })
    const down = await vol.download({ offset: 0n, length: 0n })
    await new Promise((resolve) => setTimeout(resolve, 200))
    assert.ok(down.readableLength <= 4 * MIB)
    assert.equal(await pool.isActive(), true)
    let received = 0
    for await (const piece of down) received += (piece as Buffer).length
    assert.equal(received, 32 * MIB)
  })

  test('a stream that cannot be opened rejects', async () => {
    const vol = await pool.storageVolLookupByName({ name: 'data.raw' })
    await assert.rejects(vol.download({ offset: -1n, length: 0n }), LibvirtError)
    await assert.rejects(vol.download({ offset: 2n ** 62n, length: 0n }), LibvirtError)
  })

  test('every procedure of both tables has run', async () => {
    for (const vol of await pool.listAllVolumes()) await vol.delete()
    await pool.destroy()
    await pool.delete()
    await pool.undefine()
    assert.deepEqual([...notRecorded(storagePoolMethods, recorded), ...notRecorded(storageVolMethods, recorded)], [])
  })
})

function* pieces(data: Buffer): Generator<Buffer> {
  for (let start = 0; start < data.length; start += 300_000) yield data.subarray(start, start + 300_000)
}

async function collect(stream: Readable): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of stream) parts.push(part as Buffer)
  return Buffer.concat(parts)
}
