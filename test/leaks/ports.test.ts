/**
 * D1 to D38: what machines on a router's LAN can send each other and the router. Real libvirt, real taps and filters; the
 * frames are put behind the card of machines that do not boot.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { formatPortFilter, PORT_FILTERS, setPortFilters } from '../../src/domain/port-filters.ts'
import {
  ANN,
  BOB,
  bare,
  countFrames,
  type HostLab,
  type LabMachine,
  LOWER,
  ROUTER,
  startHostLab,
} from '../support/host-lab.ts'
import { EIGHTEEN, framesOf } from '../support/port-frames.ts'
import { privateHostMissing } from '../support/private-host.ts'

const GUEST: LabMachine = {
  ...ANN,
  name: 'guest',
  mac: '6a:00:00:00:00:f0',
  address: '10.1.1.240',
  filter: 'vmpkg-guest',
}
const BARE = bare({ ...ANN, name: 'bare', mac: '6a:00:00:00:00:2a', address: '10.1.1.42' })
const MACHINES = [ROUTER, LOWER, ANN, BOB, GUEST]

const FROM_CLIENT = [
  '01',
  '05',
  '07',
  'a lease asked for again by all',
  'asking whether an address is free',
  'reply for its own address',
]
const FROM_LOWER = [
  '01',
  '07',
  'ARP as the lower router',
  'as the lower router',
  'as the lower router with its card',
  'reply for its own address',
]
const FROM_ROUTER = [
  '01',
  '02',
  '03',
  '04',
  '05',
  '07',
  '08',
  '09',
  '17',
  '18',
  'a lease asked for again by all',
  'a lease asked for by an address of nobody',
  'as a DHCP server to one',
  'as another client',
  'as the lower router',
  'as the router',
  'from the world',
  'reply for its own address',
]
/** Its address is not known, so it may say that it has one of a client. */
const FROM_GUEST = [
  ...FROM_CLIENT,
  '02',
  'ARP as an address of nobody',
  'ARP as another client',
  'ARP question as another client',
  'a lease asked for by an address of nobody',
  'as another client',
]

describe('ports of a LAN', { skip: await privateHostMissing() }, () => {
  let lab: HostLab
  before(async () => {
    lab = await startHostLab()
    await setPortFilters(lab.connect)
    await lab.start(MACHINES)
  })
  after(() => lab.stop())

  /** The kinds that arrived; each was seen to leave its sender. */
  const arrived = async (from: LabMachine, to: LabMachine): Promise<readonly string[]> => {
    const probes = framesOf(from, to)
    const [source, target] = [lab.tapOf(from), lab.tapOf(to)]
    const seen = await lab.watch([source, target], () =>
      lab.send(
        from,
        probes.map(({ frame }) => frame),
      ),
    )
    for (const { kind, token } of probes)
      assert.ok(countFrames(seen.get(source), token, false) > 0, `${kind} was not sent`)
    return probes.filter(({ token }) => countFrames(seen.get(target), token, true) > 0).map(({ kind }) => kind)
  }
  const sorted = (kinds: readonly string[]): readonly string[] => kinds.toSorted()
  const eighteen = (kinds: readonly string[]): readonly string[] =>
    kinds.filter((kind) => EIGHTEEN.includes(kind)).toSorted()

  test('D1 to D18: nothing of a client arrives at another', async () => {
    assert.deepEqual(await arrived(ANN, BOB), [])
    assert.deepEqual(await arrived(GUEST, BOB), [])
    assert.deepEqual(await arrived(BOB, LOWER), [])
    assert.deepEqual(await arrived(LOWER, ANN), [])
  })

  test('D19 to D36: of a client the router gets its own packets, its DHCP and its ARP', async () => {
    const kinds = await arrived(ANN, ROUTER)
    assert.deepEqual(eighteen(kinds), ['01', '05', '07'])
    assert.deepEqual(sorted(kinds), sorted(FROM_CLIENT))
  })

  test('a lower router speaks with its own card and address, and for nobody else', async () => {
    assert.deepEqual(sorted(await arrived(LOWER, ROUTER)), sorted(FROM_LOWER))
  })

  test('the router passes on what comes from anywhere, and is no other card, no IPv6, and no neighbour’s ARP', async () => {
    assert.deepEqual(sorted(await arrived(ROUTER, ANN)), sorted(FROM_ROUTER))
  })

  test('a card that vmpkg did not plan is no router', async () => {
    assert.deepEqual(sorted(await arrived(GUEST, ROUTER)), sorted(FROM_GUEST))
  })

  test('D38: 10,000 senders of one client reach no port, and the bridge learns none of them', async () => {
    const [probe] = framesOf(ANN, ROUTER)
    assert.ok(probe)
    const frames = Array.from({ length: 10_000 }, (_, index) => {
      const frame = Buffer.from(probe.frame)
      frame.writeUInt32BE(index, 8)
      frame[6] = 0x6e
      return frame
    })
    const seen = await lab.watch([lab.tapOf(ROUTER), lab.tapOf(BOB)], () => lab.send(ANN, frames))
    for (const machine of [ROUTER, BOB]) assert.equal(countFrames(seen.get(lab.tapOf(machine)), probe.token, true), 0)
    assert.doesNotMatch(await lab.run('bridge', 'fdb', 'show', 'br', 'vmp-uni0'), /6e:00/)
  })

  test('without filter and isolation a client’s frames arrive at the router and at others', async () => {
    await lab.start([BARE])
    const all = EIGHTEEN.filter((kind) => kind !== '15') // the bridge keeps LLDP for itself
    assert.deepEqual(eighteen(await arrived(BARE, ROUTER)), all)
    assert.deepEqual(eighteen(await arrived(BARE, BOB)), all)
  })

  for (const name of Object.keys(PORT_FILTERS)) {
    test(`every rule of ${name} is noticed when it is gone`, async () => {
      const sender = MACHINES.find(({ filter }) => filter === name)
      assert.ok(sender)
      const to = sender === ROUTER ? ANN : ROUTER
      const chain = `libvirt-I-${lab.tapOf(sender)}`
      const rules = (await lab.run('ebtables', '-t', 'nat', '-L', chain))
        .split('\n')
        .filter((line) => line.startsWith('-'))
      assert.equal(rules.length, (PORT_FILTERS[name] ?? []).length + 2)
      const whole = sorted(await arrived(sender, to))
      const survivors: string[] = []
      for (const [index, rule] of rules.entries()) {
        const position = String(index + 1)
        await lab.run('ebtables', '-t', 'nat', '-D', chain, position)
        if (sorted(await arrived(sender, to)).join() === whole.join()) survivors.push(rule)
        await lab.run('ebtables', '-t', 'nat', '-I', chain, position, ...rule.trim().split(/ +/))
      }
      assert.deepEqual(survivors, [])
      assert.deepEqual(sorted(await arrived(sender, to)), whole)
    })
  }

  test('a filter that somebody changed is put right, on running machines too', async () => {
    const filter = await lab.connect.nwfilterLookupByName({ name: 'vmpkg-lower' })
    await lab.connect.nwfilterDefineXML({ xml: formatPortFilter('vmpkg-lower', ['<ip/>'], filter.uuid) })
    assert.ok((await arrived(LOWER, ROUTER)).includes('as another client'))
    assert.equal(await setPortFilters(lab.connect), true)
    assert.equal(await setPortFilters(lab.connect), false)
    assert.deepEqual(sorted(await arrived(LOWER, ROUTER)), sorted(FROM_LOWER))
  })
})
