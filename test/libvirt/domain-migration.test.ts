/** What can be said of a migration with one host: its limits, its first step, and what needs one under way. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withoutLibvirt } from '../support/private-libvirt.ts'
import { fails, startSession } from '../support/session-domain.ts'

test('a migration has limits, and begins on the source', { skip: withoutLibvirt, timeout: 60_000 }, async () => {
  await using session = await startSession()
  await session.withGuest({ name: 'moving' }, async (domain) => {
    await domain.migrateSetMaxDowntime({ downtime: 250n })
    assert.equal(await domain.migrateGetMaxDowntime(), 250n)
    await domain.migrateSetMaxSpeed({ bandwidth: 7n })
    assert.equal(await domain.migrateGetMaxSpeed(), 7n)
    assert.equal(await domain.migrateGetMaxSpeed({ flags: ['postcopy'] }), 0n)
    await domain.migrateSetCompressionCache({ cacheSize: 33_554_432n })
    assert.equal(await domain.migrateGetCompressionCache(), 33_554_432n)
    await assert.rejects(domain.migrateStartPostCopy(), fails('operationInvalid'))
    const params = { destination_name: 'moved', migrate_disks: ['vda'] }
    const name = { destination_name: 'moved' }
    await assert.rejects(domain.migrateBegin({ params: name, flags: ['live'] }), fails('migrateUnsafe'))
    const begun = await domain.migrateBegin({ params, flags: ['live', 'paused', 'nonSharedDisk'] })
    assert.match(begun.xml, /<name>moving<\/name>/)
    assert.match(begun.cookieOut.toString('latin1'), /<qemu-migration>/)
  })
})
