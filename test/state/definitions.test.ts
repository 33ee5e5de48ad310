import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { openStateDatabase } from '../../src/state/database.ts'
import { type Definition, Definitions } from '../../src/state/definitions.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const DOMAIN: Definition = {
  uuid: '11111111-1111-4111-8111-111111111111',
  kind: 'domain',
  name: 'router-uni',
  package: 'router-uni',
  rendered: '<domain/>',
  defined: "<domain type='kvm'/>",
  context: { lan: { cidr: '10.1.1.0/24' } },
}
const NETWORK: Definition = { ...DOMAIN, uuid: '22222222-2222-4222-8222-222222222222', kind: 'network', name: 'uni0' }

test('definitions come back as they were put, networks first, and replace their former ones', async (t) => {
  const database = openStateDatabase(join(await makeTempFolder(t), 'state.db'))
  t.after(() => database.close())
  const definitions = new Definitions(database, 'here')
  definitions.put(DOMAIN)
  definitions.put(NETWORK)
  assert.deepEqual(definitions.find(DOMAIN.uuid), DOMAIN)
  assert.deepEqual(definitions.ofPackage('router-uni'), [NETWORK, DOMAIN])
  assert.deepEqual(new Definitions(database, 'there').ofPackage('router-uni'), [])
  const next = { ...DOMAIN, rendered: '<domain>2</domain>' }
  definitions.put(next)
  assert.deepEqual(definitions.find(DOMAIN.uuid), next)
  definitions.remove(DOMAIN.uuid)
  assert.equal(definitions.find(DOMAIN.uuid), undefined)
})
