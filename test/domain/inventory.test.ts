import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  findDomain,
  getMachine,
  listMachines,
  listPoolMembers,
  listTakenNames,
  newPoolName,
} from '../../src/domain/inventory.ts'
import { Connect } from '../../src/libvirt/connect.ts'
import type { DomainFacts } from '../../src/model/libvirt-facts.ts'
import { systemOutside } from '../../src/node/outside.ts'
import { formatDomainFacts } from '../../src/render/facts-xml.ts'
import { APP_FACTS } from '../support/app-facts.ts'
import { startPrivateLibvirt } from '../support/private-libvirt.ts'

const { randomness } = systemOutside({ emit: () => {}, signal: new AbortController().signal, env: {}, offline: false })
const [TAKEN, WAITING, YOUNGER] = ['pool-0123456789ab', 'pool-ba9876543210', 'pool-aaaaaaaaaaaa'] as const

describe('machines that came out of pools', () => {
  let daemon: Awaited<ReturnType<typeof startPrivateLibvirt>>
  let connect: Connect

  before(async () => {
    daemon = await startPrivateLibvirt()
    connect = await Connect.open(daemon.uri('test:///default'))
    const stand = async (name: string, more: Partial<DomainFacts> | undefined): Promise<void> => {
      const metadata = more === undefined ? '' : `<metadata>${formatDomainFacts({ ...APP_FACTS, ...more })}</metadata>`
      const rest = `${metadata}<memory>8192</memory><os><type>hvm</type></os>`
      await connect.domainDefineXML({ xml: `<domain type='test'><name>${name}</name>${rest}</domain>` })
    }
    await stand('plain', {})
    await stand(TAKEN, { alias: 'browser' })
    await stand(WAITING, { pool: 'ready', createdAt: '2026-11-02T00:00:00Z' })
    await stand(YOUNGER, { pool: 'filling', createdAt: '2026-11-03T00:00:00Z' })
    await stand('pool-ffffffffffff', undefined)
  })
  after(async () => {
    await connect.close()
    await daemon.stop()
  })

  test('have the name that the user gave them, and that name is taken', async () => {
    const names = (await listMachines(connect)).map(({ name }) => name)
    assert.deepEqual(names, ['browser', 'plain'])
    const { domain, name } = await getMachine(connect, 'browser')
    assert.deepEqual([domain.name, name], [TAKEN, 'browser'])
    assert.equal((await getMachine(connect, TAKEN)).name, 'browser')
    assert.equal((await findDomain(connect, 'browser'))?.name, TAKEN)
    const taken = await listTakenNames(connect)
    assert.deepEqual(
      ['browser', 'plain', TAKEN, WAITING, 'test', 'free'].map((one) => taken.has(one)),
      [true, true, true, true, true, false],
    )
  })

  test('are not what still waits: that is listed by itself, the oldest first, and is nobody’s machine', async () => {
    const members = await listPoolMembers(connect)
    assert.deepEqual(
      members.map(({ name }) => name),
      [WAITING, YOUNGER],
    )
    await assert.rejects(getMachine(connect, WAITING), {
      code: 'DOMAIN_UNKNOWN',
      message: /waits in the pool of app-x/,
    })
  })

  test('are told by libvirt’s name for them, which says nothing; one of somebody else is left alone', async () => {
    assert.match(newPoolName(randomness), /^pool-[0-9a-f]{12}$/)
    assert.notEqual(newPoolName(randomness), newPoolName(randomness))
    await assert.rejects(getMachine(connect, 'pool-ffffffffffff'), { code: 'DOMAIN_FOREIGN' })
  })
})
