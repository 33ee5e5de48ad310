/** router newnym as a process, on a real daemon's test driver: whom it asks. That Tor does it is in test/e2e/layers.test.ts. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Domain } from '../../src/libvirt/domain.ts'
import { formatDomainFacts } from '../../src/render/facts-xml.ts'
import { type LibvirtHouse, startHouse } from '../support/libvirt-house.ts'
import { withoutLibvirt } from '../support/private-libvirt.ts'
import { behind, router } from '../support/topologies.ts'

describe('router newnym', { skip: withoutLibvirt, timeout: 180_000 }, () => {
  let house: LibvirtHouse
  const refusal = async (...words: readonly string[]): Promise<readonly [number, string]> => {
    const { status, stderr } = await house.cli.run(['router', 'newnym', ...words])
    return [status, stderr]
  }
  const define = async (name: string, instance: string): Promise<Domain> => {
    const { facts } = router(name, 'sol', instance, behind('gal0', '10.2.2.2'))
    assert.ok(facts !== undefined)
    const metadata = `<metadata>${formatDomainFacts(facts)}</metadata>`
    const xml = `<domain type='test'><name>${name}</name>${metadata}<memory>8192</memory><os><type>hvm</type></os></domain>`
    return house.connect.domainDefineXML({ xml })
  }
  before(async () => {
    house = await startHouse()
  })
  after(() => house?.stop())

  test('where no router has Tor it says so, and a router without Tor is not asked', async () => {
    const [status, said] = await refusal()
    assert.equal(status, 2)
    assert.match(said, /There is no router with Tor.*\[USAGE\]/)
    const [other, why] = await refusal('router-gal')
    assert.equal(other, 2)
    assert.match(why, /router-gal is not a router with Tor/)
    assert.match((await refusal('nobody'))[1], /\[DOMAIN_UNKNOWN\]/)
  })

  test('it asks the only one, which has to run, and tells of silence', async () => {
    const domain = await define('router-sol', 'sol0')
    const [status, stopped] = await refusal()
    assert.equal(status, 100)
    assert.match(stopped, /router-sol does not run.*\[DOMAIN_STATE\]/)
    await domain.create()
    assert.equal(await house.cli.ok(['router', 'newnym', '--dry-run']), 'Would ask router-sol for new circuits\n')
    assert.match((await refusal())[1], /router-sol made no new circuits: it gave no answer.*\[GUEST_NOT_READY\]/)
  })

  test('of several it asks the one that is named', async () => {
    await (await define('router-sol-1', 'sol1')).create()
    const [status, several] = await refusal()
    assert.equal(status, 2)
    assert.match(several, /several routers with Tor: router-sol, router-sol-1/)
    const { router: asked } = await house.cli.json(['router', 'newnym', 'router-sol-1', '--dry-run'])
    assert.equal(asked, 'router-sol-1')
  })
})
