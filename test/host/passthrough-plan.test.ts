import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { type PassthroughRequest, planPassthrough, requirePlan } from '../../src/host/passthrough-plan.ts'
import type { PciDevice } from '../../src/host/pci-device.ts'
import type { PciHolder } from '../../src/host/pci-holders.ts'
import { addDomains, type PciHost, readPciHost } from '../../src/host/pci-host.ts'
import { NO_PCI_NAMES } from '../../src/host/pci-names.ts'
import { formatPciAddress, parsePciSelector } from '../../src/model/pci.ts'
import { type FakeHost, type FakePci, writeFakeHost } from '../support/fake-pci.ts'
import { HWLOC_TREES_WITH_PCI, unpackHwlocTree } from '../support/hwloc-trees.ts'
import { gpu, groupWithRootDisk, nicBehindPort, singleNic, sriov, twoEqualCards } from '../support/passthrough-hosts.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

async function read(t: TestContext, host: FakeHost): Promise<PciHost> {
  return readPciHost(await writeFakeHost(await makeTempFolder(t), host))
}

function ask(names: readonly string[], more: Partial<PassthroughRequest> = {}): PassthroughRequest {
  return { selectors: names.map(parsePciSelector), mode: 'default', ...more }
}

const hostdevsOf = (host: PciHost, request: PassthroughRequest): readonly string[] =>
  planPassthrough(host, request).hostdevs.map(({ address }) => address)
/** The device as it is where the kernel has no such file. */
function without(device: FakePci, name: 'group' | 'resetMethod'): FakePci {
  return Object.fromEntries(Object.entries(device).filter(([key]) => key !== name)) as unknown as FakePci
}

const kinds = (host: PciHost, request: PassthroughRequest): readonly string[] =>
  planPassthrough(host, request).refusals.map(({ kind }) => kind)

describe('planPassthrough on hosts as people have them', () => {
  test('refuses the only network card, says what is lost, and takes it when forced', async (t) => {
    const host = await read(t, singleNic)
    const plan = planPassthrough(host, ask(['00:19.0']))
    assert.deepEqual(plan.refusals.map(({ kind }) => kind).toSorted(), ['default-route', 'only-nic'])
    assert.throws(() => requirePlan(plan), {
      code: 'DEVICE_REFUSED',
      message: /0000:00:19\.0 is the only network card of this host \(eno1\)/,
      hint: /--force/,
    })
    assert.deepEqual(kinds(host, ask(['00:19.0'], { force: true })), [])
  })

  test('takes a network card and leaves the root port of its group alone', async (t) => {
    const host = await read(t, nicBehindPort)
    const plan = requirePlan(planPassthrough(host, ask(['8086:10d3'])))
    assert.deepEqual(plan.hostdevs, [
      { address: '0000:03:00.0', pci: { domain: '0000', bus: '03', slot: '00', function: '0' } },
    ])
    assert.deepEqual(plan.bind, ['0000:03:00.0'])
    assert.deepEqual(plan.exempt, ['0000:00:1c.0'])
    assert.deepEqual(plan.numaNodes, [1])
    assert.deepEqual(plan.drivers, ['e1000e'])
    assert.deepEqual(plan.ids, ['8086:10d3'])
    assert.deepEqual(kinds(host, ask(['00:1c.0'])), ['bridge'])
  })

  test('a bridge with a driver that is not pcieport is in the way since 5.19', async (t) => {
    const devices = nicBehindPort.devices.map((device) =>
      device.address === '0000:00:1c.0' ? { ...device, driver: 'shpchp' } : device,
    )
    assert.deepEqual(kinds(await read(t, { ...nicBehindPort, devices }), ask(['03:00.0'])), ['group-mate'])
    assert.deepEqual(
      kinds(await read(t, { ...nicBehindPort, devices, release: '5.10.0-28-amd64' }), ask(['03:00.0'])),
      [],
    )
  })

  test('names every mate of a graphics card, and takes them along on request', async (t) => {
    const host = await read(t, gpu)
    const alone = planPassthrough(host, ask(['01:00.0']))
    assert.deepEqual(
      alone.refusals.map(({ devices }) => devices),
      [['0000:01:00.1', '0000:01:00.2']],
    )
    assert.throws(() => requirePlan(alone), {
      message: /group 11 .* also holds 0000:01:00\.1 \(.*snd_hda_intel\), 0000:01:00\.2 \(.*xhci_hcd\)/,
      hint: /--device 0000:01:00\.1 --device 0000:01:00\.2/,
    })
    const all = ['0000:01:00.0', '0000:01:00.1', '0000:01:00.2', '0000:01:00.3']
    assert.deepEqual(hostdevsOf(host, ask(['01:00.0'], { wholeCards: true })), all)
    assert.deepEqual(hostdevsOf(host, ask(['01:00'])), all)
    assert.deepEqual(hostdevsOf(host, ask(['01:00.0'], { mode: 'force' })), all)
  })

  test('the four modes give what HomeVpn documents', async (t) => {
    const host = await read(t, gpu)
    assert.deepEqual(hostdevsOf(host, ask(['01:00.0'], { mode: 'none' })), [])
    assert.deepEqual(hostdevsOf(host, ask(['01:00.0'], { mode: 'default' })), ['0000:01:00.0'])
    const flex = planPassthrough(host, ask(['01:00.0', '00:02.0'], { mode: 'flex' }))
    assert.deepEqual(
      flex.hostdevs.map(({ address }) => address),
      ['0000:00:02.0'],
    )
    assert.deepEqual(
      flex.skipped.map(({ address, refusals }) => [address, refusals[0]?.kind]),
      [['0000:01:00.0', 'group-mate']],
    )
    assert.deepEqual(flex.refusals, [])
    assert.equal(hostdevsOf(host, ask(['01:00.0'], { mode: 'force' })).length, 4)
  })

  test('warns of the screen that goes dark', async (t) => {
    const plan = requirePlan(planPassthrough(await read(t, gpu), ask(['00:02.0'])))
    assert.ok(plan.warnings.some((text) => text.includes('0000:00:02.0 shows the console')))
  })

  test('tells two equal cards apart, and binds one of them by address', async (t) => {
    const host = await read(t, twoEqualCards)
    assert.throws(() => planPassthrough(host, ask(['1969:e091'])), {
      code: 'DEVICE_REFUSED',
      message:
        /0000:03:00\.0 \(slot PCIEX3, MAC 52:54:00:00:03:00\); 0000:04:00\.0 \(slot PCIEX4, MAC 52:54:00:00:04:00\)/,
    })
    for (const name of ['04:00.0', 'slot:PCIEX4', 'mac:52:54:00:00:04:00']) {
      const plan = requirePlan(planPassthrough(host, ask([name])))
      assert.deepEqual(plan.byAddress, ['0000:04:00.0'], name)
      assert.deepEqual(plan.ids, [])
    }
    const both = requirePlan(planPassthrough(host, ask(['1969:e091'], { every: true })))
    assert.deepEqual([both.ids, both.byAddress], [['1969:e091'], []])
  })

  test('refuses a group that has the root disk, in every mode', async (t) => {
    const host = await read(t, groupWithRootDisk)
    assert.throws(() => requirePlan(planPassthrough(host, ask(['00:1f.6']))), {
      code: 'DEVICE_REFUSED',
      message: /0000:00:1f\.2 \(.*carries \/\)/,
    })
    assert.deepEqual(kinds(host, ask(['00:1f.6'], { wholeCards: true })), ['group-mate'], 'the chipset is no card')
    for (const more of [{ mode: 'force' }, { mode: 'force', force: true }] as const) {
      assert.ok(kinds(host, ask(['00:1f.6'], more)).includes('mounted'))
    }
    assert.deepEqual(hostdevsOf(host, ask(['00:1f.6'], { mode: 'flex' })), [])
    const all = planPassthrough(host, ask(['00:1f.6'], { mode: 'force' }))
    assert.match(all.warnings.join(), /0000:00:1f\.0 leads to the board's own small devices/)
  })

  test('takes a virtual function, refuses the physical one while others use it', async (t) => {
    const host = await read(t, sriov)
    assert.deepEqual(hostdevsOf(host, ask(['05:10.2'], { wholeCards: true })), ['0000:05:10.2'])
    assert.deepEqual(kinds(host, ask(['05:10.2'])), [])
    assert.deepEqual(kinds(host, ask(['05:00.0'])), ['virtual-functions'])
    const all = planPassthrough(host, ask(['05:00.0', '05:10.0', '05:10.2']))
    assert.deepEqual(all.refusals, [])
    assert.deepEqual(all.bind, ['0000:05:10.0', '0000:05:10.2', '0000:05:00.0'])
  })

  test('refuses all network cards together where no one of them is the only one', async (t) => {
    const host = await read(t, { ...nicBehindPort, defaultRoute: 'br0' })
    assert.deepEqual(kinds(host, ask(['03:00.0'])), [])
    assert.deepEqual(kinds(host, ask(['03:00.0', '00:19.0'])), ['only-nic'])
  })

  test('without an IOMMU, or without a group, nothing is given away', async (t) => {
    const off = { ...nicBehindPort, devices: nicBehindPort.devices.map((device) => without(device, 'group')) }
    assert.deepEqual(kinds(await read(t, off), ask(['03:00.0'])), ['iommu-off'])
    const partly = {
      ...nicBehindPort,
      devices: nicBehindPort.devices.map(({ group, ...device }) =>
        group === 11 ? device : { ...device, ...(group !== undefined && { group }) },
      ),
    }
    assert.deepEqual(kinds(await read(t, partly), ask(['03:00.0'])), ['no-group'])
  })

  test('refuses what another domain has, and a group that another domain uses', async (t) => {
    const host = addDomains(await read(t, gpu), [{ name: 'desktop', isRunning: true, pci: ['0000:01:00.1'] }])
    const request = ask(['01:00'])
    assert.deepEqual(kinds(host, request), ['domain'])
    assert.deepEqual(kinds(host, { ...request, forDomain: 'desktop' }), [])
    assert.ok(kinds(host, ask(['01:00.0', '01:00.2', '01:00.3'])).includes('domain'))
  })

  test('warns of equal cards, of what cannot be reset, and of a host without interrupt remapping', async (t) => {
    const devices = twoEqualCards.devices.map((device) => without(device, 'resetMethod'))
    const { warnings } = planPassthrough(
      await read(t, { ...twoEqualCards, devices, hasRemapping: false }),
      ask(['03:00.0']),
    )
    assert.match(warnings.join('\n'), /no way to be reset[^]*has equals: 0000:04:00\.0[^]*does not remap interrupts/)
  })

  test('says which device is unknown', async (t) => {
    const host = await read(t, singleNic)
    assert.throws(() => planPassthrough(host, ask(['0a:00.0'])), { code: 'DEVICE_UNKNOWN', message: /0000:0a:00\.0/ })
  })

  test('a device that does not answer is refused', async (t) => {
    const devices = nicBehindPort.devices.map((d) => (d.nic?.name === 'enp3s0' ? { ...d, headerType: 0x7f } : d))
    assert.deepEqual(kinds(await read(t, { ...nicBehindPort, devices }), ask(['03:00.0'])), ['no-answer'])
  })
})

/** Random trees of bridges, groups and functions, as facts. */
const NORMAL = ['e1000e', 'ahci', 'vfio-pci', 'pci-stub', 'mlx5_vfio_pci', undefined]
const BRIDGE = ['pcieport', 'shpchp', undefined]
const randomHost = fc
  .array(
    fc.record({
      group: fc.option(fc.nat({ max: 6 }), { freq: 12, nil: undefined }),
      isBridge: fc.boolean(),
      functions: fc.integer({ min: 1, max: 4 }),
      driver: fc.nat({ max: 5 }),
      holder: fc.constantFrom<PciHolder | undefined>(
        { kind: 'mount', mountPoint: '/', source: '/dev/sda1' },
        { kind: 'default-route', interface: 'eth0' },
        { kind: 'domain', name: 'other', isRunning: false },
        ...Array.from({ length: 9 }, () => undefined),
      ),
    }),
    { minLength: 1, maxLength: 14 },
  )
  .chain((cards) =>
    fc.record({ cards: fc.constant(cards), release: fc.constantFrom('5.10.0', '5.19.0', '6.1.0-18-amd64') }),
  )
  .map(({ cards, release }): PciHost => {
    const devices = cards.flatMap(({ group, isBridge, functions, driver }, bus) =>
      Array.from({ length: functions }, (_, fn): PciDevice => {
        const address = formatPciAddress({ domain: 0, bus, slot: 0, function: fn })
        const name = isBridge ? BRIDGE[driver % 3] : NORMAL[(driver + fn) % 6]
        return {
          address,
          vendor: '8086',
          device: `00${bus.toString(16).padStart(2, '0')}`,
          classCode: isBridge ? '060400' : '020000',
          headerType: isBridge ? 1 : 0,
          siblings: [],
          ...(name !== undefined && { driver: name }),
          ...(group !== undefined && { iommuGroup: group }),
          resetMethods: ['flr'],
          isBootVga: false,
          virtualFunctions: [],
          hasRom: false,
          hasMsi: true,
          bridges: [],
          nics: [],
        }
      }),
    )
    return {
      devices,
      holders: new Map(
        cards.flatMap(({ holder }, bus) =>
          holder === undefined ? [] : [[formatPciAddress({ domain: 0, bus, slot: 0, function: 0 }), [holder]] as const],
        ),
      ),
      interfaces: new Map(),
      iommu: { isOn: true, groupCount: 1, allowsUnsafeInterrupts: false },
      kernel: { release, builtinModules: new Set() },
      names: NO_PCI_NAMES,
    }
  })

/**
 * The kernel's rule once more, written independently: after the binding every device of every group touched has no
 * driver, a driver that leaves DMA alone, or (before 5.19) is a bridge; nothing needed is among what was taken.
 */
function checkClosure(host: PciHost, bound: readonly string[], given: readonly string[]): string | undefined {
  const old = host.kernel.release.startsWith('5.10')
  const groups = new Set(host.devices.filter((d) => given.includes(d.address)).map((d) => d.iommuGroup))
  for (const device of host.devices) {
    const driver = bound.includes(device.address) ? 'vfio-pci' : device.driver
    if (given.includes(device.address)) {
      if (device.iommuGroup === undefined) return `${device.address} has no group`
      if ((device.headerType ?? 0) !== 0) return `${device.address} is a bridge`
      if (!/vfio/.test(driver ?? '')) return `${device.address} is not bound`
      if (host.holders.get(device.address)?.some(({ kind }) => kind !== 'console') === true)
        return `${device.address} is held`
    }
    if (device.iommuGroup === undefined || !groups.has(device.iommuGroup)) continue
    const passive =
      driver === undefined || driver === 'pci-stub' || driver.includes('vfio') || (!old && driver === 'pcieport')
    if (!passive && !(old && device.headerType === 1)) return `${device.address} (${driver}) is in the way`
    const foreign = host.holders.get(device.address)?.some(({ kind }) => kind === 'domain')
    if (foreign === true) return `${device.address} belongs to another domain`
  }
  return undefined
}

/** As boards without ACS group: everything below a port of the root bus with that port, functions of a slot together. */
function grouped(host: PciHost): PciHost {
  const keys = host.devices.map(({ address, bridges }) => (bridges.at(-1) ?? address).replace(/\.[0-7]$/, ''))
  const groups = [...new Set(keys)]
  const devices = host.devices.map((device, i) => ({ ...device, iommuGroup: groups.indexOf(keys[i] ?? '') }))
  return { ...host, devices, iommu: { ...host.iommu, isOn: true, groupCount: groups.length } }
}

describe('planPassthrough on real machines', () => {
  for (const name of HWLOC_TREES_WITH_PCI) {
    test(`closes or refuses every group of ${name}`, { timeout: 120_000 }, async (t) => {
      const bare = await readPciHost(await unpackHwlocTree(name, await makeTempFolder(t)))
      for (const { address } of bare.devices.slice(0, 5)) {
        assert.ok(kinds(bare, ask([address])).some((kind) => ['iommu-off', 'bridge', 'host-bridge'].includes(kind)))
      }
      const host = grouped(bare)
      for (const { address } of host.devices) {
        for (const mode of ['default', 'force'] as const) {
          const plan = planPassthrough(host, ask([address], { mode }))
          const addresses = plan.hostdevs.map((hostdev) => hostdev.address)
          const wrong = checkClosure(host, plan.bind, addresses)
          if (plan.refusals.length === 0) assert.equal(wrong, undefined, `${address} ${mode}`)
          else {
            const isWhole = plan.refusals.some(({ kind }) =>
              ['bridge', 'host-bridge', 'no-answer', 'only-nic', 'virtual-functions'].includes(kind),
            )
            assert.ok(wrong !== undefined || isWhole, `${address} ${mode}: ${JSON.stringify(plan.refusals)}`)
          }
        }
      }
    })
  }
})

describe('planPassthrough on random hosts', () => {
  const seeded = fc.tuple(
    randomHost,
    fc.array(fc.nat(), { minLength: 1, maxLength: 4 }),
    fc.constantFrom('default', 'flex', 'force'),
  )

  test('a plan without a refusal closes every group, and one with a refusal could not have', () => {
    let [accepted, refused] = [0, 0]
    fc.assert(
      fc.property(seeded, ([host, picks, mode]) => {
        const names = [...new Set(picks.map((pick) => host.devices[pick % host.devices.length]?.address ?? ''))]
        const plan = planPassthrough(host, { selectors: names.map(parsePciSelector), mode })
        const addresses = plan.hostdevs.map(({ address }) => address)
        const wrong = checkClosure(host, plan.bind, addresses)
        if (plan.refusals.length === 0) {
          accepted++
          assert.equal(wrong, undefined)
          if (mode === 'flex') {
            for (const { address } of plan.skipped) {
              const group = host.devices.find((d) => d.address === address)?.iommuGroup
              const mates = names.filter(
                (n) => host.devices.find((d) => d.address === n)?.iommuGroup === group && group !== undefined,
              )
              const all = mates.length > 0 ? mates : [address]
              assert.notEqual(checkClosure(host, all, all), undefined, `${address} was left out for nothing`)
            }
          } else
            assert.deepEqual(
              names.filter((name) => !addresses.includes(name)),
              [],
            )
        } else {
          refused++
          const isBridgeNamed = names.some((name) => host.devices.find((d) => d.address === name)?.headerType === 1)
          assert.ok(wrong !== undefined || isBridgeNamed, `refused for nothing: ${JSON.stringify(plan.refusals)}`)
        }
      }),
      { numRuns: 2000 },
    )
    assert.ok(accepted > 200 && refused > 200, `${accepted} accepted, ${refused} refused`)
  })

  test('a refusal names every device that is in the way', () => {
    fc.assert(
      fc.property(randomHost, fc.nat(), (host, pick) => {
        const target = host.devices[pick % host.devices.length]
        if (target === undefined || target.headerType === 1 || target.iommuGroup === undefined) return
        const plan = planPassthrough(host, ask([target.address]))
        const old = host.kernel.release.startsWith('5.10')
        const expected = host.devices
          .filter((d) => d.iommuGroup === target.iommuGroup && d.address !== target.address)
          .filter((d) => d.driver !== undefined && !/vfio|pci-stub/.test(d.driver))
          .filter((d) => (old ? d.headerType === 0 : d.driver !== 'pcieport'))
          .map(({ address }) => address)
        const named = plan.refusals.filter(({ kind }) => kind === 'group-mate').flatMap(({ devices }) => devices)
        assert.deepEqual(named, expected)
        const text = plan.refusals.map(({ reason }) => reason).join('\n')
        for (const address of expected) assert.ok(text.includes(address))
      }),
      { numRuns: 500 },
    )
  })
})
