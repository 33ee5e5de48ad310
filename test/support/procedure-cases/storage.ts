/** Storage pools, volumes and their streams. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { collect, type Exercise } from './exercise.ts'

const MIB = 1_048_576
const volXml = (name: string) =>
  `<volume><name>${name}</name><capacity>${MIB}</capacity><target><format type='raw'/></target></volume>`

export async function keepsVolumes(x: Exercise): Promise<void> {
  const { connect } = x
  const path = x.at('pool')
  const poolXml = (name: string) => `<pool type='dir'><name>${name}</name><target><path>${path}</path></target></pool>`
  const pool = await x.does(connect.storagePoolDefineXML({ xml: poolXml('main') }), ({ name }) =>
    assert.equal(name, 'main'),
  )
  const isThis = (found: { readonly uuid: string }) => assert.equal(found.uuid, pool.uuid)
  await x.tries(pool.build())
  await x.tries(pool.create())
  await x.tries(connect.storagePoolLookupByName({ name: 'main' }), isThis)
  await x.tries(connect.storagePoolLookupByUuid({ uuid: pool.uuid }), isThis)
  await x.tries(connect.storagePoolLookupByTargetPath({ path }), isThis)
  await x.tries(connect.listAllStoragePools({ flags: ['active'] }), ([first]) => assert.equal(first?.uuid, pool.uuid))
  await x.tries(pool.getInfo(), ({ state, capacity }) => {
    assert.equal(state, 'running')
    assert.ok(capacity > 0n)
  })
  await x.tries(pool.refresh())
  await x.tries(pool.setAutostart({ autostart: true }))
  await x.tries(pool.getAutostart(), (is) => assert.equal(is, true))
  await x.tries(pool.isActive(), (is) => assert.equal(is, true))
  await x.tries(pool.isPersistent(), (is) => assert.equal(is, true))
  // What a host has of LVM or NFS is not asked for; the test driver makes some up.
  await x.tries(connect.findStoragePoolSources({ type: 'dir' }))
  if (x.test !== undefined)
    await x.tries(x.test.findStoragePoolSources({ type: 'logical' }), (xml) => assert.match(xml, /^<sources/))
  await x.tries(pool.getXMLDesc(), (xml) => assert.match(xml, /^<pool type='dir'>/))
  const vol = await x.does(pool.storageVolCreateXML({ xml: volXml('a.raw') }), ({ name }) =>
    assert.equal(name, 'a.raw'),
  )
  const isVol = (found: { readonly key: string }) => assert.equal(found.key, vol.key)
  await x.tries(pool.listAllVolumes(), (all) =>
    assert.deepEqual(
      all.map(({ name }) => name),
      ['a.raw'],
    ),
  )
  await x.tries(pool.storageVolLookupByName({ name: 'a.raw' }), isVol)
  await x.tries(connect.storageVolLookupByKey({ key: vol.key }), isVol)
  await x.tries(vol.getPath(), (at) => assert.equal(at, `${path}/a.raw`))
  await x.tries(connect.storageVolLookupByPath({ path: `${path}/a.raw` }), isVol)
  await x.tries(vol.storagePoolLookupByVolume(), isThis)
  await x.tries(vol.getInfo(), ({ type, capacity }) => assert.deepEqual([type, capacity], ['file', BigInt(MIB)]))
  await x.tries(vol.getInfoFlags({ flags: ['physical'] }), ({ type }) => assert.equal(type, 'file'))
  await x.tries(vol.getXMLDesc(), (xml) => assert.match(xml, /<name>a\.raw<\/name>/))
  const data = randomBytes(MIB)
  await x.tries(vol.upload({ offset: 0n, length: BigInt(MIB) }), (stream) => pipeline(Readable.from([data]), stream))
  await x.tries(vol.download({ offset: 0n, length: 0n }), async (stream) =>
    assert.ok((await collect(stream)).equals(data)),
  )
  await x.tries(vol.resize({ capacity: BigInt(2 * MIB) }))
  await x.tries(pool.storageVolCreateXMLFrom({ xml: volXml('b.raw'), cloneVol: vol }), ({ name }) =>
    assert.equal(name, 'b.raw'),
  )
  await x.tries(vol.wipe({ algorithm: 'zero' }))
  for (const one of await pool.listAllVolumes()) await x.tries(one.delete())
  await x.tries(pool.destroy())
  await x.tries(pool.delete())
  await x.tries(pool.undefine())
  await x.daemon.makeFolder('second')
  const second = await x.tries(
    connect.storagePoolCreateXML({
      xml: `<pool type='dir'><name>second</name><target><path>${x.at('second')}</path></target></pool>`,
    }),
    ({ name }) => assert.equal(name, 'second'),
  )
  await second?.destroy()
}
