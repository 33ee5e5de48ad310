import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { startPlace, withoutPlace } from '../support/publish-places.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

for (const kind of ['rsync', 'rsync+ssh', 'sftp'] as const) {
  describe(`a target over ${kind}`, { skip: withoutPlace(kind) }, () => {
    test('reads as empty where there is nothing, then stores, lists, replaces nothing and removes', async (t) => {
      await using place = await startPlace(kind)
      await using target = await place.open('not there yet')
      const folder = await makeTempFolder(t)
      assert.deepEqual(await target.list(['root', 'incoming']), [])
      assert.deepEqual([...(await target.sizes(['root/1.json']))], [])
      await target.fetch([{ path: 'envelope.json', maxBytes: 10 }], folder)
      await mkdir(join(folder, 'root'))
      for (const text of ['first', 'other']) {
        await writeFile(join(folder, 'root/1.json'), text)
        await target.store(folder, ['root/1.json'], () => {})
      }
      const stored = join(place.folder ?? '', 'not there yet/root/1.json')
      assert.equal(await readFile(stored, 'utf8'), 'first')
      assert.deepEqual(await target.list(['root', 'incoming']), ['root/1.json'])
      assert.deepEqual([...(await target.sizes(['root/1.json', 'root/2.json']))], [['root/1.json', 5]])
      await assert.rejects(target.fetch([{ path: 'root/1.json', maxBytes: 3 }], folder), { code: 'REGISTRY_INVALID' })
      await target.swapEnvelope(undefined, Buffer.from('1'))
      await assert.rejects(target.swapEnvelope(undefined, Buffer.from('2')), { code: 'REGISTRY_CHANGED' })
      await target.swapEnvelope(Buffer.from('1'), Buffer.from('2'))
      await target.remove(['root/1.json', 'root/2.json'])
      assert.deepEqual(await target.list(['root', '.publishing']), [])
    })
  })
}
