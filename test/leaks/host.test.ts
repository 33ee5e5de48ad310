/**
 * G1 to G3, C5: the host gives nothing away on a LAN, and on the uplink what guests need and no more. Real bridges of
 * libvirt, real rules; and every rule and setting is noticed when it is gone.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { privateHostPrefix } from '../../src/host/private-host-run.ts'
import { setSilence } from '../../src/host/silence.ts'
import { formatSilence, type OwnBridges, type SilenceChain, silenceChains } from '../../src/host/silence-rules.ts'
import { countFrames, type HostLab, LAN, networkXml, startHostLab } from '../support/host-lab.ts'
import { HostObserver, type Observation, PEER, SNOOP, WAN } from '../support/host-observer.ts'
import { dnsQuery } from '../support/leak-lab/frames.ts'
import { addWorldInterface, privateHostMissing } from '../support/private-host.ts'
import { realProcesses } from '../support/real-processes.ts'

const BRIDGES: OwnBridges = { lans: [LAN], uplinks: [{ bridge: 'vmp-uplink', address: '192.168.130.1' }] }
const CHAINS = silenceChains(BRIDGES)

const NEEDED: Partial<Observation> = {
  givesLeases: true,
  resolves: true,
  resolvesByTcp: true,
  isFoundOnUplink: true,
  masquerades: true,
  hearsItsAnswers: true,
  letsMachinesTalk: true,
}
const SILENT: Observation = {
  answersLan: false,
  hearsLan: false,
  answersLanByIpv6: false,
  passesOutOfLan: false,
  passesIntoLan: false,
  speaksIntoLan: false,
  asksIntoLan: false,
  hearsUplink: false,
  answersUplinkTcp: false,
  answersUplinkArp: false,
  answersUplinkByIpv6: false,
  speaksIpv6OnUplink: false,
  givesLeases: true,
  resolves: true,
  resolvesByTcp: true,
  isFoundOnUplink: true,
  masquerades: true,
  hearsItsAnswers: true,
  letsMachinesTalk: true,
  changesSenders: false,
}

describe('the host beside its guests', { skip: await privateHostMissing() }, () => {
  let lab: HostLab
  let observer: HostObserver
  before(async () => {
    lab = await startHostLab()
    await addWorldInterface(lab.host)
    await lab.start([SNOOP, WAN, PEER])
    observer = new HostObserver(lab)
    await observer.prepare()
  })
  after(() => lab.stop())

  const load = async (chains: readonly SilenceChain[]): Promise<void> => {
    const { exitCode, stderr } = await lab.host.run(['nft', '-f', '-'], { input: formatSilence(chains, undefined) })
    assert.equal(exitCode, 0, stderr)
  }
  const set = async (values: Readonly<Record<string, string>>): Promise<void> => {
    await lab.request('settings', { ns: 'host', values })
  }
  /** A host that was set up badly: a way into the LAN, IPv6, and none of libvirt's own refusals. */
  const spoil = async (): Promise<void> => {
    await lab.run('ip', 'route', 'replace', '10.1.1.0/24', 'dev', LAN)
    for (const chain of ['LIBVIRT_FWI', 'LIBVIRT_FWO']) await lab.run('iptables', '-F', chain)
    await set({
      [`net/ipv6/conf/${LAN}/disable_ipv6`]: '0',
      'net/ipv6/conf/vmp-uplink/disable_ipv6': '0',
      [`net/ipv4/conf/${LAN}/rp_filter`]: '0',
      'net/ipv4/conf/vmp-uplink/rp_filter': '0',
    })
    await new Promise((resolve) => setTimeout(resolve, 2500)) // an address is tried before it is used
  }

  test('without the rules it answers, listens, and passes on', async () => {
    const seen = await observer.observe()
    assert.equal(seen.answersLan, true)
    assert.equal(seen.hearsLan, true)
    assert.equal(seen.hearsUplink, true)
    assert.equal(seen.answersUplinkTcp, true)
    assert.equal(seen.answersUplinkArp, true)
    assert.deepEqual({ ...seen, ...NEEDED }, seen)
  })

  test('with them nothing of it is there on a LAN, and on the uplink what guests need', async () => {
    const host = { processes: realProcesses, prefix: privateHostPrefix(lab.host.host) }
    assert.equal(await setSilence(host, BRIDGES), true)
    assert.equal(await setSilence(host, BRIDGES), false)
    assert.deepEqual(await observer.observe(), SILENT)
  })

  test('a host that was set up badly is as silent', async () => {
    await load([])
    await spoil()
    const spoilt = await observer.observe()
    for (const [name, value] of Object.entries(spoilt)) {
      if (name !== 'changesSenders' || observer.isBridged) assert.equal(value, true, name)
    }
    await load(CHAINS)
    assert.deepEqual(await observer.observe(), SILENT)
  })

  const mutants = CHAINS.flatMap((chain) =>
    chain.table === 'netdev' && chain.rules.length === 0
      ? [
          {
            name: `chain ${chain.name}`,
            without: (one: SilenceChain): readonly SilenceChain[] => (one === chain ? [] : [one]),
          },
        ]
      : chain.rules.map((rule) => ({
          name: `${chain.table} ${chain.name}: ${rule}`,
          without: (one: SilenceChain): readonly SilenceChain[] =>
            one === chain ? [{ ...one, rules: one.rules.filter((other) => other !== rule) }] : [one],
        })),
  )
  /** Each wall stands behind the other: what one of them does shows when the other is away. */
  const walls: readonly ((chain: SilenceChain) => boolean)[] = [
    () => true,
    ({ table }) => table !== 'netdev',
    ({ table }) => table === 'netdev',
  ]

  test('every rule is noticed when it is gone', async () => {
    const observeWith = async (chains: readonly SilenceChain[]): Promise<string> => {
      await load(chains)
      return JSON.stringify(await observer.observe())
    }
    const isNoticed = async ({ without }: (typeof mutants)[number], whole: readonly string[]): Promise<boolean> => {
      for (const [index, wall] of walls.entries()) {
        if ((await observeWith(CHAINS.filter(wall).flatMap(without))) !== whole[index]) return true
      }
      return false
    }
    // What a packet does shows in time, unless the machine has little of it: a rule has to be missed once.
    let survivors = mutants.filter(({ name }) => !name.includes('vnet'))
    for (let round = 0; round < 3 && survivors.length > 0; round++) {
      const whole: string[] = []
      for (const wall of walls) whole.push(await observeWith(CHAINS.filter(wall)))
      const left: typeof survivors = []
      for (const mutant of survivors) if (!(await isNoticed(mutant, whole))) left.push(mutant)
      survivors = left
    }
    assert.deepEqual(
      survivors.map(({ name }) => name),
      [],
    )
  })

  test('so are the settings of the kernel, where there are no rules', async () => {
    await load([])
    await lab.run('ip', 'route', 'del', '10.1.1.0/24', 'dev', LAN)
    const settings = { [`net/ipv4/conf/${LAN}/rp_filter`]: '1', [`net/ipv6/conf/${LAN}/disable_ipv6`]: '1' }
    await set(settings)
    const kept = await observer.observe()
    assert.equal(kept.hearsLan, false)
    assert.equal(kept.answersLanByIpv6, false)
    for (const name of Object.keys(settings)) {
      await set({ ...settings, [name]: '0' })
      if (name.includes('ipv6')) await new Promise((resolve) => setTimeout(resolve, 2500))
      const seen = await observer.observe()
      assert.equal(name.includes('ipv6') ? seen.answersLanByIpv6 : seen.hearsLan, true, name)
    }
  })

  test('a tap that comes up greets no guest', async () => {
    const tap = lab.tapOf(SNOOP)
    const greetings = async (tries: '0' | '1'): Promise<number> => {
      const seen = await lab.watch([tap], async () => {
        for (const word of ['nomaster', 'down']) await lab.run('ip', 'link', 'set', 'dev', tap, word)
        const folder = `net/ipv6/conf/${tap}`
        await set({ [`${folder}/dad_transmits`]: tries, [`${folder}/router_solicitation_delay`]: '0' })
        await lab.run('ip', 'link', 'set', 'dev', tap, 'up')
        await new Promise((resolve) => setTimeout(resolve, 800))
      })
      await lab.run('ip', 'link', 'set', 'dev', tap, 'master', LAN)
      const frames = seen.get(tap) ?? []
      return frames.filter(({ isOutgoing, bytes }) => isOutgoing && bytes.readUInt16BE(12) === 0x86dd).length
    }
    await load(CHAINS)
    assert.equal((await greetings('0')) + (await greetings('1')), 0)
    const greeters = mutants.filter(({ name }) => name.includes('vnet'))
    assert.equal(greeters.length, 2)
    for (const { name, without } of greeters) {
      await load(CHAINS.flatMap(without))
      assert.ok((await greetings(name.includes('saddr ::') ? '1' : '0')) > 0, name)
    }
  })

  // B8, the last: dnsmasq keeps a server that it has once found. One resolver as the package has it, and one of a network that lets plain names out.
  test('a guest’s name goes nowhere, whoever asks the resolver that the host has for the uplink', async () => {
    await load(CHAINS)
    const far = '203.0.113.53'
    await lab.run('ip', 'neigh', 'replace', far, 'lladdr', '6a:00:00:00:02:53', 'dev', 'world0', 'nud', 'permanent')
    await lab.run('sh', '-c', `echo nameserver ${far} >/etc/resolv.conf`)
    const xml = networkXml('uplink', 'open-names', 'vmp-open', '192.168.131')
    const open = await lab.connect.networkDefineXML({ xml: xml.replace("<dns forwardPlainNames='no'/>", '') })
    await open.create()
    const ask = async (resolver: string, name: string): Promise<string> => {
      const payload = dnsQuery(randomBytes(2).readUInt16BE(), name).toString('base64')
      const target = [resolver, 53]
      const said = { ns: 'host', kind: 'udp', source: null, target, payload, wait: 0.5 }
      return (await lab.request<{ outcome: string }>('local', said)).outcome
    }
    /** Interfaces on which the name is seen. */
    const places = async (resolver: string, name: string): Promise<readonly string[]> => {
      const taps = ['world0', 'vmp-uplink', LAN, ...[SNOOP, WAN, PEER].map((one) => lab.tapOf(one))]
      let said = ''
      const seen = await lab.watch(taps, async () => {
        said = await ask(resolver, name)
      })
      assert.equal(said.startsWith('answer '), !seen.has('world0') || countName(seen.get('world0'), name) === 0, said)
      return taps.filter((tap) => countName(seen.get(tap), name) > 0)
    }
    const countName = (frames: Parameters<typeof countFrames>[0], name: string): number => {
      const label = Buffer.from(name.split('.')[0] ?? '')
      return countFrames(frames, label, true) + countFrames(frames, label, false)
    }
    for (const { name } of [SNOOP, WAN, PEER]) assert.deepEqual(await places('192.168.130.1', `${name}-1`), [], name)
    assert.deepEqual(await places('192.168.130.1', 'public.example'), ['world0'])
    assert.deepEqual(await places('192.168.131.1', `${SNOOP.name}-1`), ['world0'])
    await open.destroy()
    await open.undefine()
  })
})
