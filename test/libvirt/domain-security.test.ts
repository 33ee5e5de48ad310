/** Labels of security drivers: text of one word for each char. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withoutLibvirt } from '../support/private-libvirt.ts'
import { fails, startSession } from '../support/session-domain.ts'

test('labels are text without their NUL', { skip: withoutLibvirt, timeout: 60_000 }, async () => {
  await using session = await startSession('test:///default')
  const domain = await session.connect.domainLookupByName({ name: 'test' })
  assert.deepEqual(await domain.getSecurityLabel(), { label: 'libvirt-test', enforcing: true })
})

test('a guest of a session has no label, and nothing measured its launch', {
  skip: withoutLibvirt,
  timeout: 60_000,
}, async () => {
  await using session = await startSession()
  await session.withGuest({ name: 'plain' }, async (domain) => {
    assert.deepEqual(await domain.getSecurityLabelList(), [{ label: '', enforcing: false }])
    assert.deepEqual(Object.keys(await domain.getLaunchSecurityInfo()), [])
    const params = { 'sev-secret': 'eA==', 'sev-secret-header': 'eA==' }
    await assert.rejects(domain.setLaunchSecurityState({ params }), fails('operationUnsupported'))
  })
})
