/** The judge of the leak cases is not asleep: what it must object to when nothing else would. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { arp, udp } from '../support/leak-lab/frames.ts'
import { asFrame, CLIENTS, ISP, startLab, WAN_MAC } from '../support/leak-lab/lab.ts'
import { labMissing } from '../support/leak-lab/namespace.ts'
import { judge, type Seen } from '../support/leak-lab/oracle.ts'
import type { Frame } from '../support/leak-lab/pcapng.ts'
import { fromClient, SERVER } from '../support/leak-lab/places.ts'
import { Tokens } from '../support/leak-lab/tokens.ts'
import { VPN } from '../support/leak-lab/vpn.ts'

const NOTHING: Seen = { wan: [], lan: [], a: [], b: [], tunnel: [], second: [] }
const ROUTER = { mac: WAN_MAC, address: ISP.lease }
const seen = (bytes: Buffer, isOutgoing = false): Frame => ({ bytes, length: bytes.length, at: 0n, isOutgoing })
const onWan = (payload: Buffer, source: string = ISP.lease): Frame =>
  seen(udp({ from: { mac: WAN_MAC, address: source }, to: { mac: ISP.mac, address: SERVER } }, [5000, 5000], payload))

describe('the judge', () => {
  test('wants every probe on its sender’s own card', () => {
    const tokens = new Tokens()
    const token = tokens.add({ caseId: 'A9', what: 'a probe', from: 'a', passes: [] })
    const sent = seen(udp(fromClient('a'), [5000, 5000], token), true)
    assert.deepEqual([...judge(NOTHING, tokens, 'uni').unsent.keys()], ['A9'])
    assert.equal(judge({ ...NOTHING, a: [sent] }, tokens, 'uni').unsent.size, 0)
    assert.deepEqual([...judge({ ...NOTHING, b: [sent] }, tokens, 'uni').unsent.keys()], ['A9'])
  })

  test('lets a probe out where it was declared, with the WAN’s address and the common hop limit only', () => {
    const tokens = new Tokens()
    const may = tokens.add({ caseId: 'W3', what: 'may', from: 'a', passes: ['wan'] })
    const mayNot = tokens.add({ caseId: 'A9', what: 'may not', from: 'a', passes: [] })
    const leaks = (frame: Frame): string[] => [...judge({ ...NOTHING, wan: [frame] }, tokens, 'uni').leaks.keys()]
    assert.deepEqual(leaks(onWan(may)), [])
    assert.deepEqual(leaks(onWan(may, CLIENTS.a.address)), ['W3'])
    assert.deepEqual(leaks(onWan(mayNot)), ['A9'])
    const astray = onWan(may)
    astray.bytes.writeUInt8(0x66, 5)
    assert.deepEqual(leaks(astray), ['W3'])
    const aged = onWan(may)
    aged.bytes.writeUInt8(63, 14 + 8)
    assert.deepEqual(leaks(aged), ['W3'])
  })

  test('objects to frames that nothing declares, and to probes that nobody sent', () => {
    const strays = (frame: Frame): number => judge({ ...NOTHING, wan: [frame] }, new Tokens(), 'uni').strays.length
    assert.equal(strays(onWan(Buffer.from('anything'))), 1)
    assert.equal(strays(seen(arp(ROUTER, ISP.address))), 0)
    assert.equal(strays(seen(arp(ROUTER, '198.51.100.66'))), 1)
    assert.equal(strays(seen(arp({ mac: WAN_MAC, address: '10.1.1.1' }, ISP.address))), 1)
    const foreign = new Tokens().add({ caseId: 'A9', what: 'of another run', from: 'a', passes: [] })
    assert.throws(() => strays(onWan(foreign)), /nobody sent/)
  })

  test('wants of a router with a tunnel OpenVPN on the WAN and nothing else, and its address in the tunnel', () => {
    const strays = (seenNow: Partial<Seen>): number =>
      judge({ ...NOTHING, ...seenNow }, new Tokens(), 'gal').strays.length
    const onWanTo = (target: string, port: number, first: number): Frame =>
      seen(
        udp(
          { from: { mac: WAN_MAC, address: ISP.lease }, to: { mac: ISP.mac, address: target } },
          [5000, port],
          Buffer.from([first, 1, 2]),
        ),
      )
    assert.equal(strays({ wan: [onWanTo(VPN.server, VPN.port, 7 << 3)] }), 0)
    assert.equal(strays({ wan: [onWanTo(VPN.server, VPN.port, 0x45)] }), 1)
    assert.equal(strays({ wan: [onWanTo(VPN.server, 443, 7 << 3)] }), 1)
    assert.equal(strays({ wan: [onWanTo(ISP.resolver, 53, 0)] }), 1)

    const tokens = new Tokens()
    const may = tokens.add({ caseId: 'W3', what: 'may', from: 'a', passes: ['tunnel'] })
    const inTunnel = (source: string): Frame => {
      const ends = { from: { mac: WAN_MAC, address: source }, to: { mac: ISP.mac, address: SERVER } }
      return seen(asFrame('tunnel', udp(ends, [5000, 5000], may).subarray(14)))
    }
    const leaks = (now: Partial<Seen>): string[] => [...judge({ ...NOTHING, ...now }, tokens, 'gal').leaks.keys()]
    assert.deepEqual(leaks({ tunnel: [inTunnel(VPN.address)] }), [])
    assert.deepEqual(leaks({ tunnel: [inTunnel(CLIENTS.a.address)] }), ['W3'])
    assert.deepEqual(leaks({ wan: [onWan(may)] }), ['W3'])
  })

  test('believes no tap that lost frames', { skip: labMissing() }, async () => {
    const lab = await startLab()
    try {
      const frames = Array.from({ length: 500 }, () => udp(fromClient('a'), [5000, 5000], Buffer.from('much')))
      for (const times of [4, 5]) {
        await lab.pairs()
        await lab.openTaps(2048)
        await lab.send('a', frames, { rate: 1_000_000, times })
        if (times === 4) assert.equal((await lab.closeTaps()).a.length, 2000)
        else await assert.rejects(lab.closeTaps(), /tap a lost \d+ frames/)
        await lab.run('host', 'ip', 'link', 'delete', 'lan0')
        await lab.run('internet', 'ip', 'link', 'delete', 'isp0')
        await lab.run('elsewhere', 'ip', 'link', 'delete', 'second0')
      }
    } finally {
      await lab.stop()
    }
  })
})
