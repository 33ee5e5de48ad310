import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { isVmpkgError } from '../../src/errors.ts'
import { Connect } from '../../src/libvirt/connect.ts'
import { checkSilence, ensureSilence, requireSilence, tidySilence } from '../../src/operations/host-silence.ts'
import { readLanState } from '../../src/operations/lan-state.ts'
import type { Workspace } from '../../src/operations/workspace.ts'
import { formatNetworkFacts } from '../../src/render/facts-xml.ts'
import { guestXml } from '../support/guest-xml.ts'
import { openLocalWorkspace } from '../support/local-workspace.ts'
import { privateHostMissing, startTestHost, type TestHost } from '../support/private-host.ts'
import { lan } from '../support/topologies.ts'

const refusal = (words: RegExp) => {
  return (error: unknown): boolean => isVmpkgError(error, 'HOST_RULES_FAILED') && words.test(error.message)
}

async function define(connect: Connect, name: 'uni0' | 'gal0'): Promise<void> {
  const known = lan(name, name === 'uni0' ? 'uni' : 'gal', name === 'uni0' ? '10.1.1.0/24' : '10.2.2.0/24')
  const facts = known.facts && formatNetworkFacts(known.facts)
  const bridge = `<bridge name='${known.bridge}' stp='off' delay='0'/><dns enable='no'/>`
  const xml = `<network><name>${name}</name><metadata>${facts}</metadata>${bridge}</network>`
  await (await connect.networkDefineXML({ xml })).create()
}

describe('host silence', { skip: await privateHostMissing() }, () => {
  let host: TestHost
  let connect: Connect
  const open = (t: Parameters<typeof openLocalWorkspace>[0], uri = host.uri): Promise<Workspace> =>
    openLocalWorkspace(t, { connect: uri })
  const tables = async (): Promise<string> => (await host.run(['nft', 'list', 'tables'])).stdout
  const restart = async (name: string): Promise<void> => {
    const network = await connect.networkLookupByName({ name })
    await network.destroy()
    await network.create()
  }

  before(async () => {
    host = await startTestHost()
    connect = await Connect.open(host.uri)
  })
  after(async () => {
    await connect.close()
    await host.stop()
  })

  test('needs nothing where no network of vmpkg is up, and finds where it could be set', async (t) => {
    const workspace = await open(t)
    assert.equal(await ensureSilence(workspace, connect), false)
    assert.deepEqual(await checkSilence(workspace, connect), [])
    await requireSilence(workspace, connect)
    assert.doesNotMatch(await tables(), /vmpkg/)
  })

  test('is there once it was set for the networks that are up, and not set twice', async (t) => {
    const workspace = await open(t)
    await define(connect, 'uni0')
    assert.match((await checkSilence(workspace, connect)).join(), /no tables vmpkg/)
    assert.equal(await ensureSilence(workspace, connect), true)
    assert.deepEqual(await checkSilence(workspace, connect), [])
    assert.equal(await ensureSilence(workspace, connect), false)
    await define(connect, 'gal0')
    assert.match((await checkSilence(workspace, connect)).join(), /no chain from-vmp-gal0/)
    assert.equal(await ensureSilence(workspace, connect), true)
    assert.deepEqual(await checkSilence(workspace, connect), [])
  })

  test('is restored after a bridge was made again, all rules were flushed, one was taken out, or a setting changed', async (t) => {
    const workspace = await open(t)
    const losses: readonly (readonly [RegExp, () => Promise<unknown>])[] = [
      [/rp_filter is 0/, () => restart('uni0')],
      [/no tables/, () => host.run(['nft', 'flush', 'ruleset'])],
      [/rules of chain forward/, () => host.run(['nft', 'flush', 'chain', 'inet', 'vmpkg', 'forward'])],
      [
        /rules of chain output of table inet/,
        () => host.run(['nft', 'insert', 'rule', 'inet', 'vmpkg', 'output', 'accept']),
      ],
      [
        /from-vmp-uni0 of table netdev vmpkg is not policy drop/,
        () => host.run(['nft', 'add', 'chain', 'netdev', 'vmpkg', 'from-vmp-uni0', '{ policy accept; }']),
      ],
      [/no chain from-vmp-gal0/, () => host.run(['nft', 'delete', 'chain', 'netdev', 'vmpkg', 'from-vmp-gal0'])],
      [/chain mine of no network/, () => host.run(['nft', 'add', 'chain', 'inet', 'vmpkg', 'mine'])],
      [/disable_ipv6 is 0/, () => host.run(['sh', '-c', 'echo 0 >/proc/sys/net/ipv6/conf/vmp-uni0/disable_ipv6'])],
    ]
    for (const [told, lose] of losses) {
      await lose()
      assert.match((await checkSilence(workspace, connect)).join(), told)
      assert.equal(await ensureSilence(workspace, connect), true)
      assert.deepEqual(await checkSilence(workspace, connect), [], String(told))
    }
  })

  test('doctor is told of a card on a LAN before which there is no filter, and of one whose rules are gone', async (t) => {
    const workspace = await open(t)
    const card = (filter: string): string => `<interface type='network'><source network='uni0'/>${filter}</interface>`
    const filter = "<filterref filter='vmpkg-guest'><parameter name='NET' value='10.1.1.0'/></filterref>"
    for (const [name, device] of [
      ['open', card('')],
      ['held', card(filter)],
    ] as const) {
      await connect.domainCreateXML({ xml: guestXml({ name, devices: device }) })
    }
    const state = await readLanState(workspace, connect)
    assert.deepEqual(state.bridges.toSorted(), ['vmp-gal0', 'vmp-uni0'])
    assert.deepEqual(state.openPorts, ['open on uni0'])
    assert.deepEqual(state.rules, { faults: [] })
    await host.run(['ebtables', '-t', 'nat', '-F'])
    await host.run(['ebtables', '-t', 'nat', '-X'])
    assert.deepEqual((await readLanState(workspace, connect)).openPorts.toSorted(), [
      'held on uni0, whose filter is not loaded',
      'open on uni0',
    ])
    assert.equal(await ensureSilence(workspace, connect), true, 'they are loaded again')
    assert.deepEqual((await readLanState(workspace, connect)).openPorts, ['open on uni0'])
    assert.equal(await ensureSilence(workspace, connect), false)
    for (const name of ['open', 'held']) await (await connect.domainLookupByName({ name })).destroy()
  })

  test('is refused with the reason where it cannot be set', async (t) => {
    const other = await open(t, 'qemu+ssh://other.example/system')
    await assert.rejects(requireSilence(other, connect), refusal(/other\.example\/system is another machine/))
    const user = await openLocalWorkspace(t, { connect: 'qemu:///system', uid: 1000 })
    await assert.rejects(ensureSilence(user, connect), refusal(/only root/))
    const beside = await openLocalWorkspace(t, { connect: 'qemu:///system', uid: 0 })
    await assert.rejects(
      ensureSilence(beside, connect),
      refusal(/bridge vmp-\S+ .* not in the network of this process/),
    )
    const gone = await open(t, 'private:gone')
    await assert.rejects(requireSilence(gone, connect), refusal(/its private host does not run/))
  })

  test('goes with its network, and with the last one all of it', async (t) => {
    const workspace = await open(t)
    const remove = async (name: string): Promise<void> => {
      const network = await connect.networkLookupByName({ name })
      await network.destroy()
      await network.undefine()
    }
    await remove('gal0')
    assert.match((await checkSilence(workspace, connect)).join(), /rules of chain/)
    await tidySilence(workspace, connect)
    assert.deepEqual(await checkSilence(workspace, connect), [])
    assert.doesNotMatch((await host.run(['nft', 'list', 'table', 'netdev', 'vmpkg'])).stdout, /gal0/)
    await remove('uni0')
    assert.match(await tables(), /vmpkg/)
    await tidySilence(workspace, connect)
    assert.doesNotMatch(await tables(), /vmpkg/)
    assert.deepEqual(
      (await connect.listAllNWFilters()).map(({ name }) => name).filter((name) => name.startsWith('vmpkg-')),
      [],
    )
  })
})
