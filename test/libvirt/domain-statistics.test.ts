/** Figures of a guest's disks and cards, one by one and all at once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withoutLibvirt } from '../support/private-libvirt.ts'
import { fails, startSession } from '../support/session-domain.ts'

test('figures have names with types', { skip: withoutLibvirt, timeout: 60_000 }, async () => {
  await using session = await startSession()
  await session.withGuest({ name: 'figures' }, async (domain) => {
    const more = await domain.blockStatsFlags({ path: 'vda' })
    assert.deepEqual([more.rd_operations, more.wr_bytes, more.errs], [0n, 0n, undefined])
    assert.equal((await domain.blockStats({ path: '' })).errs, -1n)
    const [all] = await session.connect.getAllDomainStats({ domains: [domain], stats: ['state', 'block', 'vcpu'] })
    const capacity: bigint | undefined = all?.params['block.0.capacity']
    assert.equal(capacity, 1_048_576n)
    assert.deepEqual([all?.params['state.state'], all?.params['state.reason']], [3, 1])
    assert.deepEqual([all?.params['vcpu.current'], all?.params['vcpu.0.state']], [1, 1])
    await domain.destroy()
    await assert.rejects(domain.blockStatsFlags({ path: 'vda' }), fails('operationInvalid'))
  })
})
