/** I/O threads of a real guest: added, tuned, pinned and removed while it is there. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withoutLibvirt } from '../support/private-libvirt.ts'
import { fails, startSession } from '../support/session-domain.ts'

test('I/O threads come and go by their numbers', { skip: withoutLibvirt, timeout: 60_000 }, async () => {
  await using session = await startSession()
  await session.withGuest({ name: 'threads' }, async (domain) => {
    assert.deepEqual(await domain.getIOThreadInfo(), [])
    await domain.addIOThread({ iothreadId: 3, flags: ['live', 'config'] })
    await domain.setIOThreadParams({ iothreadId: 3, params: { poll_max_ns: 1000, poll_grow: 2 }, flags: ['live'] })
    await domain.pinIOThread({ iothreadId: 3, cpumap: [0] })
    assert.deepEqual(await domain.getIOThreadInfo({ flags: ['live'] }), [{ iothreadId: 3, cpumap: [0] }])
    const stats = await session.connect.getAllDomainStats({ domains: [domain], stats: ['iothread'] })
    assert.equal(stats[0]?.params['iothread.3.poll-max-ns'], 1000n)
    await assert.rejects(domain.addIOThread({ iothreadId: 3 }), fails('invalidArg'))
    await domain.delIOThread({ iothreadId: 3, flags: ['live', 'config'] })
    await assert.rejects(domain.delIOThread({ iothreadId: 3 }), fails('invalidArg'))
  })
})
