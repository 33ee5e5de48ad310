import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Connect } from '../../src/libvirt/connect.ts'
import type { Domain } from '../../src/libvirt/domain.ts'
import { listMachines, machineStatus } from '../../src/operations/status.ts'
import type { Workspace } from '../../src/operations/workspace.ts'
import { formatDomainFacts } from '../../src/render/facts-xml.ts'
import { APP_FACTS } from '../support/app-facts.ts'
import { startPrivateLibvirt } from '../support/private-libvirt.ts'

describe('a machine that ends between the list and a look at it', () => {
  let daemon: Awaited<ReturnType<typeof startPrivateLibvirt>>
  let connect: Connect

  before(async () => {
    daemon = await startPrivateLibvirt()
    connect = await Connect.open(daemon.uri('test:///default'))
  })
  after(async () => {
    await connect.close()
    await daemon.stop()
  })

  /** `leaving` is undefined at the first question about its state. */
  const prepare = async (): Promise<Workspace> => {
    for (const [index, name] of ['leaving', 'staying'].entries()) {
      const head = `<name>${name}</name><uuid>6f1c1a58-3c3e-4c39-8b1c-0a3cf1a4a00${index}</uuid>`
      const rest = `<metadata>${formatDomainFacts(APP_FACTS)}</metadata><memory>8192</memory><os><type>hvm</type></os>`
      await connect.domainDefineXML({ xml: `<domain type='test'>${head}${rest}</domain>` })
    }
    const leave = (domain: Domain) => ({
      name: domain.name,
      uuid: domain.uuid,
      getXMLDesc: async (options: Parameters<Domain['getXMLDesc']>[0]) => domain.getXMLDesc(options),
      async getState() {
        await domain.undefine()
        return domain.getState()
      },
    })
    const listAllDomains = async () =>
      (await connect.listAllDomains()).map((one) => (one.name === 'leaving' ? leave(one) : one))
    const open = async () => ({ listAllDomains })
    return {
      connect: open,
      connectIfRunning: open,
      uri: 'test:///default',
      connectionName: 'test:///default',
      connectionPaths: { folder: '/nonexistent' },
      outside: {},
    } as unknown as Workspace
  }

  test('is not listed, and the others are', async () => {
    assert.deepEqual(
      (await listMachines(await prepare())).map(({ name }) => name),
      ['staying'],
    )
    const { machines } = await machineStatus(await prepare(), [])
    assert.deepEqual(
      machines.map(({ name }) => name),
      ['staying'],
    )
  })

  test('is unknown to who asked for it by name', async () => {
    await assert.rejects(machineStatus(await prepare(), ['staying', 'leaving']), {
      code: 'DOMAIN_UNKNOWN',
      message: /^leaving ended just now/,
      hint: /vmpkg ps --all/,
    })
  })
})
