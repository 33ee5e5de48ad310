import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { isVmpkgError } from '../../src/errors.ts'
import { Connect } from '../../src/libvirt/connect.ts'
import { clientNumbers } from '../../src/model/lan-address.ts'
import { systemOutside } from '../../src/node/outside.ts'
import { planClientMac } from '../../src/operations/plan-card.ts'
import { startPrivateLibvirt } from '../support/private-libvirt.ts'

const { randomness } = systemOutside({ emit: () => {}, signal: new AbortController().signal, env: {}, offline: false })

describe('planClientMac', () => {
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

  const stand = async (name: string, network: string, numbers: readonly number[]): Promise<void> => {
    const cards = numbers.map((number) => {
      const mac = `6a:00:00:00:00:${number.toString(16).padStart(2, '0')}`
      return `<interface type='network'><mac address='${mac}'/><source network='${network}'/></interface>`
    })
    const rest = `<memory>8192</memory><os><type>hvm</type></os><devices>${cards.join('')}</devices>`
    await connect.domainDefineXML({ xml: `<domain type='test'><name>${name}</name>${rest}</domain>` })
  }

  test('draws a number that no card on that LAN has, be it of somebody else’s machine, until there is none', async () => {
    const [last, ...taken] = clientNumbers().toReversed()
    assert.ok(last !== undefined)
    await stand('others', 'uni0', taken)
    await stand('elsewhere', 'gal0', [last])
    const mac = await planClientMac(connect, 'uni0', randomness)
    assert.equal(Number.parseInt(mac.slice(-2), 16), last)
    assert.match(mac, /^[0-9a-f][26ae](?::[0-9a-f]{2}){5}$/)
    await stand('the last one', 'uni0', [last])
    await assert.rejects(planClientMac(connect, 'uni0', randomness), (error) =>
      isVmpkgError(error, 'ADDRESS_UNAVAILABLE'),
    )
  })
})
